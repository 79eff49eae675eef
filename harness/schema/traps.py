"""Where SNMP traps of a station's devices come in."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from harness.schema.fields import FileRef, Model, StrictText


class TrapUser(Model):
    """As whom devices may send traps."""

    credentials: FileRef
    engine_id: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{10,64})?$")] = ""
    """SNMP v3: the engine ID of the sender in hexadecimal digits, without 0x."""


class Traps(Model):
    """Where SNMP traps and informs of the station's devices are received; they become events of the run.

    However many come, the journal takes 100 at once and 5 a second of the station's devices (strangers: 1 a second
    together), and the screen and the report 20 and one a minute; what is left out is counted.
    """

    listen: StrictText
    """`ADDRESS:PORT`, e.g. `0.0.0.0:10162`."""
    users: tuple[TrapUser, ...]

    @field_validator("listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if not (host and colon and port.isascii() and port.isdigit() and 0 < int(port) <= 65535):
            raise ValueError(f"{value!r} must be ADDRESS:PORT, e.g. 0.0.0.0:10162")
        return value
