"""How the guardian reaches a station's devices by connections of its own, as JSON: addresses, protocol, credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.device.address import Address, parse_address, tls_options
from harness.device.credentials import redfish_credentials, snmp_credentials
from harness.device.device import Device
from harness.schema.profile import ModbusProfile, Profile, RedfishProfile, ScpiProfile, SnmpProfile


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
        credentials = snmp_credentials(None if replaced else device.entry.credentials, base)
        entry["credentials"] = {
            "version": credentials.version,
            "community": credentials.community.reveal(),
            "user": credentials.user,
            "auth_protocol": credentials.auth_protocol,
            "auth_key": credentials.auth_key.reveal(),
            "priv_protocol": credentials.priv_protocol,
            "priv_key": credentials.priv_key.reveal(),
            "context": credentials.context,
        }
    elif isinstance(profile, RedfishProfile):
        proof = redfish_credentials(None if replaced else device.entry.credentials, base)
        entry |= {"host": where.host, "port": where.port, "tls": tls_options(where, base)}
        entry |= {"user": proof.user, "password": proof.password.reveal(), "uses_session": proof.uses_session}
    else:
        assert isinstance(profile, ScpiProfile)
        entry["resource"] = where.resource
    return entry


def _modbus(profile: ModbusProfile, where: Address) -> dict[str, Any]:
    return {
        "host": where.host,
        "port": where.port,
        "unit": where.unit if where.unit is not None else profile.modbus.unit,
        "framing": "tcp" if where.scheme == "modbus+tcp" else "rtu",
        "serial": dict(where.options) if where.scheme == "modbus+rtu" else None,
        "min_gap": profile.modbus.min_gap,
        "pause": profile.modbus.pause_after_connect,
    }
