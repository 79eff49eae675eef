"""How the guardian reaches a station's devices by connections of its own, as JSON: addresses, protocol, credentials."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.device.address import parse_address
from harness.device.device import Device
from harness.device.protocol import Protocol, protocol


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
        **_given(spoken, "connection", device.profile, where, base),
    }
    if spoken.credentials:
        entry |= _given(spoken, "credentials", None if replaced else device.entry.credentials, base)
    return entry


def _given(spoken: Protocol, part: str, *asked: Any) -> Mapping[str, Any]:
    """What a part gives: a table that the guardian can be handed as JSON. ConfigError when it is none."""
    found: Any = spoken.part(part)(*asked)
    try:
        if isinstance(found, Mapping) and json.dumps(found, allow_nan=False):
            return found
    except (TypeError, ValueError):
        pass
    raise spoken.failed(f"its {part} gives {type(found).__name__} for a table of texts and numbers")


def referenced(entry: Mapping[str, Any], device: Device, replaced: str, base: Path) -> dict[str, Any]:
    """A connection with the place of its credentials instead of what they are."""
    spoken, ref = protocol(device.profile.protocol), device.entry.credentials
    if ref is None or replaced or not spoken.credentials:
        return dict(entry)
    secret = _given(spoken, "credentials", None, base)
    kept = {key: value for key, value in entry.items() if key not in secret}
    return {**kept, "secret": str((base / ref.file).resolve()), "secret_by": spoken.credentials}
