"""How the guardian reaches a station's devices by connections of its own, as JSON: addresses, protocol, credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.device.address import Address, parse_address, tls_options
from harness.device.credentials import secrets_of
from harness.device.device import Device
from harness.device.modbus.serial_line import line_settings
from harness.device.scpi.link import manners_of
from harness.schema.profile import ModbusProfile, Profile, RedfishProfile, ScpiProfile, SnmpProfile
from harness.transport.serial import silence


def connection(device: Device, replaced: str, base: Path) -> dict[str, Any]:
    """How the guardian connects to a device. `replaced` stands for the station file's address ('': that one counts)."""
    where = parse_address(replaced or device.entry.address)
    profile: Profile = device.profile
    entry: dict[str, Any] = {"protocol": profile.protocol, "timeout": profile.timeout, "address": str(where)}
    if isinstance(profile, ModbusProfile):
        entry |= _modbus(profile, where)
    elif isinstance(profile, SnmpProfile):
        options = profile.snmp
        entry |= {"host": where.host, "port": where.port, "max_oids": options.max_oids}
        entry |= {"any_source": options.any_source, "max_sets": options.max_sets}
        entry |= secrets_of("snmp", None if replaced else device.entry.credentials, base)
    elif isinstance(profile, RedfishProfile):
        entry |= {"host": where.host, "port": where.port, "tls": tls_options(where, base)}
        entry |= secrets_of("redfish", None if replaced else device.entry.credentials, base)
    else:
        assert isinstance(profile, ScpiProfile)
        entry |= {"resource": where.resource, "manners": asdict(manners_of(profile))}
    return entry


def referenced(entry: Mapping[str, Any], device: Device, replaced: str, base: Path) -> dict[str, Any]:
    """A connection with the place of its credentials instead of what they are."""
    ref = device.entry.credentials
    if ref is None or replaced:
        return dict(entry)
    secret = secrets_of(str(entry["protocol"]), None, base)
    kept = {key: value for key, value in entry.items() if key not in secret}
    return {**kept, "secret": str((base / ref.file).resolve())}


def _modbus(profile: ModbusProfile, where: Address) -> dict[str, Any]:
    line = line_settings(profile.modbus, where)
    gap = profile.modbus.min_gap
    return {
        "host": where.host,
        "port": where.port,
        "unit": where.unit if where.unit is not None else profile.modbus.unit,
        "framing": "tcp" if where.scheme == "modbus+tcp" else "rtu",
        "serial": line._asdict() if line is not None else None,
        "min_gap": max(gap, silence(line.baud)) if line is not None else gap,
        "pause": profile.modbus.pause_after_connect,
    }
