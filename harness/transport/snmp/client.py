"""The strict SNMP client: get, poll, walk and set for one agent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from harness.errors import ConfigError, RefusedError, Trouble, UnreachableError
from harness.transport.direct import SnmpObjectList, SnmpPeer, direct_network
from harness.transport.network import Network
from harness.transport.snmp.ber import (
    BerError,
    Known,
    decode_value,
    encode_oid,
    encode_value,
    encode_varbinds,
    header,
    match_varbinds,
)
from harness.transport.snmp.exchange import BindingsError, Exchange
from harness.transport.snmp.halving import Halving, Spoilers, may_spoil
from harness.transport.snmp.message import Pdu, PduType
from harness.transport.snmp.types import Kind, SnmpCounters, SnmpCredentials, Value, VarBind
from harness.transport.snmp.walk import walk

if TYPE_CHECKING:  # the guardian imports this module, and stays small
    import numpy as np
    import numpy.typing as npt

_NO_ERROR = b"\x02\x01\x00\x02\x01\x00"
_NULL = b"\x05\x00"
_SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"
_NO_RIGHTS = ("authorizationError", "noAccess")


class PreparedGet:
    """A list of OIDs encoded once, to be polled many times.

    `kinds`, where given, are what the values must be, else they are UNDECODABLE; None (or a missing object) allows any.
    """

    __slots__ = ("_encoded", "_kinds", "_pdus", "_rest", "is_read", "known", "known_of", "oids")

    def __init__(self, oids: Sequence[str], kinds: Sequence[Kind | None] | None = None) -> None:
        if kinds is not None and len(kinds) != len(oids):
            raise ConfigError(f"{len(oids)} OIDs, but {len(kinds)} kinds")
        self.oids = tuple(oids)
        self._encoded = [(encode_oid(oid), oid) for oid in self.oids]
        self._kinds = kinds
        self._pdus: dict[tuple[int, int], Pdu] = {}
        self._rest: dict[frozenset[str], PreparedGet] = {}
        self.is_read = False
        """Whether all of it has been answered once."""
        self.known: SnmpObjectList | None = None
        """The list as the agent `known_of` knows it, where a network offers it in memory."""
        self.known_of: SnmpPeer | None = None

    @property
    def is_typed(self) -> bool:
        """Whether the kinds of the values are checked."""
        return self._kinds is not None

    def __len__(self) -> int:
        return len(self.oids)

    def without(self, left_out: frozenset[str]) -> PreparedGet:
        """The same list without some of its OIDs."""
        if left_out not in self._rest:
            places = [place for place, oid in enumerate(self.oids) if oid not in left_out]
            kinds = None if self._kinds is None else [self._kinds[place] for place in places]
            self._rest = {left_out: PreparedGet([self.oids[place] for place in places], kinds)}
        return self._rest[left_out]

    def pdu(self, start: int, size: int) -> Pdu:
        """The request for `size` OIDs from `start` on."""
        pdu = self._pdus.get((start, size))
        if pdu is None:
            wanted = self._encoded[start : start + size]
            body = _NO_ERROR + encode_varbinds([(oid, _NULL) for oid, _ in wanted])
            what = wanted[0][1] if len(wanted) == 1 else f"{len(wanted)} OIDs from {wanted[0][1]}"
            kinds = self._kinds[start : start + size] if self._kinds is not None else None
            known: Known = []
            accept = (
                partial(_accept_any, wanted, known) if kinds is None else partial(_accept_get, wanted, kinds, known)
            )
            pdu = self._pdus[start, size] = Pdu(PduType.GET, body, len(wanted), f"get {what}", accept)
        return pdu


def _accept_any(wanted: Sequence[tuple[bytes, str]], known: Known, data: bytes, start: int, stop: int) -> list[VarBind]:
    return match_varbinds(data, start, stop, wanted, known)


def _accept_get(
    wanted: Sequence[tuple[bytes, str]],
    kinds: Sequence[Kind | None],
    known: Known,
    data: bytes,
    start: int,
    stop: int,
) -> list[VarBind]:
    found = match_varbinds(data, start, stop, wanted, known)
    return [_of_kind(bind, kind) for bind, kind in zip(found, kinds, strict=True)]


def _of_kind(bind: VarBind, kind: Kind | None) -> VarBind:
    if kind is None or bind.kind is kind or bind.is_missing or bind.kind is Kind.NULL or bind.problem:
        return bind
    return VarBind(bind.oid, Kind.UNDECODABLE, None, f"{kind.name} expected, got {bind.kind.name}")


class Answers:
    """The answers to a prepared list as arrays: `numbers` is float64[n], NaN for texts; `tags` are the ASN.1 types."""

    __slots__ = ("_oids", "_texts", "numbers", "tags")

    def __init__(
        self, oids: Sequence[str], tags: Sequence[int], numbers: npt.NDArray[np.float64], texts: Mapping[int, bytes]
    ) -> None:
        self._oids = oids
        self._texts = texts
        self.tags = tags
        self.numbers = numbers

    def bind(self, place: int) -> VarBind:
        """One of them as `poll` gives it."""
        text = self._texts.get(place)
        value = int(self.numbers[place]) if text is None else text
        return VarBind(self._oids[place], Kind(self.tags[place]), value)


class SnmpClient:
    """One agent, asked as one user, one request at a time.

    `timeout` is in seconds per attempt, `retries` how often a read is sent again; a write never is. `max_oids` and
    `max_repetitions` are upper bounds: what the agent finds too big is halved and remembered. `any_source` accepts
    answers from another address (some agents send from another interface) and counts them.

    Every method raises UnreachableError (nobody answers, or refuses us altogether), ProtocolViolationError (the answer
    is not one to what was asked), RefusedError (an SNMP error-status: `vendor_code` is its word) or ConfigError (the
    argument is wrong, nothing was sent). An object that spoils the answers it is in costs its own value, not theirs:
    see `halving`.
    """

    def __init__(
        self,
        network: Network,
        host: str,
        port: int,
        credentials: SnmpCredentials,
        *,
        name: str = "",
        timeout: float = 1.0,
        retries: int = 1,
        max_oids: int = 40,
        max_repetitions: int = 20,
        any_source: bool = False,
    ) -> None:
        if timeout <= 0 or retries < 0 or max_oids < 1 or max_repetitions < 1:
            raise ConfigError("timeout, max_oids and max_repetitions must be positive, retries not negative")
        self._direct = direct_network(network) if credentials.version == "2c" and not any_source else None
        self._place = host, port
        self._community = credentials.community
        self._exchange = Exchange(network, host, port, credentials, name=name, timeout=timeout, any_source=any_source)
        self._retries = retries
        self._max_oids = max_oids
        self._max_repetitions = max_repetitions
        self._spoilers = Spoilers()

    @property
    def counters(self) -> SnmpCounters:
        """What happened on this link."""
        return self._exchange.counters

    async def open(self) -> None:
        """Open the endpoint, find the engine (v3) and ask for sysUpTime, which proves address and credentials.

        It need not be open: requests open it, until it is closed for good.
        noSuchObject and most refusals prove them too. UnreachableError says what is wrong otherwise.
        """
        try:
            await self._exchange.open()
            await self.get([_SYS_UP_TIME])
        except RefusedError as error:
            if error.vendor_code in _NO_RIGHTS:
                self._abandon()
                raise UnreachableError(
                    error.message,
                    device=error.device,
                    operation=error.operation,
                    hint="the agent knows us but allows nothing: check its view and the security level",
                    trouble=Trouble.CREDENTIALS,
                ) from error
        except BaseException:
            self._abandon()
            raise

    def renew(self) -> None:
        """The agent was away and is back: what it refused is asked for again with the next poll."""
        self._spoilers.hasten()

    def _abandon(self) -> None:
        self._exchange.drop()
        self.counters.connect_failures += 1

    async def close(self) -> None:
        """Close the endpoint; may be opened again."""
        self._exchange.close()
        await asyncio.sleep(0)  # asyncio lets go of the socket in the next turn of the loop

    def prepare(self, oids: Sequence[str], kinds: Sequence[Kind | None] | None = None) -> PreparedGet:
        """Encode a list of OIDs once for `poll`; with `kinds`, a value of another type is none."""
        return PreparedGet(oids, kinds)

    async def get(self, oids: Sequence[str]) -> list[VarBind]:
        """The values of exactly these OIDs in this order; what the agent does not have is of a NO_SUCH kind."""
        return await self.poll(PreparedGet(oids), is_urgent=True)

    async def poll(self, prepared: PreparedGet, *, is_urgent: bool = False) -> list[VarBind]:
        """As `get`, for a prepared list; objects that spoil answers are asked now only if it is urgent, or time."""
        if self._spoilers and (left_out := self._spoilers.among(prepared.oids)):
            return await self._poll_around(prepared, left_out, is_urgent=is_urgent)
        found: list[VarBind] = []
        total = len(prepared)
        while len(found) < total:
            found += await self._chunk(prepared, len(found), min(self._max_oids, total - len(found)))
        if not prepared.is_read:
            prepared.is_read = True
            self._spoilers.read([bind.oid for bind in found if not bind.problem])
        return found

    async def _chunk(self, prepared: PreparedGet, start: int, size: int) -> list[VarBind]:
        """At least one, at most `size` objects from `start` on."""

        async def ask(first: int, count: int) -> list[VarBind]:
            found: list[VarBind] = await self._exchange.request(prepared.pdu(first, count), self._retries)
            return found

        try:
            found = await ask(start, size)
        except (BindingsError, RefusedError) as error:
            if size == 1:
                raise
            if isinstance(error, RefusedError) and error.vendor_code == "tooBig":
                self._max_oids = size // 2
                return []
            if not may_spoil(error):
                raise
            halving = Halving(prepared.oids, ask, self._spoilers, error)
            found = await halving.values(start, size)
            if not halving.found_any and self._spoilers.only_in_parts(size):
                self._max_oids = size // 2
            return found
        self._spoilers.well(size)
        return found

    async def _poll_around(self, prepared: PreparedGet, left_out: frozenset[str], *, is_urgent: bool) -> list[VarBind]:
        """A list without what spoils its answers, and that alone, when it is due. The error of it when it is all."""
        rest = prepared.without(left_out)
        found = {bind.oid: bind for bind in await self.poll(rest)} if len(rest) else {}
        for oid in sorted(left_out):
            is_asked = is_urgent or self._spoilers.is_due(oid)
            found[oid] = await self._alone(oid) if is_asked else self._spoilers.shown(oid)
        if all(bind.problem for bind in found.values()):
            raise self._spoilers.why(min(left_out))
        return [found[oid] for oid in prepared.oids]

    async def _alone(self, oid: str) -> VarBind:
        try:
            (found,) = await self._exchange.request(PreparedGet([oid]).pdu(0, 1), self._retries)
        except (BindingsError, RefusedError) as error:
            if not may_spoil(error):
                raise
            return self._spoilers.refused(oid, error)
        self._spoilers.read([oid])
        bind: VarBind = found
        return bind

    def at_once(self, prepared: PreparedGet) -> Answers | None:
        """The values of a prepared list from a network that offers the agent itself; None: `poll` it."""
        if self._direct is None or prepared.is_typed or not self._exchange.is_idle:
            return None
        peer: SnmpPeer | None = self._direct.peer(*self._place, "snmp")
        if peer is None:
            return None
        if prepared.known_of is not peer:
            prepared.known_of = peer
            prepared.known = peer.objects(prepared.oids, self._community.reveal())
        if prepared.known is None or (found := prepared.known.values()) is None:
            return None
        self.counters.requests += -(-len(prepared) // self._max_oids)
        return Answers(prepared.oids, prepared.known.tags, *found)

    async def walk(self, root: str, *, limit: int = 10_000) -> list[VarBind]:
        """Everything strictly below `root`, in order.

        ProtocolViolationError when the agent goes in circles, gives nothing, or more than `limit` objects.
        """
        if self._direct is not None and self._exchange.is_idle:
            peer: SnmpPeer | None = self._direct.peer(*self._place, "snmp")
            rows = peer.below(root, self._community.reveal()) if peer is not None else None
            if rows is not None and len(rows) < limit:
                self.counters.requests += len(rows) // self._max_repetitions + 1
                return [VarBind(oid, Kind(tag), value) for oid, tag, value in rows]
        found, self._max_repetitions = await walk(
            self._exchange, root, limit=limit, repetitions=self._max_repetitions, retries=self._retries
        )
        return found

    async def set(self, oid: str, kind: Kind, value: Value) -> None:
        """Write one value, once. Returning means that the agent acknowledged it; only reading it back confirms it.

        After UnreachableError, ProtocolViolationError or RefusedError the value may or may not have been taken: read
        back before doing anything else.
        """
        await self.set_many([(oid, kind, value)])

    async def set_many(self, objects: Sequence[tuple[str, Kind, Value]]) -> None:
        """Write several objects (OID, type, value) with one message, once; the answer must echo all of them in order.

        RFC 3416, 4.2.5: all or none, "as if simultaneously". After any error, as after one of `set`, believe neither:
        there are agents that answer with an error and switch all the same.
        """
        if not objects:
            raise ConfigError("nothing to write")
        wanted: list[tuple[bytes, str]] = []
        sent: list[tuple[Kind, Value]] = []
        binds: list[tuple[bytes, bytes]] = []
        for oid, kind, value in objects:
            name, content = encode_oid(oid), encode_value(kind, value)
            tag, start, stop = header(content, 0, len(content))
            wanted.append((name, oid))
            sent.append(decode_value(tag, content[start:stop]))
            binds.append((name, content))
        body = _NO_ERROR + encode_varbinds(binds)
        what = f"set {wanted[0][1]}" if len(wanted) == 1 else f"set {len(wanted)} OIDs from {wanted[0][1]}"
        accept = partial(_accept_set, wanted, sent)
        await self._exchange.request(Pdu(PduType.SET, body, len(wanted), what, accept), 0)


def _accept_set(
    wanted: Sequence[tuple[bytes, str]], sent: Sequence[tuple[Kind, Value]], data: bytes, start: int, stop: int
) -> bool:
    for echoed, (kind, value) in zip(match_varbinds(data, start, stop, wanted), sent, strict=True):
        if (echoed.kind, echoed.value) != (kind, value):
            raise BerError(f"{echoed.oid}: wrote {kind.name} {value!r}, echoed {echoed.kind.name} {echoed.value!r}")
    return True
