"""What went while the running step allows for a restart (`restart_on`): gone with the restart, or undone by somebody.

```
 lost, no restart seen yet     the device may answer for `within` (of `restart_on`) until it shows one; then: undone
 lost, restart seen            quantities are set again by the step, once they can be read; what is not back within
                               `_BACK_WITHIN_S`: undone
 back                          nothing happened, but the step's clock began again
```

A device that is silent shows nothing, so its silence uses none of that up; how long it may be silent says `grace`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.device.device import Device
from harness.device.points import ControlPoint
from harness.device.setting import Setting
from harness.quantity import Frame

_BACK_WITHIN_S = 900.0
"""How long what a restart took away may stay away, seconds."""
_POLLS = 3
"""How many polls may lie between two frames of a device that answers."""

Allowed = Callable[[str], float]
"""Called with a device: how long a restart of it may take to show, seconds; 0: the running step allows for none."""
Report = Callable[[str, str, float], None]
"""Called with (device.control, what happened, time of the frame)."""


@dataclass(slots=True)
class Loss:
    """Something that this run had set and that is gone."""

    control: ControlPoint
    setting: Setting
    text: str
    since: float
    waited: float = 0.0
    """For how long the device has answered since, seconds."""
    is_set_again: bool = False


class Losses:
    """Keeps what is lost until it is explained, back, or undone."""

    def __init__(self, devices: Mapping[str, Device], allowed: Allowed, undone: Report) -> None:
        self._polls = {name: device.entry.poll for name, device in devices.items()}
        self._allowed = allowed
        self._undone = undone
        self._lost: dict[str, dict[str, Loss]] = {}
        """Device -> what is lost of it, by its full name."""
        self._restarted: dict[str, float] = {}
        self._heard: dict[str, float] = {}

    def __bool__(self) -> bool:
        return bool(self._lost)

    def of(self, device: str) -> dict[str, Loss]:
        """What is lost of a device, by `device.control`."""
        return self._lost.get(device, {})

    def lose(self, name: str, loss: Loss) -> None:
        """Something is gone. Undone at once, unless a restart of its device may explain it."""
        device = name.partition(".")[0]
        if self._allowed(device):
            self._lost.setdefault(device, {}).setdefault(name, loss)
        else:
            self._undone(name, loss.text, loss.since)

    def back(self, name: str) -> None:
        """It is there again, or this run has set it to something else."""
        device = name.partition(".")[0]
        self.of(device).pop(name, None)
        if not self.of(device):
            self._lost.pop(device, None)

    def restarted(self, device: str, now: float) -> None:
        """A restart that the running step allows for was seen."""
        self._restarted[device] = now

    def to_set_again(self) -> list[tuple[str, Loss]]:
        """(device, loss) of the quantities that a restart took away and that have not been set again since."""
        return [
            (device, loss)
            for device, losses in self._lost.items()
            for loss in losses.values()
            if not loss.setting.word and not loss.is_set_again and self._is_explained(device, loss)
        ]

    def after_frame(self, frame: Frame) -> None:
        """Look whether what is lost of the frame's device has been lost for too long."""
        device, now = frame.device, frame.mono
        losses = self._lost.get(device)
        if not losses:
            self._heard.pop(device, None)
            return
        passed = 0.0
        if not frame.qualities.all():  # something is GOOD, which is 0
            passed = now - self._heard.get(device, math.inf)
            self._heard[device] = now
        for name, loss in list(losses.items()):
            if 0.0 < passed <= _POLLS * self._polls[device]:
                loss.waited += passed
            if why := self._undone_because(device, loss, now):
                self.back(name)
                self._undone(name, f"{loss.text}; {why}", now)

    def _undone_because(self, device: str, loss: Loss, now: float) -> str:
        """Why a loss is not excused any longer, in words; '' while it is."""
        allowed = self._allowed(device)
        if not allowed:
            return "the step that allowed for a restart is over"
        if self._is_explained(device, loss):
            late = now - self._restarted[device] > _BACK_WITHIN_S
            return f"it did not come back within {_BACK_WITHIN_S:g} s of the restart" if late else ""
        if loss.waited > allowed or now - loss.since > _BACK_WITHIN_S:
            return f"{device} has shown no restart that explains it within {allowed:g} s"
        return ""

    def _is_explained(self, device: str, loss: Loss) -> bool:
        seen = self._restarted.get(device, -math.inf)
        return seen > loss.since - self._allowed(device)
