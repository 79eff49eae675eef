"""Where a point of a profile is in its device, and what cannot be there."""

from __future__ import annotations

from typing import cast

from harness.device.points import Expansion
from harness.schema.profiles.modbus import ModbusControl, ModbusProfile, ModbusSignal


def modbus_address(profile: ModbusProfile, spec: ModbusSignal | ModbusControl, row: int) -> int:
    """The protocol address (0-based) of a point in its row."""
    return spec.address - profile.modbus.address_base + (spec.stride or spec.words_long) * max(0, row - 1)


def problems(profile: ModbusProfile, expansion: Expansion) -> list[tuple[tuple[str | int, ...], str]]:
    """(location, message) of each."""
    found: list[tuple[tuple[str | int, ...], str]] = []
    for name, signal in expansion.signals.items():
        spec = cast("ModbusSignal", signal.spec)
        if spec.scale_from and spec.scale_from not in expansion.signals:
            found.append((("signals", name), f"{name}: scale_from {spec.scale_from!r} is no signal here"))
        address = modbus_address(profile, spec, signal.row)
        if not 0 <= address <= 65536 - spec.words_long:
            found.append((("signals", name), f"{name}: address {address} is outside 0 to 65535"))
    return found
