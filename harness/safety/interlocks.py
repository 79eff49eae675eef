"""Interlocks: levels watched from arming to disarming, latched, with silence counting as bad.

```
 level:  last GOOD value violates the bound (for at least `for`)         -> bad
         no GOOD value for longer than the device's max_age, or STALE    -> bad (silence)
 armed:  always, or while `armed_when` holds or cannot be known or something was commanded on, and in the named steps
 trip:   armed and enough of the signals bad; latched
```

A trip by silence alone acts at once like any other. But silence is no sign of a leak: such a trip of an interlock that
leads to a sequence of kind leak takes `default` instead, which takes the heat off and does not stop the coolant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from harness.clock import Clock
from harness.device.signal_store import SignalStore
from harness.errors import RunError
from harness.limits.check import Check, compile_check
from harness.limits.debounce import Debounce
from harness.limits.rate import RATE_OVER_S, rate_per_second
from harness.quantity import Quality, difference_unit
from harness.safety.precedence import DEFAULT, Trip
from harness.schema.conditions import Bounds
from harness.schema.station import NEEDED, Interlock


@dataclass(slots=True)
class _Channel:
    """One watched signal: its last GOOD value and whether that violates."""

    signal: str
    check: Check | None
    max_age: float
    debounce: Debounce
    max_rate: float = math.inf
    last_good: float = -math.inf
    is_stale: bool = False
    value: float = math.nan
    violates: bool = False
    since: float = -math.inf
    history: list[tuple[float, float]] = field(default_factory=list)

    def sample(self, mono: float, value: float, quality: int) -> None:
        """Take one sample. STALE is silence at once; what else is not GOOD changes nothing but the age."""
        self.is_stale = quality == Quality.STALE
        if quality != Quality.GOOD or value != value:
            return
        self.last_good, self.value = mono, value
        bad = self.check is not None and not self.check.holds(value)
        if not bad and self.max_rate < math.inf:
            bad = self._is_too_fast(mono, value)
        self.violates = self.debounce.update(mono, is_bad=bad)

    def _is_too_fast(self, mono: float, value: float) -> bool:
        self.history.append((mono, value))
        while mono - self.history[0][0] > RATE_OVER_S:
            self.history.pop(0)
        then, old = self.history[0]
        return mono - then >= RATE_OVER_S / 2 and abs(value - old) / (mono - then) > self.max_rate

    def is_silent(self, now: float) -> bool:
        """Whether there has been no GOOD value for too long, or what came since is known to be old."""
        return self.is_stale or now - self.last_good > self.max_age

    def why(self, now: float, store: SignalStore) -> str:
        """What is wrong, in words."""
        if self.is_silent(now):
            age = "ever" if self.last_good == -math.inf else f"for {now - self.last_good:.1f} s"
            latest = store.latest(self.signal)
            why = store.missing_input(self.signal) or latest.quality.word
            why += f": {latest.reason}" if latest.reason else ""
            return f"no good reading of {self.signal} {age} ({why})"
        info = store.info(self.signal)
        shown = info.word(self.value) or f"{self.value:.6g} {info.unit}".rstrip()
        if self.check is not None and not self.check.holds(self.value):
            return f"{self.signal} is {shown}, must be {self.check}"
        return f"{self.signal} changes faster than {self.max_rate:g} {difference_unit(info.unit)}/s (now {shown})"


class _ArmedInterlock:
    """One interlock at work."""

    def __init__(self, spec: Interlock, store: SignalStore, max_age: Callable[[str], float]) -> None:
        self.spec = spec
        self.trip: Trip | None = None
        self.is_warning = False
        """What only warns has been reported, and still is as it must not be."""
        self.is_in_step = not spec.armed_in
        has_bounds = bool(spec.quantities() or spec.words)
        self.channels = []
        for signal in spec.all_signals:
            info = store.info(signal)
            rate = rate_per_second(spec.max_rate, info) if spec.max_rate is not None else math.inf
            check = compile_check(spec, info) if has_bounds else None
            self.channels.append(_Channel(signal, check, max_age(signal), Debounce(spec.for_), rate))
        self.armed_when: tuple[str, Check] | None = None
        if spec.armed_when is not None:
            bounds: Bounds = spec.armed_when
            signal = spec.armed_when.signal
            self.armed_when = (signal, compile_check(bounds, store.info(signal)))

    def is_armed(self, store: SignalStore, *, is_energised: bool) -> bool:
        """Whether the interlock counts now. Not knowing whether it is armed arms it.

        So does what was commanded on: the reading that arms it may be the one that has stopped telling the truth.
        """
        if not self.is_in_step:
            return False
        if self.armed_when is None or is_energised:
            return True
        signal, check = self.armed_when
        reading = store.latest(signal)
        return not reading.is_good or check.holds(reading.value, reading.quality)

    def bad_channels(self, now: float) -> list[_Channel]:
        """The channels that are violating or silent."""
        return [channel for channel in self.channels if channel.violates or channel.is_silent(now)]


class Interlocks:
    """All interlocks of a run. `on_trip` is called once, with the first trip, from inside the frame that caused it."""

    def __init__(
        self,
        specs: Sequence[Interlock],
        store: SignalStore,
        clock: Clock,
        max_age: Mapping[str, float],
        on_trip: Callable[[Trip], None],
        leaks: Collection[str] = (),
        on_warning: Callable[[str, str], None] = lambda _interlock, _reason: None,
    ) -> None:
        """`leaks` are the safe-state sequences of kind leak; `on_warning` is told what only warns, and why."""
        self._store = store
        self._clock = clock
        self._on_trip = on_trip
        self._on_warning = on_warning
        self._leaks = frozenset(leaks)
        self._armed = False
        self._on: set[str] = set()
        self._ends: list[Callable[[], None]] = []
        self.trips: list[Trip] = []

        def age(signal: str) -> float:
            return max_age.get(signal) or max_age.get(store.device_of(signal), max(max_age.values(), default=3.0))

        self._interlocks = [_ArmedInterlock(spec, store, age) for spec in specs]
        self._by_device: dict[str, list[_ArmedInterlock]] = {}
        for armed in self._interlocks:
            watched = [channel.signal for channel in armed.channels]
            if armed.armed_when is not None:
                watched.append(armed.armed_when[0])
            for device in {store.device_of(signal) for signal in watched}:
                self._by_device.setdefault(device, []).append(armed)
            for channel in armed.channels:
                self._ends.append(store.listen(channel.signal, channel.sample))

    @property
    def names(self) -> list[str]:
        """The interlocks, in the order of the files."""
        return [armed.spec.name for armed in self._interlocks]

    def arm(self) -> None:
        """Begin to act. Levels that are bad already trip at once: an interlock is not an edge."""
        self._armed = True
        self.evaluate()

    def reset(self, name: str) -> None:
        """Let a trip go, by its name, once its cause is gone; the trip stays in `trips`. RunError otherwise."""
        armed = next((each for each in self._interlocks if each.spec.name == name), None)
        if armed is None or armed.trip is None:
            tripped = ", ".join(repr(each.spec.name) for each in self._interlocks if each.trip is not None)
            raise RunError(f"no trip of an interlock {name!r}", hint=f"tripped: {tripped or 'none'}")
        now = self._clock.monotonic()
        bad = armed.bad_channels(now)
        if len(bad) >= NEEDED[armed.spec.vote]:
            reasons = "; ".join(channel.why(now, self._store) for channel in bad)
            raise RunError(f"the cause of {name!r} is not gone: {reasons}")
        armed.trip = None

    def commanded(self, control: str, *, is_on: bool) -> None:
        """Something that puts power on the rack is about to be commanded on or off."""
        if is_on:
            self._on.add(control)
        else:
            self._on.discard(control)

    def against_power(self) -> str:
        """Why nothing may be switched on now: what locks the power and is bad, armed or not. '' when nothing is."""
        now = self._clock.monotonic()
        for armed in self._interlocks:
            bad = armed.bad_channels(now) if armed.spec.locks_power else []
            if bad and len(bad) >= NEEDED[armed.spec.vote]:
                why = "; ".join(channel.why(now, self._store) for channel in bad)
                return f"interlock {armed.spec.name!r} locks the power: {why}"
        return ""

    def disarm(self) -> None:
        """Stop acting (the safe state is reached, or the run is over)."""
        self._armed = False

    def close(self) -> None:
        """Stop listening."""
        for end in self._ends:
            end()
        self._ends.clear()

    def enter_steps(self, titles: Collection[str]) -> None:
        """Tell which steps run, for windows armed by step."""
        for armed in self._interlocks:
            armed.is_in_step = not armed.spec.armed_in or any(title in armed.spec.armed_in for title in titles)

    def after_frame(self, device: str) -> None:
        """Evaluate what a frame of this device may have changed."""
        if self._armed:
            for armed in self._by_device.get(device, ()):
                self._evaluate(armed)

    def silent_at(self) -> float:
        """When, at the earliest, a missing reading may change what holds; in the past when one is missing already."""
        times = [channel.last_good + channel.max_age for armed in self._interlocks for channel in armed.channels]
        times += [self._store.fresh_until(armed.armed_when[0]) for armed in self._interlocks if armed.armed_when]
        return min(times, default=math.inf)

    def evaluate(self) -> None:
        """Evaluate everything (at arming, and on the silence tick)."""
        if self._armed:
            for armed in self._interlocks:
                self._evaluate(armed)

    def _evaluate(self, armed: _ArmedInterlock) -> None:
        if armed.trip is not None:
            return
        now = self._clock.monotonic()
        bad = armed.bad_channels(now)
        if len(bad) < NEEDED[armed.spec.vote] or not armed.is_armed(self._store, is_energised=bool(self._on)):
            armed.is_warning = False
            return
        reason = "; ".join(channel.why(now, self._store) for channel in bad)
        if armed.spec.action == "warn":
            if not armed.is_warning:
                armed.is_warning = True
                self._on_warning(armed.spec.name, reason)
            return
        arrived = max((channel.last_good for channel in bad if not channel.is_silent(now)), default=now)
        is_silence = not any(channel.violates for channel in bad)
        sequence = DEFAULT if is_silence and armed.spec.on_trip in self._leaks else armed.spec.on_trip
        seen = tuple(channel.signal for channel in bad if channel.violates)
        trip = Trip(armed.spec.name, sequence, reason, now, self._clock.wall_ns(), arrived, is_silence, seen)
        armed.trip = trip
        self.trips.append(trip)
        self._on_trip(trip)
