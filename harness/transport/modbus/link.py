"""One connection: bytes in, at most one open request, at most 4 KiB kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container

from harness.transport.counters import Counters
from harness.transport.modbus.frames import MAX_BUFFER, Framing, Mismatch, data_of
from harness.transport.modbus.requests import Request

_FLOOD = 16 * 1024
"""More bytes at once than a reply and all late ones before it can be; what is beyond is not looked at."""


class Link(asyncio.Protocol):
    """One connection from open to close; a client makes a new one after every failure.

    `on_unasked` is called with a `Mismatch` when bytes come that no request asked for.
    """

    def __init__(
        self, framing: Framing, counters: Counters, given_up: Container[int], on_unasked: Callable[[Mismatch], None]
    ) -> None:
        self._framing = framing
        self._counters = counters
        self._given_up = given_up
        self._on_unasked = on_unasked
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._request: Request | None = None
        self._transaction = 0
        self._reply: asyncio.Future[bytes] | None = None
        self._closed = asyncio.get_running_loop().create_future()
        self._is_draining = False
        self.is_open = False
        self.has_answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is up."""
        self._transport = transport  # type: ignore[assignment]
        self.is_open = True

    def send(self, frame: bytes, request: Request, transaction: int) -> asyncio.Future[bytes]:
        """Send one request; the future gives the data bytes, `Mismatch`, `Refusal`, or EOFError/OSError when lost."""
        self._request = request
        self._transaction = transaction
        reply = self._reply = asyncio.get_running_loop().create_future()
        if self._transport is None or not self.is_open:
            reply.set_exception(EOFError("the connection is closed"))
        else:
            self._transport.write(frame)
        return reply

    def data_received(self, data: bytes) -> None:
        """Bytes from the peer."""
        if self._is_draining:
            self._counters.stale_replies += 1
            return
        if not self.is_open:
            return
        came = len(data)
        data = self._buffer + data[:_FLOOD] if self._buffer or came > _FLOOD else data
        request = self._request
        try:
            used, pdu, stale = self._framing.decode(data, request, self._transaction, self._given_up)
            self._counters.stale_replies += stale
            if came > _FLOOD or len(data) - used > MAX_BUFFER:
                raise Mismatch("flood", "one reply", f"{max(came, len(data) - used)} bytes", data)
            if pdu is None or request is None:
                self._buffer = data[used:]
                return
            answer = data_of(pdu, request)
        except Mismatch as error:
            self._fail(error)
            return
        except Exception as error:  # a refusal; anything else must end the request too, not hang it
            self._finish(None, error)
        else:
            self._finish(answer, None)
        self._buffer = b""
        if used < len(data):
            self.data_received(data[used:])

    def eof_received(self) -> None:
        """The peer will send no more: a reply can no longer come, so do not wait for the deadline."""
        self.lose(None)
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if not self._closed.done():
            self._closed.set_result(None)
        self.lose(exc)

    def lose(self, exc: Exception | None) -> None:
        """No reply can come any more: end the open request with `exc`, or with EOFError."""
        self.is_open = False
        had_part = bool(self._buffer)
        self._buffer = b""
        what = "the peer closed the connection" + (" in the middle of the reply" if had_part else "")
        self._finish(None, exc or EOFError(what))

    def expire(self) -> None:
        """The deadline of the open request has passed."""
        got = f" ({len(self._buffer)} bytes of the reply came)" if self._buffer else ""
        self._finish(None, TimeoutError(f"no whole reply in time{got}"))

    async def drain(self, seconds: float) -> None:
        """Listen and throw away: without transactions, only silence tells that no late reply is on its way."""
        self._is_draining = True
        try:
            await asyncio.sleep(seconds)
        finally:
            self._is_draining = False

    def abort(self) -> None:
        """Close at once. Nothing that comes later is looked at."""
        self.is_open = False
        self._buffer = b""
        self._request = None
        if self._transport is not None:
            self._transport.abort()

    async def wait_closed(self) -> None:
        """Until the transport has let go of its socket."""
        if self._transport is not None and not self._closed.done():
            await asyncio.wait([self._closed], timeout=1.0)

    def _finish(self, answer: bytes | None, error: Exception | None) -> None:
        reply, self._reply, self._request = self._reply, None, None
        if reply is None or reply.done():
            return
        if answer is not None:
            self.has_answered = True
            reply.set_result(answer)
        elif error is not None:
            reply.set_exception(error)

    def _fail(self, error: Mismatch) -> None:
        if self._reply is not None and not self._reply.done():
            self._finish(None, error)
        else:
            self._on_unasked(error)
        self.abort()
