"""Values that stand still although they must move: found frame by frame, and made STALE before anybody looks at them.

```
 noise       seen to move, then the same value so often that its noise allows that less than once in 10^9 times
 moves_with  no change at all while what moves it (pump speed, load, a second sensor) has long been elsewhere
 stamp       the device's own sample counter or time stamp for it stands still
```

Nothing else is held against a value: a meter at 0, a thermometer within its resolution, a word, and whatever has no
noise, mover or stamp declared may stand still for ever. So may what was never seen to move: a run does not begin on it
(`unproved`). How often a device measures again is learned from its values, so
that a meter that refreshes every 3 s is counted in its own refreshes. Cost: a few numpy operations a frame for the
signals of a device that are watched, nothing for all others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.device.device import Device
from harness.device.points import SignalPoint, movers_of
from harness.limits.check import Check, compile_check
from harness.limits.stillness import repeat_chance, repeats_allowed
from harness.quantity import Frame, Quality, Quantity, SignalInfo, difference_unit, unit
from harness.schema.motion import Mover, StationMover

SHORTEST_S = 5.0
"""Nothing that stands still for less is ever called frozen."""
SEEN_MOVING = 8
"""Changes after which the refresh of a value counts as known."""
BEGINS_TO_MOVE = 2
"""Changes without which a run does not begin on a value."""
_SURELY = (3.0, 1.5)
"""How much longer a refresh may be than it seems: after one change, and until it is known (`SEEN_MOVING`)."""
_LEARN = 0.1
_LONGEST_RUN = 10.0
"""A run that teaches how often a device measures is cut at so many polls: it may have stood at 0 for hours."""

Tell = Callable[[str, str], None]
"""Called with a signal and what is to be reported of it: that it stands still, that it moves again."""


class _Noisy:
    """The signals of one device whose noise is known, as arrays."""

    def __init__(
        self, points: Sequence[SignalPoint], places: Sequence[int], names: Sequence[str], device: Device
    ) -> None:
        noises = [point.spec.noise for point in points]
        self.places = np.array(places, np.intp)
        self.names = tuple(names)
        self._absolute = np.array([noise.absolute if noise else 0.0 for noise in noises])
        self._relative = np.array([noise.relative / 100 if noise else 0.0 for noise in noises])
        self._step = np.array([point.spec.resolution for point in points])
        self._period = np.array([_period(point, device) for point in points])
        count = len(points)
        self._last = np.full(count, math.nan)
        self._since = np.zeros(count)
        self._repeats = np.zeros(count, np.int64)
        self._changes = np.zeros(count, np.int64)
        self._pause = self._period.copy()  # between two changes, as learned
        self._least = np.full(count, math.inf)  # the smallest change that was seen
        self.frozen: dict[int, float] = {}
        """Place in the arrays -> since when."""

    def look(self, frame: Frame) -> None:
        """Take in a frame of the device; afterwards `frozen` says what stands still."""
        values = frame.values[self.places]
        qualities = frame.qualities[self.places]
        if qualities.any():
            values[qualities != 0] = math.nan
        moved = values != self._last  # true of NaN too: what is not GOOD begins again
        self._repeats += 1
        self._repeats[moved] = 0
        if moved.any():
            self._learn(moved, values, frame.mono)
            for place in [place for place in self.frozen if moved[place]]:
                del self.frozen[place]
        if self._repeats.max() >= 4:
            self._judge(frame.mono)

    def _learn(self, moved: npt.NDArray[np.bool_], values: npt.NDArray[np.float64], mono: float) -> None:
        change = np.abs(values - self._last)
        known = moved & (change == change)
        if known.any():
            self._changes += known
            np.fmin(self._least, change, out=self._least, where=known)
            run = np.minimum(mono - self._since, _LONGEST_RUN * self._period)
            weight = np.maximum(_LEARN, 1.0 / self._changes.clip(1)) * known
            self._pause += weight * (run - self._pause)
        self._since[moved] = mono
        self._last[moved] = values[moved]

    def unproved(self, repeats: int) -> list[str]:
        """What its noise must move, and what has not moved twice yet or has stood still for `repeats` polls."""
        allowed = repeats_allowed(self._chance())
        return [
            name
            for k, name in enumerate(self.names)
            if math.isfinite(allowed[k])
            and (self._changes[k] < BEGINS_TO_MOVE or self._repeats[k] >= repeats)
            and k not in self.frozen
        ]

    def _chance(self) -> npt.NDArray[np.float64]:
        step = np.maximum(self._step, np.where(np.isfinite(self._least), self._least, 0.0))
        noise = self._absolute + self._relative * np.abs(np.nan_to_num(self._last))
        noise[~(np.abs(self._last) > 0.0)] = 0.0  # a meter that sees nothing shows 0, again and again
        return repeat_chance(noise, step)

    def _judge(self, mono: float) -> None:
        chance = self._chance()
        allowed = repeats_allowed(chance)
        # a run between two changes is a little longer than a refresh: sometimes a new value is the one before
        refresh = np.maximum(self._period, self._pause * (1.0 - chance / math.sqrt(2)))
        refresh *= np.where(
            self._changes < BEGINS_TO_MOVE, _SURELY[0], np.where(self._changes < SEEN_MOVING, _SURELY[1], 1.0)
        )
        allowed[self._changes == 0] = math.inf
        still = mono - self._since
        frozen = (self._repeats >= allowed) & (still >= allowed * refresh * 0.95) & (still >= SHORTEST_S)
        for place in np.flatnonzero(frozen).tolist():
            self.frozen.setdefault(place, float(self._since[place]))


@dataclass(slots=True)
class _Moved:
    """One signal beside one that moves it."""

    name: str
    place: int
    mover: str
    device: str
    index: int
    by: float
    within: float
    unit: str
    moves_while: tuple[str, int, Check] | None = None
    last: float = math.nan
    since: float = 0.0
    origin: float = math.nan
    settled: float = math.inf
    """When what moves the signal is taken for where it was: a sensor may lag behind the other by that much."""
    away: float = math.inf
    is_frozen: bool = False

    def look(self, frame: Frame, frames: Mapping[str, Frame]) -> None:
        """Take in a frame of the signal's device; afterwards `is_frozen` says whether it stands still."""
        value = float(frame.values[self.place])
        other = _shown(frames.get(self.device), self.index)
        if value != self.last or frame.qualities[self.place]:
            self.last = math.nan if frame.qualities[self.place] else value
            self.since, self.is_frozen = frame.mono, False
            self._begin(frame.mono, other)
        elif self.is_frozen:
            return
        elif self.moves_while is not None and not self.moves_while[2].holds(
            _shown(frames.get(self.moves_while[0]), self.moves_while[1])
        ):
            self._begin(frame.mono, other)
        elif frame.mono < self.settled or self.origin != self.origin:
            self.origin = other
        elif not abs(other - self.origin) >= self.by:  # NaN is not away: nothing is known of it
            self.away = math.inf
        else:
            self.away = min(self.away, frame.mono)
            self.is_frozen = frame.mono - self.away >= self.within

    def _begin(self, now: float, other: float) -> None:
        self.origin, self.settled, self.away = other, now + self.within, math.inf

    def why(self) -> str:
        """What gives it away."""
        return f"while {self.mover} has moved by more than {self.by:g} {self.unit}".rstrip()


@dataclass(slots=True)
class _Stamped:
    """One signal and what stamps its measurements."""

    name: str
    place: int
    stamp: str
    index: int
    within: float
    last: float | str = math.nan
    since: float = 0.0
    was_good: bool = False

    def look(self, frame: Frame) -> bool:
        """Take in a frame; whether the stamp stands still. One that was never readable stamps nothing."""
        if frame.qualities[self.place]:
            return False  # not believed anyway
        if frame.qualities[self.index] == Quality.GOOD:
            shown: float | str = frame.texts.get(self.index, "") or float(frame.values[self.index])
            if shown != self.last or not self.was_good:
                self.last, self.since = shown, frame.mono
            self.was_good = True
        return self.was_good and frame.mono - self.since >= self.within


class Freeze:
    """Watches the signals of a run that interlocks and limits use. `reasons` says why a value is not believed."""

    def __init__(
        self,
        devices: Sequence[Device],
        watched: Collection[str],
        movers: Mapping[str, Sequence[StationMover]],
        tell: Tell = lambda _signal, _text: None,
    ) -> None:
        self._tell = tell
        self._noisy: dict[str, _Noisy] = {}
        self._moved: dict[str, list[_Moved]] = {}
        self._stamped: dict[str, list[_Stamped]] = {}
        self._infos = {info.name: info for device in devices for info in device.signals}
        self._owner = {info.name: device for device in devices for info in device.signals}
        self.reasons: dict[str, str] = {}
        """Signal -> why its value is STALE."""
        places = {info.name: (device, k) for device in devices for k, info in enumerate(device.signals)}
        self._places = {name: place for name, (_, place) in places.items()}
        for device in devices:
            self._add(device, [info.name for info in device.signals if info.name in watched], places, movers)

    def _add(
        self,
        device: Device,
        names: Sequence[str],
        places: Mapping[str, tuple[Device, int]],
        movers: Mapping[str, Sequence[StationMover]],
    ) -> None:
        points = {name: device.points[places[name][1]] for name in names}
        noisy = [name for name in names if points[name].spec.noise is not None]
        if noisy:
            where = [places[name][1] for name in noisy]
            self._noisy[device.name] = _Noisy([points[name] for name in noisy], where, noisy, device)
        own = {name.removeprefix(f"{device.name}.") for name, (owner, _) in places.items() if owner is device}
        for name in names:
            point, place = points[name], places[name][1]
            pairs: list[tuple[str, Mover | StationMover]] = [
                (f"{device.name}.{each}", mover)
                for mover in point.spec.moves_with
                for each in movers_of(point, own, mover.signal)
            ]
            pairs += [(mover.signal, mover) for mover in movers.get(name, ()) if mover.signal in places]
            for mover_name, mover in pairs:
                other, index = places[mover_name]
                info = self._infos[mover_name]
                within = mover.within + max(_period(point, device), _period(other.points[index], other))
                by, shown = _span(mover.by, info), difference_unit(info.unit)
                moved = _Moved(name, place, mover_name, other.name, index, by, within, shown)
                moved.moves_while = self._moves_while(mover, places)
                self._moved.setdefault(device.name, []).append(moved)
            if point.spec.stamp is not None:
                for each in movers_of(point, own, point.spec.stamp.signal):
                    index = places[f"{device.name}.{each}"][1]
                    stamped = _Stamped(name, place, f"{device.name}.{each}", index, point.spec.stamp.within)
                    self._stamped.setdefault(device.name, []).append(stamped)

    def _moves_while(
        self, mover: Mover | StationMover, places: Mapping[str, tuple[Device, int]]
    ) -> tuple[str, int, Check] | None:
        condition = mover.while_ if isinstance(mover, StationMover) else None
        if condition is None or condition.signal not in places:
            return None
        owner, index = places[condition.signal]
        return owner.name, index, compile_check(condition, self._infos[condition.signal])

    def unproved(self, signals: Collection[str], repeats: int) -> list[str]:
        """Those of some signals that their noise ought to move, not found frozen yet, of which it is not known either.

        They have not been seen to move twice, or have shown one value at least `repeats` times more.
        """
        return [name for noisy in self._noisy.values() for name in noisy.unproved(repeats) if name in signals]

    def reason(self, signal: str) -> str:
        """Why a value that came in time is not believed; '' when nothing is known of that."""
        return self.reasons.get(signal, "") or self._owner[signal].standstill

    def judge(self, frame: Frame, frames: Mapping[str, Frame]) -> None:
        """Make STALE in `frame` what stands still; `frames` are the latest of all devices, this one among them."""
        noisy = self._noisy.get(frame.device)
        moved = self._moved.get(frame.device, ())
        stamped = self._stamped.get(frame.device, ())
        if noisy is None and not moved and not stamped:
            return
        found: dict[str, tuple[int, str]] = {}
        if noisy is not None:
            noisy.look(frame)
            for index, since in noisy.frozen.items():
                place = int(noisy.places[index])
                found[noisy.names[index]] = place, self._still(noisy.names[index], frame, place, since)
        for each in moved:
            each.look(frame, frames)
            if each.is_frozen:
                text = f"{self._still(each.name, frame, each.place, each.since)} {each.why()}"
                found.setdefault(each.name, (each.place, text))
        for mark in stamped:
            if mark.look(frame):
                text = (
                    f"{mark.stamp}, which stamps its measurements, has stood still for {frame.mono - mark.since:.0f} s"
                )
                found.setdefault(mark.name, (mark.place, text))
        if found or self.reasons:
            self._mark(frame, found)

    def _still(self, name: str, frame: Frame, place: int, since: float) -> str:
        shown = f"{frame.values[place]:.6g} {self._infos[name].unit}".rstrip()
        return f"it has stood still at {shown} for {frame.mono - since:.0f} s"

    def _mark(self, frame: Frame, found: Mapping[str, tuple[int, str]]) -> None:
        before = {name for name in self.reasons if name.startswith(f"{frame.device}.")}
        for name, (place, text) in found.items():
            frame.qualities[place] = Quality.STALE
            self.reasons[name] = text
            if name not in before:
                self._tell(name, f"{name} is frozen: {text}")
        for name in sorted(before - found.keys()):
            del self.reasons[name]
            if frame.qualities[self._places[name]] == Quality.GOOD:
                self._tell(name, f"{name} moves again")


def _shown(frame: Frame | None, index: int) -> float:
    """What a frame says of a signal; NaN when that cannot be believed."""
    return math.nan if frame is None or frame.qualities[index] else float(frame.values[index])


def _period(point: SignalPoint, device: Device) -> float:
    """How often the harness reads a signal, seconds."""
    return max(device.entry.poll, device.entry.slow if point.spec.poll == "slow" else 0.0)


def _span(by: Quantity, info: SignalInfo) -> float:
    """A distance in the unit of a signal."""
    span = by.to(difference_unit(info.unit))
    return span / unit(info.unit).factor if difference_unit(info.unit) != info.unit else span
