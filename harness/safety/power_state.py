"""What is on right now: the switches of a station, read afresh from the devices that answer. Nothing is commanded."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping
from dataclasses import dataclass

from harness.clock import Clock
from harness.device.confirm import agrees
from harness.device.device import Device
from harness.device.points import ControlPoint
from harness.device.setting import Setting
from harness.errors import HarnessError

READ_WITHIN_S = 3.0
"""Longest wait for the switches of one device, seconds; all devices are asked at the same time."""
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Switches:
    """The switches that energise something, by `device.control`."""

    on: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    """Those that did not tell."""

    def __str__(self) -> str:
        parts = [
            f"{_listed(self.on)} on" if self.on else "",
            f"{_listed(self.unknown)} unknown" if self.unknown else "",
        ]
        return ", ".join(part for part in parts if part) or "no switch is on"


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more} {'is' if len(names) == 1 else 'are'}"


def switches_of(device: Device) -> list[ControlPoint]:
    """What of a device puts power on the rack; of a bank, the rows that this device has."""
    found = device.expansion
    return [point for point in found.controls.values() if point.spec.energises and point.name not in found.absent]


async def read_switches(devices: Mapping[str, Device], clock: Clock, stays_on: Container[str] = ()) -> Switches:
    """Read every switch that puts power on the rack but those that stay on; never raises for what devices do."""
    parts = await asyncio.gather(*(_of(device, clock) for device in devices.values()))
    return Switches(
        tuple(name for part in parts for name in part.on if name not in stays_on),
        tuple(name for part in parts for name in part.unknown if name not in stays_on),
    )


async def _of(device: Device, clock: Clock) -> Switches:
    points = [point for point in switches_of(device) if point.spec.confirm is not None]
    if not points:
        return Switches()
    try:
        async with clock.timeout(READ_WITHIN_S):
            readings = await device.read([point.confirm_by for point in points])
    except (HarnessError, TimeoutError):
        return Switches(unknown=tuple(f"{device.name}.{point.name}" for point in points))
    pairs = list(zip(points, readings, strict=True))
    on = [point for point, reading in pairs if agrees(point, Setting(word="on"), reading)]
    unknown = [point for point, reading in pairs if not reading.is_good]
    return Switches(
        tuple(f"{device.name}.{point.name}" for point in on), tuple(f"{device.name}.{point.name}" for point in unknown)
    )
