"""Foreign control: a control whose state changes although this run did not command it.

```
 every frame: state of each control's confirming signal
   as before                                          -> nothing
   changed, and this run had just commanded that      -> the answer to the command, once
   changed otherwise                                  -> event `foreign control`
        ... to a state that energises the rack        -> trip: safe state
```

Words (on, off, auto) count from their first reading on. Quantities count only from this run's own confirmed command
to the next command to the same device: setpoints that a device's own logic moves are nobody's doing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.clock import Clock
from harness.device.confirm import agrees
from harness.device.device import Device, Setting
from harness.device.points import ControlPoint
from harness.engine.log import RunLog
from harness.engine.signals import SignalStore
from harness.quantity import Frame, Quality, Reading

_POLLS = 3
"""How many polls after the deadline of a confirmation a change still counts as an answer to our command."""
_STRAYED = 2
"""Consecutive samples outside the tolerance after which a quantity has changed."""

Unexpected = Callable[[str, str, float], None]
"""Called with (device.control, what happened, time of the frame) when something was energised unexpectedly."""


@dataclass(slots=True)
class _Watched:
    """One control and what is known of its state."""

    name: str
    control: ControlPoint
    index: int
    is_word: bool
    seen: tuple[float, str] | None = None
    wanted: Setting | None = None
    before: Setting | None = None
    """What this run commanded before that, while its answer may still be under way: `on`, cut short by `off`."""
    is_answered: bool = True
    """Whether a frame has shown what this run wanted; until then a change to it is the answer to our command."""
    until: float = 0.0
    """Until when the control may be on its way to what this run wanted."""
    strayed: int = 0


class ForeignControl:
    """Watches the confirming signals of all controls of a run."""

    def __init__(
        self, devices: Mapping[str, Device], store: SignalStore, clock: Clock, log: RunLog, unexpected: Unexpected
    ) -> None:
        self._store = store
        self._clock = clock
        self._log = log
        self._unexpected = unexpected
        self._poll = {name: device.entry.poll for name, device in devices.items()}
        self._watched: dict[str, list[_Watched]] = {}
        self._words: dict[str, npt.NDArray[np.intp]] = {}
        self._last: dict[str, tuple[bytes, bytes, Mapping[int, str]]] = {}
        for name, device in devices.items():
            places = {info.name: k for k, info in enumerate(device.signals)}
            found = []
            for control in device.expansion.controls.values():
                index = places.get(f"{name}.{control.confirm_by}") if control.confirm_by else None
                if index is not None:
                    is_word = bool(control.spec.commands or getattr(control.spec, "texts", None))
                    found.append(_Watched(f"{name}.{control.name}", control, index, is_word))
            self._watched[name] = found
            self._words[name] = np.array([each.index for each in found if each.is_word], dtype=np.intp)

    def commanded(self, device: str, control: ControlPoint, setting: Setting) -> None:
        """A command of this run is about to leave."""
        confirm = control.spec.confirm
        within = confirm.within + confirm.delay if confirm is not None else 0.0
        for each in self._watched.get(device, ()):
            if each.control is control or each.control.name == control.name:
                each.before = None if each.is_answered else each.wanted
                each.wanted, each.is_answered = setting, False
                each.until = self._clock.monotonic() + within + 5.0 + _POLLS * self._poll[device]
                each.strayed = 0
            elif not each.is_word:
                each.wanted = None

    def after_frame(self, frame: Frame) -> None:
        """Look at a frame that the store has taken in."""
        watched = self._watched.get(frame.device)
        if not watched:
            return
        words = self._words[frame.device]
        state_now = frame.values[words].tobytes(), frame.qualities[words].tobytes(), frame.texts
        if state_now == self._last.get(frame.device):  # as it nearly always is: only quantities may have moved
            watched = [each for each in watched if each.wanted is not None and not each.is_word]
        self._last[frame.device] = state_now
        for each in watched:
            if frame.qualities[each.index] != Quality.GOOD:
                continue
            if not each.is_word:
                if each.wanted is not None:
                    self._quantity(each, frame)
                continue
            state = (float(frame.values[each.index]), frame.texts.get(each.index, ""))
            if state == each.seen or (state[1] and each.seen is not None and state[1] == each.seen[1]):
                continue
            before, each.seen = each.seen, state
            self._changed(each, frame, is_first=before is None)

    def _changed(self, each: _Watched, frame: Frame, *, is_first: bool) -> None:
        reading = self._reading(each)
        if not each.is_answered and each.wanted is not None and self._agrees(each, each.wanted, reading):
            each.is_answered, each.before = True, None
            return
        if each.before is not None and frame.mono < each.until and self._agrees(each, each.before, reading):
            each.before = None
            return
        if is_first:
            return
        self._tell(each, reading)
        if each.control.spec.energises and self._agrees(each, Setting(word="on"), reading):
            self._unexpected(each.name, f"{each.name} was switched on by somebody else", frame.mono)

    def _quantity(self, each: _Watched, frame: Frame) -> None:
        assert each.wanted is not None
        reading = self._reading(each)
        if self._agrees(each, each.wanted, reading):
            each.strayed, each.until = 0, min(each.until, frame.mono)
        elif frame.mono > each.until:
            each.strayed += 1
            if each.strayed == _STRAYED:
                self._tell(each, reading)
                each.wanted = None

    def _reading(self, each: _Watched) -> Reading:
        device = each.name.partition(".")[0]
        return self._store.latest(f"{device}.{each.control.confirm_by}")

    @staticmethod
    def _agrees(each: _Watched, setting: Setting, reading: Reading) -> bool:
        return agrees(each.control, setting, reading)

    def _tell(self, each: _Watched, reading: Reading) -> None:
        unit = each.control.spec.unit
        ours = f", this run set it to {each.wanted.show(unit)}" if each.wanted is not None else ""
        self._log.tell(
            "foreign control",
            f"{each.name} is {reading}{ours}: changed without a command of this run",
            control=each.name,
            found=str(reading),
        )
