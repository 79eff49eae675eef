"""Feeds that go while a run needs them: the voltage that a PDU measures at its own inlet.

```
 phase[1].voltage was there in this run, and reads less than half of it in two frames running -> the feed is lost
```

It shows at once, also where nothing was loaded yet, and says what no current can: that not the rack has stopped
taking. A station that switches feeds itself (a relay before a PDU) is left alone: there a feed may go by a command.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from harness.device.device import Device
from harness.quantity import Frame

_LOST = 0.5
"""Share of what a feed showed below which it is lost: a sag that supplies ride through is none."""
_FRAMES = 2
_INLETS = ("phase[", "input[", "input.")
_PDU = "pdu"


@dataclass(slots=True)
class _Inlet:
    signal: str
    index: int
    unit: str
    most: float = 0.0
    low: int = 0
    is_told: bool = False


class Feeds:
    """Watches the inlets of the PDUs of a run."""

    def __init__(self, devices: Mapping[str, Device]) -> None:
        self._inlets: dict[str, list[_Inlet]] = {}
        others = [each for each in devices.values() if each.profile.class_ != _PDU and each.entry.role != "uut"]
        if any(point.spec.energises for each in others for point in each.expansion.controls.values()):
            return
        for name, device in devices.items():
            if device.profile.class_ == _PDU:
                self._inlets[name] = [
                    _Inlet(info.name, k, info.unit)
                    for k, info in enumerate(device.signals)
                    if info.unit == "V"
                    and info.name.removeprefix(f"{name}.").startswith(_INLETS)
                    and info.name.endswith(".voltage")
                ]

    def sees(self, device: str) -> bool:
        """Whether a lost feed would show in a device."""
        return bool(self._inlets.get(device))

    def after_frame(self, frame: Frame) -> tuple[str, str] | None:
        """(signal, what happened) of a feed that is lost since this frame; None: nothing happened."""
        for inlet in self._inlets.get(frame.device, ()):
            if frame.qualities[inlet.index]:
                continue
            volts = float(frame.values[inlet.index])
            if not math.isfinite(volts):
                continue
            inlet.most = max(inlet.most, volts)
            inlet.low = inlet.low + 1 if volts < _LOST * inlet.most else 0
            if inlet.low == 0:
                inlet.is_told = False
            elif inlet.low >= _FRAMES and not inlet.is_told:
                inlet.is_told = True
                shown = f"{inlet.signal} went from {inlet.most:.4g} to {volts:.3g} {inlet.unit}"
                return inlet.signal, f"{shown}: the feed of what this run had set is lost"
        return None
