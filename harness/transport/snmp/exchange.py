"""One request and its answer over datagrams that may be lost, late, doubled, foreign or lies.

One request is outstanding at a time. Each attempt has its own id; ids count up from a random start, so that an answer
to an earlier attempt is known as such and thrown away, never taken for the answer to this one. What has the right id
and is wrong otherwise ends the request as a violation; what cannot be told apart from noise is counted and does not
end the waiting.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, NamedTuple

from harness.errors import ProtocolViolationError, RefusedError, Trouble, UnreachableError
from harness.transport.foreign import hexed, unreachable
from harness.transport.network import Network, SocketNetwork
from harness.transport.snmp.ber import BerError
from harness.transport.snmp.message import (
    ERROR_WORDS,
    BindingsMismatchError,
    Community,
    MismatchError,
    Pdu,
    PduType,
    Security,
    WrongIdError,
)
from harness.transport.snmp.types import SnmpCounters, SnmpCredentials
from harness.transport.snmp.usm import ReportError, UserSecurity

_FIRST_ID, _LAST_ID = 0x0100_0000, 0x7FFF_FFFF
_BUSY = "resourceUnavailable"


class SilentError(UnreachableError):
    """Nobody answered in time: the device is off, or the answer was too big for it or for the network."""


class ObjectRefusedError(RefusedError):
    """The agent refused a request for one object of it, which it names."""


class BindingsError(ProtocolViolationError):
    """The envelope of the answer is right, its bindings are not what was asked: another question may be answered."""


class _Pending(NamedTuple):
    """The attempt that is waiting. Its future gets the accepted value, an exception as a value, or `_SILENCE`."""

    request_id: int
    pdu: Pdu
    future: asyncio.Future[Any]


class _Silence:
    """Nobody answered in time."""


_SILENCE = _Silence()


class _Endpoint(asyncio.DatagramProtocol):
    """Connections one endpoint's events to the exchange as long as it is the exchange's endpoint, and no longer."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Take an answer."""
        if self._exchange.endpoint is self:
            self._exchange.receive(data, addr)

    def error_received(self, exc: Exception) -> None:
        """Take an ICMP error, or a send that failed."""
        if self._exchange.endpoint is self:
            self._exchange.fail(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        """The endpoint is gone."""
        if self._exchange.endpoint is self:
            self._exchange.lose(exc)


class Exchange:
    """A datagram endpoint towards one agent, over which `request` works."""

    def __init__(
        self,
        network: Network,
        host: str,
        port: int,
        credentials: SnmpCredentials,
        *,
        name: str,
        timeout: float,
        any_source: bool,
    ) -> None:
        self._network = network
        self._host = host
        self._port = port
        self._credentials = credentials
        self._timeout = timeout
        self._any_source = any_source
        self.device = name or f"{host}:{port}"
        self.counters = SnmpCounters()
        self.endpoint: _Endpoint | None = None
        self._security: Security = Community(credentials) if credentials.version == "2c" else UserSecurity(credentials)
        self._transport: asyncio.DatagramTransport | None = None
        self._target: tuple[str, int] | None = None
        self._lock = asyncio.Lock()
        self._pending: _Pending | None = None
        self._first_id = self._last_id = _FIRST_ID + secrets.randbelow(_LAST_ID - _FIRST_ID)
        self._oddity = ""
        self._is_proven = False
        self._is_shut = False

    @property
    def is_idle(self) -> bool:
        """Whether the endpoint is open and nothing is under way."""
        return self._transport is not None and not self._lock.locked()

    # --- endpoint ---

    async def open(self) -> None:
        """Open the endpoint; UnreachableError when the name does not resolve or there is no route.

        It need not be open: requests open it, until it is closed for good.
        """
        self._is_shut = False
        async with self._lock:
            await self._opened("open")

    async def _opened(self, operation: str) -> asyncio.DatagramTransport:
        """The endpoint; whoever calls has the turn."""
        self._refuse_when_shut(operation)
        if self._transport is not None:
            return self._transport
        self._security.forget()
        self.endpoint = endpoint = _Endpoint(self)
        try:
            async with asyncio.timeout(self._timeout):
                self._target = await self._resolve() if self._any_source else None
                self._transport, _ = await self._network.open_datagram(
                    self._host, self._port, lambda: endpoint, any_source=self._any_source
                )
        except OSError as error:
            what = f"cannot reach {self._host}:{self._port}"
            raise unreachable(error, device=self.device, operation=operation, what=what) from error
        self._refuse_when_shut(operation)
        self.counters.connects += 1
        return self._transport

    def _refuse_when_shut(self, operation: str) -> None:
        if self._is_shut:
            self.drop()  # opened while it was closed
            raise self._unreachable("the connection is closed", Trouble.OURS, operation=operation)

    async def _resolve(self) -> tuple[str, int]:
        """The address to send to; a name is looked up once, here, never while polling."""
        if not isinstance(self._network, SocketNetwork):
            return self._host, self._port
        found = await asyncio.get_running_loop().getaddrinfo(self._host, self._port)
        return str(found[0][4][0]), self._port

    def close(self) -> None:
        """Close for good, until it is opened again; a waiting request ends as unreachable."""
        self._is_shut = True
        self.drop()

    def drop(self) -> None:
        """Let the endpoint go; the next request opens a new one."""
        self.endpoint = None
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()
        self._settle(self._unreachable("the connection was closed", Trouble.OURS))

    # --- what the endpoint tells ---

    def lose(self, error: Exception | None) -> None:
        """The endpoint is gone, and with it the answer."""
        self.counters.lost += 1
        self.endpoint = self._transport = None
        what = f"the endpoint was lost ({error})" if error else "the endpoint was lost"
        self._settle(self._unreachable(what, Trouble.UNREACHED))

    def fail(self, error: Exception) -> None:
        """Nobody is there, or the datagram did not go out: no need to wait for the timeout."""
        if self._pending is not None:
            is_refused = isinstance(error, ConnectionRefusedError)
            what = f"nobody listens on {self._host}:{self._port}" if is_refused else f"cannot reach {self._host}"
            self._settle(unreachable(error, device=self.device, operation=self._pending.pdu.operation, what=what))

    def receive(self, data: bytes, source: tuple[str | Any, int]) -> None:
        """Take the answer, or count what came instead."""
        if self._target is not None and tuple(source[:2]) != self._target:
            self.counters.foreign_sources += 1
        pending = self._pending
        if pending is None or pending.future.done():
            self.counters.stale_replies += 1
            return
        try:
            self._settle(self._understand(data, pending))
        except WrongIdError as error:
            if self._is_earlier(error.request_id):
                self.counters.stale_replies += 1
            else:
                self._note(data, str(error))
        except ReportError as error:
            self._settle(error)
        except MismatchError as error:
            self.counters.violations += 1
            self._settle(self._violation(error, data, pending.pdu.operation))
        except BerError as error:
            self._note(data, str(error))

    def _understand(self, data: bytes, pending: _Pending) -> Any:
        """The accepted value, or the RefusedError that the answer amounts to."""
        pdu = pending.pdu
        reply = self._security.unpack(data, pending.request_id, asyncio.get_running_loop().time())
        self._is_proven = True
        if not 0 <= reply.error_index <= pdu.count:
            raise BindingsMismatchError(f"error-index {reply.error_index}, but there are {pdu.count} bindings")
        if reply.error_status:
            return self._refusal(reply.error_status, reply.error_index, pdu)
        try:
            return pdu.accept(reply.data, reply.start, reply.stop)
        except BerError as error:
            raise BindingsMismatchError(str(error)) from None

    def _note(self, data: bytes, reason: str) -> None:
        """Remember noise: if nothing better comes, it is what the request failed of."""
        self.counters.violations += 1
        self._oddity = f"{reason} ({hexed(self._security.redact(data))})"

    def _is_earlier(self, request_id: int) -> bool:
        if self._first_id <= self._last_id:
            return self._first_id < request_id <= self._last_id
        return request_id > self._first_id or _FIRST_ID <= request_id <= self._last_id

    def _settle(self, outcome: Any) -> None:
        if self._pending is not None and not self._pending.future.done():
            self._pending.future.set_result(outcome)

    # --- requests ---

    async def request(self, pdu: Pdu, retries: int) -> Any:
        """What `pdu.accept` makes of the answer. Waits at most `timeout` x (1 + `retries`).

        A SET (and whatever else has `retries` 0) goes out once. The exception that is none: an authenticated report
        that our idea of the agent's clock is off says that the request was thrown away unread, so it is sent with the
        right clock, once. A SET is never sent to an engine that has just turned up.
        """
        async with self._lock:
            self._oddity = ""
            loop = asyncio.get_running_loop()
            deadline = loop.time() + self._timeout * (retries + 1)
            adopted: set[str] = set()
            attempt = 0
            while True:
                outcome = await self._attempt(pdu, min(loop.time() + self._timeout, deadline))
                if isinstance(outcome, ReportError):
                    self._resynchronise(outcome, pdu, adopted)
                elif outcome is _SILENCE:
                    self.counters.timeouts += 1
                    attempt += 1
                    if attempt > retries or loop.time() >= deadline:
                        raise self._silent(pdu, attempt)
                    self.counters.retries += 1
                elif isinstance(outcome, Exception):
                    raise outcome
                else:
                    return outcome

    async def _attempt(self, pdu: Pdu, until: float) -> Any:
        """Send once under a new id and wait for whatever settles it."""
        transport = self._transport if self._transport is not None else await self._opened(pdu.operation)
        if pdu.tag is PduType.SET and not self._security.is_ready:
            what = "not synchronised with the SNMP engine, nothing was written"
            return self._unreachable(what, Trouble.OURS, "read from it first", pdu.operation)
        loop = asyncio.get_running_loop()
        self._last_id = self._last_id + 1 if self._last_id < _LAST_ID else _FIRST_ID
        pending = _Pending(self._last_id, pdu, loop.create_future())
        self._pending = pending
        self.counters.requests += 1
        timer = loop.call_at(until, self._expire, pending.future)
        try:
            transport.sendto(self._security.pack(pdu, pending.request_id, loop.time()), self._target)
            return await pending.future
        finally:
            timer.cancel()
            self._pending = None

    def _expire(self, future: asyncio.Future[Any]) -> None:
        if not future.done():
            future.set_result(_SILENCE)

    def _resynchronise(self, report: ReportError, pdu: Pdu, adopted: set[str]) -> None:
        """Return if the request may go out again, else raise what the report amounts to."""
        self.counters.resyncs += report.is_resynchronised
        is_new_engine = report.word == "unknownEngineIDs"
        if pdu.tag is PduType.SET and is_new_engine:
            self._security.forget()
            hint = "read and identify the device before writing to it"
            raise self._unreachable(f"{report}, nothing was written", Trouble.UNIT, hint, pdu.operation)
        if report.is_resynchronised and report.word not in adopted:
            adopted.add(report.word)
            return
        if is_new_engine:
            self._security.forget()
        hint = self._hint(report.word)
        trouble = Trouble.CREDENTIALS if hint else Trouble.OTHERWISE
        raise self._unreachable(f"{report} ({report.word})", trouble, hint, pdu.operation)

    def _hint(self, word: str) -> str:
        credentials = self._credentials
        if word in ("unknownUserNames", "wrongDigests", "decryptionErrors", "unsupportedSecLevels"):
            return f"check user {credentials.user!r}, its protocols and passwords; asked at level {credentials.level}"
        if word == "unknownContexts":
            return f"check the context {credentials.context!r}"
        return ""

    # --- errors ---

    def _unreachable(self, what: str, trouble: Trouble, hint: str = "", operation: str = "") -> UnreachableError:
        operation = operation or (self._pending.pdu.operation if self._pending else "")
        return UnreachableError(what, device=self.device, operation=operation, hint=hint, trouble=trouble)

    def _violation(self, reason: MismatchError, data: bytes, operation: str) -> ProtocolViolationError:
        shown = hexed(self._security.redact(data))
        kind = BindingsError if isinstance(reason, BindingsMismatchError) else ProtocolViolationError
        return kind(
            f"the reply does not match the request: {reason} ({shown})", device=self.device, operation=operation
        )

    def _silent(self, pdu: Pdu, attempts: int) -> Exception:
        span = f"{self._timeout * attempts:g} s"
        if self._oddity:
            return ProtocolViolationError(
                f"no acceptable answer within {span}, but: {self._oddity}",
                device=self.device,
                operation=pdu.operation,
            )
        if self._credentials.priv_protocol and self._security.is_ready and not self._is_proven:
            what = f"the SNMP engine is there but does not answer the encrypted request within {span}"
            hint = f"the encryption password or protocol of user {self._credentials.user!r} is probably wrong"
            return self._unreachable(what, Trouble.CREDENTIALS, hint, pdu.operation)
        who = "community" if self._credentials.version == "2c" else f"user {self._credentials.user!r} and passwords"
        tries = f" ({attempts} attempts)" if attempts > 1 else ""
        return SilentError(
            f"no answer from {self._host}:{self._port} within {span}{tries}",
            device=self.device,
            operation=pdu.operation,
            hint=f"check power, address, {who}, and that the agent allows this station",
        )

    def _refusal(self, status: int, index: int, pdu: Pdu) -> RefusedError:
        self.counters.refused += 1
        word = ERROR_WORDS[status]
        where = f" at object {index} of {pdu.count}" if index else ""
        return (ObjectRefusedError if index else RefusedError)(
            f"the agent answers {word} ({status}){where}",
            device=self.device,
            operation=pdu.operation,
            vendor_code=word,
            is_busy=word == _BUSY,
        )
