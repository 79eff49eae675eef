"""Agents that lie: everything a manager must survive, one name each, so that a test can go through all of them.

A lie is told at one of three places: to the agent's state before the request (`STATE`), to the answer PDU before it is
wrapped and, in v3, signed (`PDU`, so the lie is authentic), or to the finished datagram (`DATAGRAM`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from enum import Enum
from random import Random
from typing import Any, Final

from sim.servers.snmp import ber, pdu, status, values
from sim.servers.snmp.ber import BerError
from sim.servers.snmp.pdu import Reply, Request
from sim.servers.snmp.responder import SnmpResponder

STATE: Final = "state"
PDU: Final = "pdu"
DATAGRAM: Final = "datagram"


class Lie(Enum):
    """One way to misbehave: (name, where it is told)."""

    DROP_REQUEST = ("drop request", STATE)
    REBOOT = ("reboot", STATE)
    REBOOT_SAME_BOOTS = ("reboot that forgets boots", STATE)
    CLOCK_JUMP = ("engine time jumps", STATE)
    NEW_ENGINE_ID = ("engine ID changes", STATE)

    WRONG_REQUEST_ID = ("wrong request-id", PDU)
    WRONG_OID = ("wrong OID", PDU)
    WRONG_ORDER = ("VarBinds in another order", PDU)
    EXTRA_VARBINDS = ("more VarBinds than asked", PDU)
    FEWER_VARBINDS = ("fewer VarBinds than asked", PDU)
    ZERO_VARBINDS = ("no VarBinds", PDU)
    WRONG_TYPE = ("another type", PDU)
    NO_SUCH_INSTANCE = ("noSuchInstance for what exists", PDU)
    NULL_VALUES = ("NULL for values", PDU)
    GEN_ERR_BUT_ACTS = ("genErr after acting", PDU)
    TOO_BIG = ("tooBig", PDU)
    ERROR_INDEX_OUTSIDE = ("error-index beyond the VarBinds", PDU)
    LOOPING_OIDS = ("OIDs that do not increase", PDU)
    EMPTY_BULK = ("no VarBinds in an answer to GETBULK", PDU)
    UNPADDED_NUMBERS = ("unsigned numbers without their leading zero", PDU)
    EMPTY_INTEGER = ("INTEGER of no octets", PDU)
    WRONG_PDU = ("not a Response PDU", PDU)
    OVERSIZE = ("an answer near the limit of UDP", PDU)

    DROP_REPLY = ("drop reply after acting", DATAGRAM)
    DELAY = ("delay", DATAGRAM)
    DUPLICATE = ("duplicate", DATAGRAM)
    WRONG_VERSION = ("wrong version", DATAGRAM)
    WRONG_COMMUNITY = ("wrong community", DATAGRAM)
    OTHER_PORT = ("from another source port", DATAGRAM)
    GARBAGE = ("garbage", DATAGRAM)
    TRUNCATED = ("truncated", DATAGRAM)
    TRAILING = ("octets after the message", DATAGRAM)
    CORRUPT = ("one bit flipped", DATAGRAM)

    @property
    def label(self) -> str:
        """The name for people."""
        return self.value[0]

    @property
    def place(self) -> str:
        """`STATE`, `PDU` or `DATAGRAM`."""
        return self.value[1]


class LyingResponder(asyncio.DatagramProtocol):
    """An agent around an honest `SnmpResponder` that tells the lie it was told to tell.

    `tell(lie, times, only)` starts one lie: for `times` requests (None: until `be_honest`), of the PDU kinds in `only`
    (None: all; state lies happen before the kind is known and take every datagram). `told` counts what was told. A
    lie that makes no sense for a request (LOOPING_OIDS for a GET) leaves its answer honest and is not counted.
    `delay_s` is the time DELAY waits, on the loop's clock. OTHER_PORT needs `open_other_port` first, or the second
    transport of an in-memory network in `other_transport`.
    """

    def __init__(
        self, responder: SnmpResponder, *, delay_s: float = 1.5, jump_s: float = 100_000.0, seed: int = 1
    ) -> None:
        self.responder = responder
        self.delay_s = delay_s
        self.jump_s = jump_s
        self.other_transport: asyncio.DatagramTransport | None = None
        self.told = 0
        self.lie: Lie | None = None
        self._left: int | None = None
        self._only: frozenset[int] | None = None
        self._rng = Random(seed)
        self._kind = 0
        self._timers: set[asyncio.TimerHandle] = set()
        responder.tamper = self._tamper

    def tell(self, lie: Lie, *, times: int | None = None, only: Iterable[int] | None = None) -> None:
        """Start to tell a lie (replacing the one before). RuntimeError for OTHER_PORT without a second port."""
        if lie is Lie.OTHER_PORT and self.other_transport is None:
            raise RuntimeError("OTHER_PORT needs a second port: await open_other_port() first")
        self.lie, self._left = lie, times
        self._only = None if only is None else frozenset(only)

    def be_honest(self) -> None:
        """Stop lying."""
        self.lie = None

    async def open_other_port(self, host: str = "127.0.0.1") -> None:
        """Open the second socket from which OTHER_PORT answers; `close` closes it."""
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=(host, 0)
        )
        self.other_transport = transport

    def close(self) -> None:
        """Close the second socket and forget delayed answers."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        if self.other_transport is not None:
            self.other_transport.close()
            self.other_transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the agent."""
        self.responder.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone: no delayed answer may follow."""
        self.close()
        self.responder.connection_lost(exc)

    def error_received(self, exc: Exception) -> None:
        """Hand on."""
        self.responder.error_received(exc)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Answer one datagram, truly or not."""
        transport = self.responder.transport
        if self._is_due(STATE) and not self._change_state(self._take()):
            return
        self._kind = 0
        answer = self.responder.handle(data)
        if answer is None or transport is None:
            return
        # A datagram that never became a request (a v3 report) is lied about only when every kind is.
        if not self._is_due(DATAGRAM) or (self._only is not None and self._kind not in self._only):
            transport.sendto(answer, addr)
            return
        self._send(self._take(), answer, addr, transport)

    def _is_due(self, place: str) -> bool:
        return self.lie is not None and self.lie.place == place and self._left != 0

    def _take(self) -> Lie:
        """The lie to tell now, counted."""
        assert self.lie is not None
        self.told += 1
        if self._left is not None:
            self._left -= 1
        return self.lie

    def _change_state(self, lie: Lie) -> bool:
        """Apply a state lie; False when the request is lost."""
        engine = self.responder.engine
        if lie is Lie.REBOOT:
            engine.reboot()
        elif lie is Lie.REBOOT_SAME_BOOTS:
            engine.reboot(engine.boots)
        elif lie is Lie.CLOCK_JUMP:
            engine.jump(self.jump_s)
        elif lie is Lie.NEW_ENGINE_ID:
            number = int.from_bytes(engine.engine_id[5:], "big") + 1
            size = len(engine.engine_id) - 5
            engine.change_id(engine.engine_id[:5] + (number % (1 << 8 * size)).to_bytes(size, "big"))
        return lie is not Lie.DROP_REQUEST

    def _tamper(self, request: Request, reply: Reply) -> Reply:
        self._kind = request.kind
        if not self._is_due(PDU) or (self._only is not None and request.kind not in self._only):
            return reply
        assert self.lie is not None
        false = _PDU_LIES[self.lie](request, reply)
        if false is None:
            return reply
        self._take()
        return false

    def _send(self, lie: Lie, answer: bytes, addr: tuple[Any, ...], transport: asyncio.DatagramTransport) -> None:
        if lie is Lie.DROP_REPLY:
            return
        if lie is Lie.DELAY:
            loop = asyncio.get_running_loop()

            def late() -> None:
                self._timers.discard(timer)
                transport.sendto(answer, addr)

            timer = loop.call_later(self.delay_s, late)
            self._timers.add(timer)
            return
        if lie is Lie.DUPLICATE:
            transport.sendto(answer, addr)
        if lie is Lie.OTHER_PORT and self.other_transport is not None:
            transport = self.other_transport
        transport.sendto(self._distort(lie, answer), addr)

    def _distort(self, lie: Lie, answer: bytes) -> bytes:
        """The datagram that is sent instead."""
        rng = self._rng
        if lie is Lie.GARBAGE:
            return rng.randbytes(rng.randint(1, 120))
        if lie is Lie.TRUNCATED:
            return answer[: rng.randint(1, len(answer) - 1)]
        if lie is Lie.TRAILING:
            return answer + rng.randbytes(rng.randint(1, 8))
        if lie is Lie.CORRUPT:
            at = rng.randrange(len(answer))
            return answer[:at] + bytes((answer[at] ^ 1 << rng.randrange(8),)) + answer[at + 1 :]
        if lie in (Lie.WRONG_VERSION, Lie.WRONG_COMMUNITY):
            return _other_envelope(lie, answer)
        return answer


def _other_envelope(lie: Lie, answer: bytes) -> bytes:
    """The message with another version, or another community (in v3: another message ID)."""
    start, end = ber.expect(answer, 0, len(answer), 0x30)
    version, at = ber.read_int(answer, start, end)
    if lie is Lie.WRONG_VERSION:
        other = {pdu.V1: pdu.V2C, pdu.V2C: pdu.V1}.get(version, 2)
        return ber.tlv(0x30, ber.tlv(2, ber.encode_int(other)) + answer[at:end])
    if version == pdu.V3:
        about, about_end = ber.expect(answer, at, end, 0x30)
        number, rest = ber.read_int(answer, about, about_end)
        changed = ber.tlv(2, ber.encode_int(number ^ 1)) + answer[rest:about_end]
        return ber.tlv(0x30, answer[start:at] + ber.tlv(0x30, changed) + answer[about_end:end])
    name, name_end = ber.expect(answer, at, end, 4)
    return ber.tlv(0x30, answer[start:at] + ber.tlv(4, answer[name:name_end] + b"-other") + answer[name_end:end])


def _each(change: Callable[[bytes, bytes], bytes | None]) -> Callable[[Request, Reply], Reply | None]:
    """A lie that changes every value: `change(OID, value)` gives the encoded VarBind, or None to leave it."""

    def lie(request: Request, reply: Reply) -> Reply | None:
        del request
        changed, is_changed = [], False
        for binding in _split(reply):
            wire, value = pdu.split_binding(binding)
            other = change(wire, value)
            changed.append(binding if other is None else other)
            is_changed = is_changed or other is not None
        return Reply(reply.request_id, changed, reply.status, reply.index) if is_changed else None

    return lie


def _split(reply: Reply) -> list[bytes]:
    """The VarBinds of an answer, one by one (an echo of the request's comes in one piece)."""
    data = b"".join(reply.bindings)
    found, at = [], 0
    while at < len(data):
        end = ber.expect(data, at, len(data), 0x30)[1]
        found.append(data[at:end])
        at = end
    return found


def _other_oid(wire: bytes, value: bytes) -> bytes:
    """The next sibling's OID with this value."""
    oid = ber.decode_oid(wire)
    last = oid[-1] + 1 if oid[-1] < 0xFFFFFFFF else 0
    try:
        return pdu.binding(ber.encode_oid((*oid[:-1], last)), value)
    except BerError:
        return pdu.binding(ber.encode_oid((1, 3, 6, 1)), value)


def _other_type(wire: bytes, value: bytes) -> bytes:
    """A string where a number was, a number where anything else was."""
    return pdu.binding(wire, b"\x02\x01\x2a" if value[0] not in values.INTEGER_TAGS else b"\x04\x0242")


def _unpadded(wire: bytes, value: bytes) -> bytes | None:
    """Sloppy agents send 0xFFFFFFFF as four octets; small numbers are sent as that."""
    tag = value[0]
    if tag not in (values.COUNTER32, values.GAUGE32, values.TIMETICKS, values.COUNTER64):
        return None
    return pdu.binding(wire, ber.tlv(tag, b"\xff" * (8 if tag == values.COUNTER64 else 4)))


def _empty_integer(wire: bytes, value: bytes) -> bytes | None:
    return pdu.binding(wire, bytes((value[0], 0))) if value[0] in values.INTEGER_TAGS else None


def _looping(request: Request, reply: Reply) -> Reply | None:
    """Walks that go nowhere: every answer is the OID that was asked, so it does not come after it."""
    if request.kind not in (pdu.GET_NEXT, pdu.GET_BULK) or not request.oids or not reply.bindings:
        return None
    rows = [pdu.binding(request.oids[at % len(request.oids)], b"\x02\x01\x07") for at in range(len(reply.bindings))]
    return Reply(reply.request_id, rows)


def _wrong_request_id(request: Request, reply: Reply) -> Reply:
    number = ber.decode_int(request.request_id[2:]) if request.request_id[1] < 0x80 else 0
    return Reply(ber.tlv(2, ber.encode_int(number ^ 1)), reply.bindings, reply.status, reply.index)


def _wrong_order(request: Request, reply: Reply) -> Reply | None:
    del request
    turned = _split(reply)[::-1]
    return None if len(turned) < 2 else Reply(reply.request_id, turned, reply.status, reply.index)


def _with_bindings(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Request, Reply], Reply | None]:
    """A lie about the list of VarBinds."""

    def lie(request: Request, reply: Reply) -> Reply | None:
        del request
        before = _split(reply)
        after = change(before)
        return None if after == before else Reply(reply.request_id, after, reply.status, reply.index)

    return lie


def _refusal(code: int, index: int, *, is_empty: bool = False) -> Callable[[Request, Reply], Reply]:
    """A lie that answers with an error-status and the request's VarBinds (or none)."""

    def lie(request: Request, reply: Reply) -> Reply:
        return Reply(reply.request_id, [] if is_empty else [request.bindings], code, index)

    return lie


def _oversize(request: Request, reply: Reply) -> Reply:
    """An answer of about 60 kB: the first OID with a very long string."""
    wire = request.oids[0] if request.oids else ber.encode_oid((1, 3, 6, 1))
    return Reply(reply.request_id, [pdu.binding(wire, ber.tlv(4, b"x" * 60_000))])


_EXTRA = pdu.binding(ber.encode_oid((1, 3, 6, 1, 4, 1, 32473, 99)), b"\x02\x01\x63")

_PDU_LIES: dict[Lie, Callable[[Request, Reply], Reply | None]] = {
    Lie.WRONG_REQUEST_ID: _wrong_request_id,
    Lie.WRONG_OID: _each(_other_oid),
    Lie.WRONG_ORDER: _wrong_order,
    Lie.EXTRA_VARBINDS: _with_bindings(lambda rows: [*rows, _EXTRA]),
    Lie.FEWER_VARBINDS: _with_bindings(lambda rows: rows[:-1]),
    Lie.ZERO_VARBINDS: _with_bindings(lambda _: []),
    Lie.WRONG_TYPE: _each(_other_type),
    Lie.NO_SUCH_INSTANCE: _each(lambda wire, _: pdu.binding(wire, values.NO_SUCH_INSTANCE)),
    Lie.NULL_VALUES: _each(lambda wire, _: pdu.binding(wire, b"\x05\x00")),
    Lie.GEN_ERR_BUT_ACTS: _refusal(status.GEN_ERR, 1),
    Lie.TOO_BIG: _refusal(status.TOO_BIG, 0, is_empty=True),
    Lie.ERROR_INDEX_OUTSIDE: _refusal(status.WRONG_VALUE, 99),
    Lie.LOOPING_OIDS: _looping,
    Lie.EMPTY_BULK: lambda request, reply: Reply(reply.request_id) if request.kind == pdu.GET_BULK else None,
    Lie.UNPADDED_NUMBERS: _each(_unpadded),
    Lie.EMPTY_INTEGER: _each(_empty_integer),
    Lie.WRONG_PDU: lambda _, reply: Reply(reply.request_id, reply.bindings, reply.status, reply.index, pdu.GET),
    Lie.OVERSIZE: _oversize,
}
