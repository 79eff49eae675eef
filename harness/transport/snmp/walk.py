"""Walking a subtree by GETBULK, with every guard that walking needs."""

from __future__ import annotations

import asyncio
from functools import partial

from harness.errors import ConfigError, ProtocolViolationError, RefusedError, UnreachableError
from harness.transport.snmp.ber import BerError, decode_varbinds, encode_integer, encode_oid, encode_varbinds
from harness.transport.snmp.exchange import Exchange, SilentError
from harness.transport.snmp.message import Pdu, PduType
from harness.transport.snmp.types import Kind, VarBind

_NULL = b"\x05\x00"
LONGEST_S = 120.0
"""Longest walk, seconds: an agent that answers each request just in time would keep one going for an hour."""
_SHRINK = ("tooBig", "genErr", "resourceUnavailable")
"""Refusals after which fewer rows may work (snmpd answers genErr in v3 where tooBig is meant)."""


def _parts(oid: str) -> tuple[int, ...]:
    return tuple(map(int, oid.split(".")))


def _next_pdu(after: str, repetitions: int) -> Pdu:
    """GETBULK for the `repetitions` objects after an OID; GETNEXT when `repetitions` is 0."""
    bindings = encode_varbinds([(encode_oid(after), _NULL)])
    if repetitions == 0:
        body = encode_integer(0) + encode_integer(0) + bindings
        return Pdu(PduType.GET_NEXT, body, 1, f"walk after {after}", partial(_rows, after, 1))
    body = encode_integer(0) + encode_integer(repetitions) + bindings
    return Pdu(PduType.GET_BULK, body, repetitions, f"walk after {after}", partial(_rows, after, repetitions))


def _rows(after: str, most: int, data: bytes, start: int, stop: int) -> list[VarBind]:
    """The bindings of an answer: at least one, at most `most`, each after the one before, up to the MIB's end."""
    found = decode_varbinds(data, start, stop, most)
    if not found:
        raise BerError(f"1 to {most} objects asked, 0 came")
    before = _parts(after)
    for count, bind in enumerate(found):
        if bind.kind is Kind.END_OF_MIB_VIEW:
            return found[: count + 1]
        here = _parts(bind.oid)
        if here <= before:
            raise BerError(f"the OIDs do not increase: {bind.oid} after {'.'.join(map(str, before))}")
        if bind.is_missing:
            raise BerError(f"{bind.oid}: {bind.kind.name} is no answer to a walk")
        before = here
    return found


async def walk(
    exchange: Exchange, root: str, *, limit: int, repetitions: int, retries: int
) -> tuple[list[VarBind], int]:
    """Everything strictly below `root`, and how many repetitions the agent takes; see `SnmpClient.walk`.

    Too big, an error or silence halves the repetitions, down to GETNEXT; the walk fails when that fails too.
    """
    if limit < 1:
        raise ConfigError(f"a walk needs a limit of at least 1, got {limit}")
    after = root.removeprefix(".")
    encode_oid(after)
    prefix = after + "."
    found: list[VarBind] = []
    asked = repetitions
    until = asyncio.get_running_loop().time() + LONGEST_S
    while True:
        if asyncio.get_running_loop().time() > until:
            raise UnreachableError(
                f"the walk took longer than {LONGEST_S:g} s; {len(found)} objects had come",
                device=exchange.device,
                operation=f"walk {root}",
            )
        try:
            rows: list[VarBind] = await exchange.request(_next_pdu(after, asked), retries if asked == 0 else 0)
        except SilentError:
            if asked == 0:
                raise
            asked //= 2  # not remembered: a lost datagram looks the same
            continue
        except RefusedError as error:
            if asked == 0 and error.vendor_code == "noSuchName":
                return found, repetitions  # how an agent of version 1 behind a proxy says: the end
            if asked == 0 or error.vendor_code not in _SHRINK:
                raise
            asked //= 2
            repetitions = max(asked, 1)
            continue
        for bind in rows:
            if bind.kind is Kind.END_OF_MIB_VIEW or not bind.oid.startswith(prefix):
                return found, repetitions
            if len(found) == limit:
                raise ProtocolViolationError(
                    f"more than {limit} objects below {root}",
                    device=exchange.device,
                    operation=f"walk {root}",
                    hint="walk a smaller subtree, or raise the limit if the table is really that long",
                )
            found.append(bind)
        after = rows[-1].oid
