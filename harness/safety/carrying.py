"""What carries no load any more though this run had switched it on: a breaker, a contactor or a feed behind a switch.

A switch that reads `on` says where its own contact is, not whether power gets past it. Where the device measures what
its outlets (or its phases, or its banks) carry, `shown_by` of the profile names the signals:

```
 loaded for 10 s since this run switched it on                    -> it carries load
 loaded for less (a breaker that opens at the inrush), then
     nothing for 30 s, while another carries load                 -> undone
 ... then nothing within 10 s, in two samples running, while
     another switch of this run, on whatever device, is seen to
     carry load                                                   -> undone
 all that carried load carries nothing, for 30 s if it had not
     been loaded for long, or this run had just lowered a load    -> undone
 a rack is switched on and takes nothing at all for 60 s          -> undone
```

Loaded is 0.5 A or 100 W and more, nothing is less than a tenth of that: supplies without load take more, and trays on
standby do. Where they may not (`outlets_may_idle` of the station's device), nothing is concluded. All of it begins
again with a command of this run that can empty an outlet: to the switch itself, or a word to the rack (`trays: off`);
that all is empty says nothing at once in the first 10 s after this run lowered a load.

What a device measures of itself as a whole (its power) shows what all its switches carry together. Where nothing else
does, so does a busbar that the station sees (`de_energised`): it was above the trays' under-voltage, and is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.device.device import Device
from harness.device.points import LOADED, ControlPoint
from harness.device.setting import Setting, puts_power_on
from harness.quantity import Frame, Quantity

_NOTHING = 0.1
"""Share of what counts as loaded below which nothing is carried."""
_CARRIES_AFTER_S = 10.0
"""How long something must be loaded until it is known to carry load, seconds: longer than inrush and first spin-up."""
_GONE_WITHIN_S = 10.0
"""How long the way from loaded to nothing may take, seconds: a breaker is at once and some meters average, but what
took a little for a long time has switched itself off."""
_NEVER_S = 60.0
"""How long a rack that was switched on may take nothing at all, seconds."""
_STARTS_WITHIN_S = 30.0
"""How long one that was loaded for less may carry nothing until it does, seconds: supplies that start again."""

IsOn = Callable[[str, str], bool]
"""Called with (device, control): whether a switch reads `on`, whoever switched it on."""
Switch = tuple[str, str]
"""(device, control)."""


@dataclass(slots=True)
class _Carrier:
    """A signal that shows what one switch carries, or several together (a phase, a bank)."""

    signal: str
    index: int
    unit: str
    lasts: float
    """How long nothing must have been seen, seconds: a slow signal shows one reading in many frames."""
    least: float
    """What it shows at least when it is loaded."""
    nothing: float
    """Below this it shows nothing."""
    switches: list[Switch] = field(default_factory=list)
    """The switches whose load it is."""
    is_bus: bool = False
    """A voltage: it shows that something carries, and not what."""
    loaded_since: float = math.nan
    left_at: float = math.nan
    nothing_since: float = math.nan
    carried: float = math.nan
    """What it carried last; NaN: it did not."""
    is_known: bool = False
    """Whether it carried that for long enough since it was switched on."""
    is_loaded: bool = False
    """Whether the last frame showed that it is loaded."""
    is_resting: bool = False
    """Whether the last frame showed that it takes a little: more than nothing, and no load."""


class _Meters:
    """The carriers of one device, and what its last frame showed of them."""

    def __init__(self, device: Device, carriers: Sequence[_Carrier]) -> None:
        self.device = device
        self.carriers = list(carriers)
        self.places = np.array([each.index for each in self.carriers], dtype=np.intp)
        self.least = np.array([each.least for each in self.carriers])
        self.nothing = np.array([each.nothing for each in self.carriers])
        self.values: npt.NDArray[np.float64] = np.zeros(len(self.carriers))
        self.pattern = b""
        self.mono = -math.inf
        self.is_idle_allowed = device.entry.outlets_may_idle

    def take(self, frame: Frame) -> None:
        """What a frame shows. Nearly always it is what the one before had shown, and only the time goes on."""
        values = np.abs(frame.values[self.places])
        is_good = frame.qualities[self.places] == 0  # Quality.GOOD, whose name costs more than the look
        is_loaded = is_good & (values >= self.least)
        is_nothing = is_good & (values < self.nothing)
        pattern = is_good.tobytes() + is_loaded.tobytes() + is_nothing.tobytes()
        if pattern != self.pattern:
            for k, each in enumerate(self.carriers):
                each.is_loaded = bool(is_loaded[k])
                each.is_resting = bool(is_good[k] and not is_loaded[k] and not is_nothing[k])
                if is_good[k]:  # one that is not seen for a while is what it was
                    self._turn(each, frame.mono, k, is_nothing=bool(is_nothing[k]))
                else:
                    each.nothing_since = math.nan
        self.pattern, self.mono = pattern, frame.mono
        self.values = np.where(is_good, values, self.values)

    def _turn(self, each: _Carrier, now: float, place: int, *, is_nothing: bool) -> None:
        if each.is_loaded:
            each.loaded_since = now if math.isnan(each.loaded_since) else each.loaded_since
        elif each.loaded_since == each.loaded_since:
            if self.mono > each.loaded_since:  # in two samples at least
                each.carried = float(self.values[place])
            each.is_known = each.is_known or self.mono - each.loaded_since >= _CARRIES_AFTER_S
            each.loaded_since, each.left_at = math.nan, now
        if not is_nothing:
            each.nothing_since = math.nan
        elif math.isnan(each.nothing_since):
            each.nothing_since = now
            if now - each.left_at > _GONE_WITHIN_S:
                each.carried, each.is_known = math.nan, False

    def forget(self, switch: Switch | None = None) -> None:
        """What a switch (all of them: None) carried says nothing about what it must carry from now on."""
        for each in self.carriers:
            if switch is None or switch in each.switches:
                self.pattern = b""
                each.carried = each.loaded_since = math.nan
                each.is_known = False

    def empty(self) -> Iterator[_Carrier]:
        """What carried load and has been seen to carry nothing for long enough."""
        for each in self.carriers:
            lasts = each.lasts if each.is_known else max(each.lasts, _STARTS_WITHIN_S)
            if each.carried == each.carried and self.mono - each.nothing_since > lasts:
                yield each


def _carriers_of(device: Device) -> Iterator[_Carrier]:
    places = {info.name.partition(".")[2]: k for k, info in enumerate(device.signals)}
    switches = [each for each in device.expansion.controls.values() if _is_switch(each, device)]
    whole = [name for name in places if _is_of_all(device, places[name])] if switches else []
    found: dict[str, _Carrier] = {}
    for control in switches:
        for name in dict.fromkeys((*control.shown_by, *whole)):
            if name in places:
                carrier = found.setdefault(name, _carrier(device, places[name]))
                carrier.switches.append((device.name, control.name))
    yield from found.values()


def _is_switch(control: ControlPoint, device: Device) -> bool:
    return control.spec.energises and control.name not in device.expansion.absent


def _is_of_all(device: Device, place: int) -> bool:
    """Whether a signal is the power that goes through a device as a whole."""
    point = device.points[place]
    return not point.group and device.signals[place].unit in ("W", "kW") and point.spec.poll != "once"


def _carrier(device: Device, place: int, least: float = math.nan) -> _Carrier:
    """A carrier at a place of a device's frames; `least`: what a busbar shows at least, in its unit."""
    info, point = device.signals[place], device.points[place]
    lasts = device.entry.slow if point.spec.poll == "slow" else 0.0
    if least == least:
        return _Carrier(info.name, place, info.unit, lasts, least, least, is_bus=True)
    return _Carrier(info.name, place, info.unit, lasts, LOADED[info.unit], _NOTHING * LOADED[info.unit])


def _buses_of(device: Device, buses: Mapping[str, Quantity], switches: Sequence[Switch]) -> Iterator[_Carrier]:
    for place, info in enumerate(device.signals):
        if switches and info.name in buses:
            carrier = _carrier(device, place, buses[info.name].to(info.unit))
            carrier.switches.extend(switches)
            yield carrier


class Carrying:
    """Watches what the switches of a run carry."""

    def __init__(
        self,
        devices: Mapping[str, Device],
        is_on: IsOn,
        buses: Mapping[str, Quantity] | None = None,
        is_restart_expected: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """`buses`: the busbars that the station sees, and the voltage below which the trays draw nothing."""
        self._is_on = is_on
        self._is_restart_expected = is_restart_expected
        self._roles = {name: device.entry.role for name, device in devices.items()}
        self._loads = {
            name for name, device in devices.items() if device.entry.role == "uut" or device.profile.class_ == "load"
        }
        switches = [
            (name, control.name)
            for name, device in devices.items()
            for control in device.expansion.controls.values()
            if _is_switch(control, device)
        ]
        self._meters: dict[str, _Meters] = {}
        for name, device in devices.items():
            if carriers := [*_carriers_of(device), *_buses_of(device, buses or {}, switches)]:
                self._meters[name] = _Meters(device, carriers)
        self._ours: dict[Switch, float] = {}
        """What this run has switched on, and when."""
        self._is_started = False
        """Whether anything of it was seen to take something, or its absence has been reported."""
        self._has_rack = any(role == "uut" for role in self._roles.values())
        self._levels: dict[Switch, float] = {}
        """What this run has set loads to."""
        self._now = self._lowered = -math.inf
        """When the last frame came, and when this run lowered a load."""

    def commanded(self, device: str, control: ControlPoint, setting: Setting) -> None:
        """A command of this run is about to leave."""
        key = (device, control.name)
        if not control.spec.energises:
            self._load(key, setting)
            return
        is_on = puts_power_on(control, setting)
        if not (setting.word == "on" and key in self._ours):
            for meters in self._meters.values():
                meters.forget(key)
        if is_on:
            self._ours.setdefault(key, self._now)
        else:
            self._ours.pop(key, None)

    def _load(self, key: Switch, setting: Setting) -> None:
        if setting.word and self._roles[key[0]] == "uut":
            for meters in self._meters.values():
                meters.forget()
        if key[0] in self._loads:
            level = 0.0 if setting.word else abs(setting.value)
            if level < self._levels.get(key, 0.0) or not level:
                self._lowered = self._now
            self._levels[key] = level

    def after_frame(self, frame: Frame) -> tuple[str, str] | None:
        """(signal, what happened) of what carries nothing any more after this frame; None: nothing happened."""
        self._now = frame.mono
        meters = self._meters.get(frame.device)
        if meters is None or not self._ours:
            return None
        meters.take(frame)
        for name, each in self._meters.items():
            for lost in each.empty():
                if not each.is_idle_allowed and self._is_ours(lost) and (text := self._said(name, lost)):
                    self._forget_lost(lost)
                    return lost.signal, text
        return self._never()

    def _never(self) -> tuple[str, str] | None:
        """(signal, what is wrong) of a rack that was switched on and has not taken anything since."""
        if self._is_started or not self._has_rack or self._now - max(self._ours.values()) < _NEVER_S:
            return None
        ours = [
            (m, each) for m in self._meters.values() for each in m.carriers if not each.is_bus and self._is_ours(each)
        ]
        if not ours or any(meters.is_idle_allowed for meters, _ in ours):
            return None
        self._is_started = True
        if any(each.nothing_since != each.nothing_since for _, each in ours):
            return None
        signal = ours[0][1].signal
        return (
            signal,
            f"{signal} has shown nothing for {_NEVER_S:g} s: nothing flows through what this run had set to on",
        )

    @property
    def is_pending(self) -> bool:
        """Whether something that carried load carries nothing now, and it is not known yet what that means."""
        return any(
            each.carried == each.carried and each.nothing_since == each.nothing_since and self._is_ours(each)
            for meters in self._meters.values()
            if not meters.is_idle_allowed
            for each in meters.carriers
        )

    def _said(self, device: str, lost: _Carrier) -> str:
        """What is to be reported of a loss; '' while it may be none."""
        if not lost.is_bus and (other := self._loaded(lost)):
            return _one(self._meters[device], lost, other)
        return _all(self._meters[device], lost) if self._is_all_dark(lost) else ""

    def _forget_lost(self, lost: _Carrier) -> None:
        """It is said once; what went dark with it is said with it."""
        for meters in self._meters.values():
            for each in meters.carriers:
                if each is lost or each.nothing_since == lost.nothing_since:
                    each.carried = math.nan

    def _is_ours(self, carrier: _Carrier) -> bool:
        """Whether what shows there hangs on switches of this run alone, and on one at least."""
        ours = [each for each in carrier.switches if each in self._ours]
        return bool(ours) and not any(self._is_on(*each) for each in carrier.switches if each not in self._ours)

    def _loaded(self, lost: _Carrier) -> str:
        """Something of this run that was seen to carry load after the loss; '' when there is nothing."""
        for meters in self._meters.values():
            for each in meters.carriers if meters.mono > lost.nothing_since else ():
                if each.is_loaded and not each.is_bus and self._is_ours(each):
                    return each.signal
        return ""

    def _is_all_dark(self, lost: _Carrier) -> bool:
        """Whether all that this run switched on carries nothing any more, which no rack does by itself."""
        if not lost.is_known or lost.left_at - self._lowered < _CARRIES_AFTER_S:
            dark_for = self._now - max(lost.nothing_since, self._lowered)
            if dark_for <= max(lost.lasts, _STARTS_WITHIN_S):
                return False
        carriers = [(meters, each) for meters in self._meters.values() for each in meters.carriers]
        if any((each.is_loaded or each.is_resting) and not each.is_bus and self._is_ours(each) for _, each in carriers):
            return False
        may_restart = any(role == "uut" and self._is_restart_expected(name) for name, role in self._roles.items())
        return not may_restart or self._now - lost.nothing_since > max(lost.lasts, _STARTS_WITHIN_S)


def _one(meters: _Meters, lost: _Carrier, other: str) -> str:
    now = meters.values[meters.carriers.index(lost)]
    device, control = lost.switches[0]
    what = f"{device}.{control}, which this run had set" if len(lost.switches) == 1 else "what this run had set"
    return (
        f"{lost.signal} went from {lost.carried:.4g} to {now:.3g} {lost.unit} while {other} still shows load: "
        f"nothing flows any more through {what} to on"
    )


def _all(meters: _Meters, lost: _Carrier) -> str:
    now = meters.values[meters.carriers.index(lost)]
    return (
        f"{lost.signal} went from {lost.carried:.4g} to {now:.3g} {lost.unit} and nothing of the rack shows load any "
        "more: nothing flows through what this run had set to on"
    )
