"""Compiled commands and reads over SNMP."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.device.wire import Command, Read, number_of, scaled
from harness.quantity import UNITS, convert
from harness.secret import Secret
from harness.spelling import unit_as_written
from harness.transport.network import SocketNetwork
from harness.transport.snmp import Kind, SnmpClient, SnmpCredentials, VarBind

_NUMBERS = (Kind.INTEGER, Kind.COUNTER32, Kind.GAUGE32, Kind.TIMETICKS, Kind.COUNTER64, Kind.OPAQUE)


class SnmpChannel:
    """An agent."""

    def __init__(self, client: SnmpClient) -> None:
        self._client = client

    async def open(self) -> None:
        """See whether the agent answers."""
        await self._client.open()

    async def close(self) -> None:
        """Close the socket."""
        await self._client.close()

    async def send(self, command: Command) -> None:
        """SET one object."""
        await self._client.set(*_object(command))

    async def send_batch(self, commands: Sequence[Command]) -> None:
        """SET several objects with one message."""
        await self._client.set_many([_object(command) for command in commands])

    async def read(self, reads: Sequence[Read]) -> list[float | str]:
        """GET all objects that the reads need."""
        places = [(read.oid, *read.join, *read.status) for read in reads]
        binds = iter(await self._client.get([oid for place in places for oid in place]))
        return [_of_snmp(read, [next(binds) for _ in place]) for read, place in zip(reads, places, strict=True)]


def connect(name: str, entry: Mapping[str, Any], shared: dict[Any, Any]) -> SnmpChannel:  # noqa: ARG001
    """A channel as a connection says (see `safety.connections`)."""
    given = dict(entry["credentials"])
    for key in ("community", "auth_key", "priv_key"):
        given[key] = Secret(given[key])
    client = SnmpClient(
        SocketNetwork(),
        entry["host"],
        entry["port"],
        SnmpCredentials(**given),
        name=name,
        timeout=entry["timeout"],
        max_oids=entry["max_oids"],
        any_source=entry["any_source"],
    )
    return SnmpChannel(client)


def _object(command: Command) -> tuple[str, Kind, int | bytes]:
    kind = Kind(command.kind)
    return command.oid, kind, command.text.encode() if kind is Kind.OCTET_STRING else command.words[0]


def _of_snmp(read: Read, binds: Sequence[VarBind]) -> float | str:
    status = binds[len(binds) - len(read.status) :]
    binds = binds[: len(binds) - len(read.status)]
    first = binds[0]
    if any(bind.problem for bind in binds) or not is_valid(status, read.accepted):
        return "" if read.is_text else math.nan
    if read.is_text:
        return cut(":".join(_snmp_text(bind, read.type) for bind in binds), *read.between)
    value = first.value
    if first.is_missing or value is None:
        return math.nan
    if read.type == "sum":
        numbers = [bind.value for bind in binds if bind.kind in _NUMBERS and bind.value not in read.sentinels]
        total = sum(number for number in numbers if isinstance(number, int | float))
        return scaled(read, float(total)) if len(numbers) == len(binds) else math.nan
    if read.type == "decibels":
        watts = read.factor * value if isinstance(value, int | float) and value not in read.sentinels else 0.0
        decibels = 10.0 * math.log10(1000.0 * watts) if watts > 0.0 else math.nan
        return decibels if read.low <= decibels <= read.high else math.nan
    if read.type == "decimal_text" and isinstance(value, bytes):
        return scaled(read, decimal(value, read.suffix, read.factor, read.offset))
    if isinstance(value, int | float) and first.kind in _NUMBERS:
        return scaled(read, float(value))
    return math.nan


def decimal(data: bytes, unit: str, scale: float, offset: float = 0.0) -> float:
    """A number that is written as a text, NaN when it is none for certain. NUL at its end is no part of it.

    Behind it may stand the unit that a raw value has by the profile: `offset + scale * raw` is in `unit`.
    """
    number, *rest = data.decode("latin-1").rstrip("\0").split(None, 1) or [""]
    if not rest:
        return number_of(number)
    found = unit_as_written(rest[0].strip(), UNITS)
    if not found or not unit or UNITS[found].kind != UNITS[unit].kind:
        return math.nan
    zero, one = convert(0.0, found, unit), convert(1.0, found, unit)
    is_meant = math.isclose(one - zero, scale, rel_tol=1e-6) and math.isclose(zero, offset, abs_tol=1e-6)
    return number_of(number) if is_meant else math.nan


def is_valid(status: Sequence[VarBind], accepted: Sequence[str]) -> bool:
    """What the objects beside a value say of it; one that the agent does not have says nothing."""
    said = [each for each in status if not (each.is_missing or each.kind is Kind.NULL)]
    return all(not each.problem and _snmp_text(each, "text") in accepted for each in said)


def cut(text: str, start: str, end: str) -> str:
    """The part of a text between two marks ('': its beginning, its end); the whole when the first is not found."""
    rest = text.partition(start)[2] if start else text
    if start and start not in text:
        return text
    return (rest.partition(end)[0] if end else rest).strip()


def _snmp_text(bind: VarBind, kind: str) -> str:
    value = bind.value
    if isinstance(value, bytes):
        if kind == "octets":
            return ":".join(f"{byte:02x}" for byte in value)
        return value.decode("utf-8", "replace").rstrip("\0").strip()
    return "" if value is None else str(value)
