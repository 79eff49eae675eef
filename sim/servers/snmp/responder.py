"""The agent on the wire: an asyncio datagram protocol that speaks SNMP v1, v2c and v3."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

from sim.servers.snmp import ber, pdu, status, v3
from sim.servers.snmp.agent import Agent
from sim.servers.snmp.ber import BerError
from sim.servers.snmp.mib import MibView
from sim.servers.snmp.pdu import Reply, Request
from sim.servers.snmp.usm import LocalUser, UsmUser

MAX_DATAGRAM = 65507
MIN_MESSAGE = 484
"""Octets that every SNMP engine must take (RFC 3417 section 3.2.1)."""

Tamper = Callable[[Request, Reply], Reply]


class SnmpResponder(asyncio.DatagramProtocol):
    """Answers the datagrams of one agent from a view; never raises on what comes in, but counts it in `counters`.

    `community` reads, `write_community` reads and writes (None: nobody writes by community). `engine_id` is derived
    from the local address when not given, so that agents differ and a run reproduces. `clock` gives seconds for the
    engine time, by default the loop's. `max_message` bounds the answers (a GET beyond it is tooBig, a GETBULK is cut),
    `max_varbinds` the rows of a GETBULK. ValueError when a parameter is out of range.
    """

    def __init__(
        self,
        view: MibView,
        *,
        community: str = "public",
        write_community: str | None = None,
        users: Sequence[UsmUser] = (),
        engine_id: bytes | None = None,
        boots: int = 1,
        clock: Callable[[], float] | None = None,
        max_message: int = MAX_DATAGRAM,
        max_varbinds: int = 100,
    ) -> None:
        if not MIN_MESSAGE <= max_message <= 65507:
            raise ValueError(f"expected max_message of {MIN_MESSAGE} to 65507 octets, got {max_message}")
        if max_varbinds < 1 or not 0 <= boots <= v3.MAX_BOOTS:
            raise ValueError(f"expected max_varbinds of at least 1 and boots of 31 bits, got {max_varbinds}, {boots}")
        self.counters: Counter[str] = Counter()
        self.max_message = max_message
        self.tamper: Tamper | None = None
        self.transport: asyncio.DatagramTransport | None = None
        self._agent = Agent(view, max_varbinds)
        self._readers = {ber.tlv(4, name.encode()) for name in (community, write_community) if name is not None}
        self._writer = None if write_community is None else ber.tlv(4, write_community.encode())
        self._users = tuple(users)
        self._boots = boots
        self._clock = clock
        self._engine_id = engine_id
        self._engine: v3.Engine | None = None

    @property
    def view(self) -> MibView:
        """What this agent serves."""
        return self._agent.view

    @property
    def is_plain(self) -> bool:
        """Whether it answers what it serves, whole and as it is."""
        return self.tamper is None and self.max_message == MAX_DATAGRAM

    @property
    def engine(self) -> v3.Engine:
        """The SNMPv3 engine, made when the agent starts (or when first asked for, within a running loop)."""
        if self._engine is None:
            clock = self._clock or asyncio.get_running_loop().time
            engine_id = self._engine_id or self._own_id()
            self._engine = v3.Engine(self._users, engine_id, self._boots, clock, self.counters)
        return self._engine

    def _own_id(self) -> bytes:
        """An engine ID of the address: RFC 3411 format 5 under the documentation enterprise (RFC 5612)."""
        name = self.transport.get_extra_info("sockname") if self.transport else None
        return b"\x80\x00\x7e\xd9\x05" + hashlib.sha256(repr(name).encode()).digest()[:8]

    def reboot(self, boots: int | None = None) -> None:
        """Restart of the agent as a v3 manager sees it: boots + 1 (or `boots`), engine time 0."""
        self.engine.reboot(boots)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start: the engine boots now and localises the keys of its users."""
        self.transport = cast("asyncio.DatagramTransport", transport)
        if self._users:
            _ = self.engine

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Answer one datagram to its sender."""
        answer = self.handle(data)
        if answer is not None and self.transport is not None:
            self.transport.sendto(answer, addr)

    def error_received(self, exc: Exception) -> None:
        """Count what the network said of an earlier answer (the asker is gone)."""
        del exc
        self.counters["network_error"] += 1

    def handle(self, data: bytes) -> bytes | None:
        """The answer to one datagram, or None when it gets none."""
        counters = self.counters
        counters["in"] += 1
        try:
            start, end = ber.expect(data, 0, len(data), 0x30)
            if end != len(data):
                raise BerError("expected one message, got octets after it")
            version, at = ber.read_int(data, start, end)
            if version == pdu.V3:
                answer = self._handle_v3(data, at, end)
            elif version in (pdu.V1, pdu.V2C):
                answer = self._handle_community(data, start, at, end, version)
            else:
                raise v3.Dropped("bad_version")
        except BerError:
            counters["malformed"] += 1
            return None
        except v3.Dropped as reason:
            counters[str(reason)] += 1
            return None
        counters["out"] += 1
        return answer

    def _handle_community(self, data: bytes, start: int, at: int, end: int, version: int) -> bytes:
        community_at, community_end = ber.expect(data, at, end, 4)
        community = ber.tlv(4, data[community_at:community_end])
        if community not in self._readers:
            raise v3.Dropped("wrong_community")
        request = pdu.parse(data, community_end, end)
        if version == pdu.V1 and request.kind == pdu.GET_BULK:
            raise BerError("expected a version 1 PDU, got a GetBulkRequest")
        reply = self._answer(request, version, self.max_message, may_write=community == self._writer)
        prefix = data[start:community_end]
        return self._fit(lambda fitted: ber.tlv(0x30, prefix + fitted.encode()), request, reply, version, 65507)

    def _answer(self, request: Request, version: int, size: int, *, may_write: bool) -> Reply:
        reply = self._agent.answer(request, version, size, may_write=may_write)
        if reply.status:
            self.counters["refused"] += 1
        return reply

    def _fit(self, wrap: Callable[[Reply], bytes], request: Request, reply: Reply, version: int, most: int) -> bytes:
        """The message, cut (GETBULK) or replaced by tooBig until it is no longer than both sides take."""
        most = min(most, self.max_message)
        message = wrap(reply)
        while len(message) > most and request.kind == pdu.GET_BULK and len(reply.bindings) > 1 and not reply.status:
            excess = len(message) - most
            while excess > 0 and len(reply.bindings) > 1:
                excess -= len(reply.bindings.pop())
            message = wrap(reply)
        if len(message) > most:
            # Version 1 repeats the VarBinds of the request (RFC 1157 section 4.1.2), version 2 sends none.
            reply = Reply(request.request_id, [request.bindings] if version == pdu.V1 else [], status.TOO_BIG)
            message = wrap(reply)
            self.counters["too_big"] += 1
            if len(message) > most:
                raise v3.Dropped("silent_drop")
        return message if self.tamper is None else wrap(self.tamper(request, reply))

    def _handle_v3(self, data: bytes, at: int, end: int) -> bytes:
        header = v3.Header(data, at, end)
        at = header.read(data, ber.expect(data, at, end, 0x30)[1], end)
        engine = self.engine
        user = engine.authenticate(header, data)
        if isinstance(user, str):
            return engine.report(header, user, _clear_request_id(header, data, at, end))
        try:
            scoped = engine.open(header, user, data, at, end)
        except BerError:
            raise
        except ValueError:
            return engine.report(header, "decryption_error")
        start, stop = ber.expect(scoped, 0, len(scoped), 0x30)
        padding = len(scoped) - stop
        if padding and not (header.level & v3.PRIV and padding < _BLOCK):  # DES must pad, some managers pad AES too
            raise BerError("expected one scoped PDU, got octets after it")
        engine_at, engine_end = ber.expect(scoped, start, stop, 4)
        name_at, name_end = ber.expect(scoped, engine_end, stop, 4)
        request = pdu.parse(scoped, name_end, stop)
        if scoped[engine_at:engine_end] not in (engine.engine_id, b""):
            return engine.report(header, "unknown_pdu_handler", request.request_id)
        if name_end != name_at:
            return engine.report(header, "unknown_context", request.request_id)
        return self._reply_v3(header, user, scoped[start:name_end], request)

    def _reply_v3(self, header: v3.Header, user: LocalUser, context: bytes, request: Request) -> bytes:
        most = min(header.max_size, self.max_message)
        if header.level != user.user.level:
            reply = Reply(request.request_id, [request.bindings], status.AUTHORIZATION_ERROR)
        else:
            reply = self._answer(request, pdu.V3, most, may_write=user.user.may_write)

        def wrap(fitted: Reply) -> bytes:
            return self.engine.seal(header, user, header.level, context, fitted)

        return self._fit(wrap, request, reply, pdu.V3, most)


_BLOCK = 16
"""Octets of a block of AES; padding fills less than one."""


def _clear_request_id(header: v3.Header, data: bytes, at: int, end: int) -> bytes:
    """The request-id of a scoped PDU in the clear for a report, or 0 when it cannot be read (RFC 3412 7.1 3)."""
    if header.level & v3.PRIV:
        return b"\x02\x01\x00"
    try:
        start, stop = ber.expect(data, at, end, 0x30)
        engine_end = ber.expect(data, start, stop, 4)[1]
        name_end = ber.expect(data, engine_end, stop, 4)[1]
        return pdu.parse(data, name_end, stop).request_id
    except BerError:
        return b"\x02\x01\x00"
