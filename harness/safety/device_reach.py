"""The runner's way to its own devices, for a safe state: one after the other on a shared line, beside their polls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.device.device import Device
from harness.device.setting import resolve_setting
from harness.device.wire import Read
from harness.safety.actions import Put


class DeviceReach:
    """Carries a compiled safe state out on open devices (see `harness.safety.sequence.Reach`)."""

    def __init__(self, devices: Mapping[str, Device]) -> None:
        self._devices = devices

    def max_batch(self, device: str) -> int:
        """How many switches one message may switch off."""
        return self._devices[device].max_batch

    def doubt(self, device: str) -> None:
        """From now on one by one."""
        self._devices[device].is_doubted = True

    async def send(self, puts: Sequence[Put]) -> None:
        """Send the commands; see `Device.send`."""
        device = self._devices[puts[0].device]
        controls = [device.expansion.controls[put.control] for put in puts]
        wanted = [(control, resolve_setting(control, put.to)) for control, put in zip(controls, puts, strict=True)]
        await device.send(wanted, [command for put in puts for command in put.commands])

    async def look(self, device: str, reads: Sequence[Read]) -> Sequence[float | str]:
        """Read now; see `Device.look`."""
        return await self._devices[device].look(reads)
