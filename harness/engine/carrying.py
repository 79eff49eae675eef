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
```

Loaded is 0.5 A or 100 W and more, nothing is less than a tenth of that: supplies without load take more, and trays on
standby do. Where they may not (`outlets_may_idle` of the station's device), nothing is concluded. All of it begins anew
with a command of this run that can empty an outlet: to the switch itself, or a word to the rack (`trays: off`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.clock import Clock
from harness.device.device import Device
from harness.device.points import LOADED, ControlPoint
from harness.device.setting import Setting, puts_power_on
from harness.quantity import Frame, Quality

_NOTHING = 0.1
"""Share of what counts as loaded below which nothing is carried."""
_CARRIES_AFTER_S = 10.0
"""How long something must be loaded until it is known to carry load, seconds: longer than inrush and first spin-up."""
_GONE_WITHIN_S = 10.0
"""How long the way from loaded to nothing may take, seconds: a breaker is at once and some meters average, but what
took a little for a long time has switched itself off."""
_STARTS_WITHIN_S = 30.0
"""How long one that was loaded for less may carry nothing until it does, seconds: supplies that start again."""

IsOn = Callable[[str, str], bool]
"""Called with (device, control): whether a switch reads `on`, whoever switched it on."""


@dataclass(slots=True)
class _Carrier:
    """A signal that shows what one switch carries, or several together (a phase, a bank)."""

    signal: str
    index: int
    unit: str
    lasts: float
    """How long nothing must have been seen, seconds: a slow signal shows one reading in many frames."""
    switches: list[str] = field(default_factory=list)
    """The controls whose load it is, by their names on the device."""
    loaded_since: float = math.nan
    left_at: float = math.nan
    nothing_since: float = math.nan
    carried: float = math.nan
    """What it carried last; NaN: it did not."""
    is_known: bool = False
    """Whether it carried that for long enough since it was switched on."""


class _Meters:
    """The carriers of one device, and what its last frame showed of them."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.carriers = list(_carriers_of(device))
        self.places = np.array([each.index for each in self.carriers], dtype=np.intp)
        self.least = np.array([LOADED[each.unit] for each in self.carriers])
        self.values: npt.NDArray[np.float64] = np.zeros(len(self.carriers))
        self.pattern = b""
        self.mono = -math.inf
        self.is_idle_allowed = device.entry.outlets_may_idle

    def take(self, frame: Frame) -> None:
        """What a frame shows. Nearly always it is what the one before had shown, and only the time goes on."""
        values = np.abs(frame.values[self.places])
        is_good = frame.qualities[self.places] == Quality.GOOD
        is_loaded = is_good & (values >= self.least)
        is_nothing = is_good & (values < _NOTHING * self.least)
        pattern = is_loaded.tobytes() + is_nothing.tobytes()
        if pattern != self.pattern:
            for k, each in enumerate(self.carriers):
                self._turn(each, frame.mono, k, is_loaded=bool(is_loaded[k]), is_nothing=bool(is_nothing[k]))
        self.pattern, self.values, self.mono = pattern, values, frame.mono

    def _turn(self, each: _Carrier, now: float, place: int, *, is_loaded: bool, is_nothing: bool) -> None:
        if is_loaded:
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

    def forget(self, switch: str = "") -> None:
        """What a switch (all of them: '') carried says nothing about what it must carry from now on."""
        self.pattern = b""
        for each in self.carriers:
            if not switch or switch in each.switches:
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
    found: dict[str, _Carrier] = {}
    for control in device.expansion.controls.values():
        for name in control.shown_by if control.spec.energises and control.name not in device.expansion.absent else ():
            if name in places:
                info, point = device.signals[places[name]], device.points[places[name]]
                lasts = device.entry.slow if point.spec.poll == "slow" else 0.0
                carrier = found.setdefault(name, _Carrier(info.name, places[name], info.unit, lasts))
                carrier.switches.append(control.name)
    yield from found.values()


class Carrying:
    """Watches what the switches of a run carry."""

    def __init__(self, devices: Mapping[str, Device], clock: Clock, is_on: IsOn) -> None:
        self._clock = clock
        self._is_on = is_on
        self._roles = {name: device.entry.role for name, device in devices.items()}
        self._meters = {name: meters for name, device in devices.items() if (meters := _Meters(device)).carriers}
        self._ours: set[tuple[str, str]] = set()
        """(device, control) that this run has switched on."""

    def commanded(self, device: str, control: ControlPoint, setting: Setting) -> None:
        """A command of this run is about to leave."""
        if not control.spec.energises:
            if setting.word and self._roles[device] == "uut":
                for meters in self._meters.values():
                    meters.forget()
            return
        key, is_on = (device, control.name), puts_power_on(control, setting)
        if device in self._meters and not (setting.word == "on" and key in self._ours):
            self._meters[device].forget(control.name)
        (self._ours.add if is_on else self._ours.discard)(key)

    def after_frame(self, frame: Frame) -> tuple[str, str] | None:
        """(signal, what happened) of what carries nothing any more after this frame; None: nothing happened."""
        meters = self._meters.get(frame.device)
        if meters is None or not self._ours:
            return None
        meters.take(frame)
        for name, each in self._meters.items():
            for lost in each.empty():
                if not each.is_idle_allowed and self._is_ours(name, lost) and (other := self._loaded(lost)):
                    text = _said(each, lost, other)
                    lost.carried = math.nan  # it is said once
                    return lost.signal, text
        return None

    def _is_ours(self, device: str, carrier: _Carrier) -> bool:
        """Whether what shows there hangs on switches of this run alone, and on one at least."""
        ours = [name for name in carrier.switches if (device, name) in self._ours]
        return bool(ours) and not any(self._is_on(device, name) for name in carrier.switches if name not in ours)

    def _loaded(self, lost: _Carrier) -> str:
        """Something of this run that was seen to carry load after the loss; '' when there is nothing."""
        for name, meters in self._meters.items():
            for each in meters.carriers if meters.mono > lost.nothing_since else ():
                if each.loaded_since == each.loaded_since and self._is_ours(name, each):
                    return each.signal
        return ""


def _said(meters: _Meters, lost: _Carrier, other: str) -> str:
    now = meters.values[meters.carriers.index(lost)]
    switch = f"{meters.device.name}.{lost.switches[0]}"
    what = f"{switch}, which this run had set" if len(lost.switches) == 1 else "what this run had set"
    return (
        f"{lost.signal} went from {lost.carried:.4g} to {now:.3g} {lost.unit} while {other} still shows load: "
        f"nothing flows any more through {what} to on"
    )
