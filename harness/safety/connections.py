"""How the guardian reaches a station's devices by connections of its own, as JSON: addresses, protocol, credentials."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.device.address import parse_address
from harness.device.device import Device
from harness.device.protocol import protocol


def connection(device: Device, replaced: str, base: Path) -> dict[str, Any]:
    """How the guardian connects to a device. `replaced` stands for the station file's address ('': that one counts)."""
    where = parse_address(replaced or device.entry.address)
    spoken = protocol(device.profile.protocol)
    entry: dict[str, Any] = {
        "protocol": spoken.name,
        "channel": spoken.channel,
        "timeout": device.profile.timeout,
        "address": str(where),
        "is_exclusive": where.wire == "line",
        "max_batch": 1,
        **spoken.part("connection")(device.profile, where, base),
    }
    if spoken.credentials:
        entry |= spoken.part("credentials")(None if replaced else device.entry.credentials, base)
    return entry


def referenced(entry: Mapping[str, Any], device: Device, replaced: str, base: Path) -> dict[str, Any]:
    """A connection with the place of its credentials instead of what they are."""
    spoken, ref = protocol(device.profile.protocol), device.entry.credentials
    if ref is None or replaced or not spoken.credentials:
        return dict(entry)
    secret = spoken.part("credentials")(None, base)
    kept = {key: value for key, value in entry.items() if key not in secret}
    return {**kept, "secret": str((base / ref.file).resolve()), "secret_by": spoken.credentials}
