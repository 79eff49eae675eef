"""How a device on Modbus is reached, by the runner and by its guardian."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.device.address import ONE_SETTING, Address
from harness.device.link import LinkRequest
from harness.device.modbus.link import ModbusLink
from harness.device.modbus.serial_line import LineSettings, line_settings
from harness.errors import ConfigError
from harness.schema.profiles.modbus import ModbusProfile
from harness.transport.modbus import ModbusPool
from harness.transport.serial import silence


class _Buses:
    """What the devices of one station have in common: connections, and how each serial line is set."""

    def __init__(self, request: LinkRequest) -> None:
        self.pool = ModbusPool(request.network)
        self._lines: dict[str, LineSettings] = {}

    def line(self, profile: ModbusProfile, where: Address) -> LineSettings | None:
        """The settings of a serial line: one setting a line."""
        settings = line_settings(profile, where)
        if settings is None:
            return None
        known = self._lines.setdefault(where.host, settings)
        if known != settings:
            raise ConfigError(
                f"{where}: the line runs at {known} for another unit, this one needs {settings}", hint=ONE_SETTING
            )
        return settings


def make_link(request: LinkRequest) -> ModbusLink:
    """The link of one device; units behind one address share a connection."""
    if "modbus" not in request.shared:
        request.shared["modbus"] = _Buses(request)
    buses: _Buses = request.shared["modbus"]
    profile: ModbusProfile = request.profile
    where, options = request.where, profile.modbus
    line = buses.line(profile, where)
    client = buses.pool.shared(
        where.host,
        where.port,
        framing=_framing(where),
        timeout=profile.timeout,
        min_gap=max(options.min_gap, silence(line.baud)) if line is not None else options.min_gap,
        pause_after_connect=options.pause_after_connect,
        network=line.network() if line is not None else None,
    )
    unit = where.unit if where.unit is not None else options.unit
    return ModbusLink(profile, request.expansion, client, unit, buses.pool.release, buses.pool.users)


def connection(profile: ModbusProfile, where: Address, base: Path) -> dict[str, Any]:  # noqa: ARG001 (no file is named)
    """What `channel.connect` needs to know."""
    line = line_settings(profile, where)
    gap = profile.modbus.min_gap
    return {
        "host": where.host,
        "port": where.port,
        "unit": where.unit if where.unit is not None else profile.modbus.unit,
        "framing": _framing(where),
        "serial": line._asdict() if line is not None else None,
        "min_gap": max(gap, silence(line.baud)) if line is not None else gap,
        "pause": profile.modbus.pause_after_connect,
    }


def _framing(where: Address) -> Any:
    return "tcp" if where.scheme == "modbus+tcp" else "rtu"
