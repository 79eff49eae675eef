"""What switches carry: a relay that reads closed proves no power behind it, for a breaker or a feed may be open.

```
 switched on by this run, its outlet metered   -> carries something (a share of what the busiest carries)  -> known
 known, and now next to nothing                   while others go on                                       -> undone
```

An outlet is compared with the others at the same moment, not with its own past: when the load falls, or a rack starts
anew, all of them fall. When all of them are dark nothing is said here: the load that is gone says it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from harness.device.device import Device
from harness.device.points import ControlPoint
from harness.device.setting import Setting, puts_power_on
from harness.quantity import Frame, Quality

_COLUMNS = ("power", "current")
_LEAST = {"power": 100.0, "current": 0.5}
"""What the busiest of all must carry for the others to be compared with it, W and A."""
_CARRIES = 0.05
_DARK = 0.005
"""Shares of what the busiest carries: above the first an outlet carries something, below the second nothing."""
_KNOWN_AFTER_S = 10.0
"""Who has carried for so long is known to. Before, there may have been an inrush, and supplies that start later."""
_STARTS_WITHIN_S = 30.0
"""How long one that is not known to carry may be dark after it has carried once, seconds."""
_SAMPLES = 1.5
"""Polls (of slow meters: slow polls) after which a second sample has shown the same."""

Told = Callable[[str, str, float], None]


class Carried:
    """Watches what the switches carry that a run has switched on. `undone(control, what, time of the frame)`."""

    def __init__(self, devices: Mapping[str, Device], undone: Told) -> None:
        self._undone = undone
        banks = (_Bank(name, device) for name, device in devices.items())
        self._banks = {bank.device: bank for bank in banks if bank.names}

    def commanded(self, device: str, control: ControlPoint, setting: Setting) -> None:
        """A command of this run is about to leave."""
        bank = self._banks.get(device)
        if bank is not None and control.name in bank.places:
            bank.begin(bank.places[control.name], is_on=puts_power_on(control, setting))

    def after_frame(self, frame: Frame) -> None:
        """Look at a frame that the store has taken in."""
        bank = self._banks.get(frame.device)
        if bank is None or not bank.is_on.any():
            return
        others = any(each.is_lit for each in self._banks.values() if each is not bank)
        for place, shown in bank.lost(frame, is_lit_elsewhere=others):
            name = f"{frame.device}.{bank.names[place]}"
            text = f"{name} reads on, as this run had set it, but {shown}: a breaker, a lost feed, or what hangs on it"
            self._undone(name, text, frame.mono)


class _Bank:
    """The switches of one device whose outlets are metered by the same quantity."""

    def __init__(self, device: str, made: Device) -> None:
        self.device = device
        places = {info.name.partition(".")[2]: k for k, info in enumerate(made.signals)}
        switches = [point.name for point in made.expansion.controls.values() if point.spec.energises]
        self._column = next((c for c in _COLUMNS if any(f"{name}.{c}" in places for name in switches)), "")
        self.names = [name for name in switches if f"{name}.{self._column}" in places]
        self.places = {name: k for k, name in enumerate(self.names)}
        self._signals = [f"{name}.{self._column}" for name in self.names]
        self._index = np.array([places[signal] for signal in self._signals], dtype=np.intp)
        specs = [made.expansion.signals[signal].spec for signal in self._signals]
        self._every = made.entry.slow if any(spec.poll == "slow" for spec in specs) else made.entry.poll
        self._unit = specs[0].unit if specs else ""
        self.is_on = np.zeros(len(self.names), dtype=bool)
        self.is_lit = False
        """Whether anything is carried now."""
        self._reach = 0.0
        self._since = np.full(len(self.names), math.nan)
        """Since when each has carried something, up to `_last`."""
        self._last = np.full(len(self.names), math.nan)

    def begin(self, place: int, *, is_on: bool) -> None:
        """A switch is commanded: what it carried before counts no more."""
        self.is_on[place] = is_on
        self._since[place] = self._last[place] = math.nan

    def lost(self, frame: Frame, *, is_lit_elsewhere: bool) -> list[tuple[int, str]]:
        """Those that carry nothing any more, each once, with what they show."""
        values = np.abs(frame.values[self._index])
        counts = self.is_on & (frame.qualities[self._index] == Quality.GOOD)
        now = frame.mono
        reach = float(values[counts].max()) if counts.any() else 0.0
        self.is_lit = reach > _LEAST[self._column]
        if self.is_lit:
            self._reach = reach
        elif not is_lit_elsewhere:
            self._last[self.is_on & ~np.isnan(self._last)] = now  # all dark: not one outlet's own loss
            return []
        carries = counts & (values >= _CARRIES * self._reach) & self.is_lit
        self._since[carries & np.isnan(self._since)] = now
        self._last[carries] = now
        is_known = self._last - self._since >= _KNOWN_AFTER_S
        allowed = np.where(is_known, _SAMPLES * self._every, _STARTS_WITHIN_S)
        dark = counts & (values < _DARK * self._reach) & (now - self._last > allowed)
        places = [int(place) for place in np.flatnonzero(dark)]
        self.is_on[places] = False
        return [(k, f"{self.device}.{self._signals[k]} is {values[k]:.4g} {self._unit}".rstrip()) for k in places]
