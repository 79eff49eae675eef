"""SCPI over a byte stream (`TCPIP::host::port::SOCKET`) on the loop, through the `Network` seam."""

from __future__ import annotations

import asyncio

from harness.transport.direct import ScpiPeer, direct_network
from harness.transport.network import Network
from harness.transport.visa import MAX_REPLY, IdleClosed, Unasked


class StreamSession(asyncio.Protocol):
    """One TCP connection to an instrument; lines end in a newline."""

    def __init__(self, network: Network, host: str, port: int) -> None:
        self._network = network
        self._direct = direct_network(network)
        self._host, self._port = host, port
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._answer: asyncio.Future[bytes] | None = None
        self._error: Exception | None = None
        self._closed: asyncio.Future[None] | None = None

    @property
    def is_blocked(self) -> bool:
        """Never: nothing blocks on the loop."""
        return False

    async def open(self, timeout: float) -> None:
        """Connect."""
        self._closed = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(timeout):
            await self._network.open_stream(self._host, self._port, lambda: self)

    async def write(self, line: bytes, timeout: float) -> None:  # noqa: ARG002 (the kernel buffers a line at once)
        """Send one line."""
        self._refuse_when_broken()
        if self._transport is None:
            raise EOFError("the session is not open")
        self._transport.write(line + b"\n")

    def at_once(self, text: str) -> str | None:
        """The answer from a network that offers the instrument itself; None: `ask`."""
        if self._direct is None or self._error is not None or self._transport is None:
            return None
        peer: ScpiPeer | None = self._direct.peer(self._host, self._port, "scpi")
        return peer.answer(text) if peer is not None else None

    async def ask(self, line: bytes, timeout: float) -> bytes:
        """Send one line, return the line that answers it."""
        self._refuse_when_broken()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        self._answer = answer  # before the line is out: in memory its answer is here at once
        timer = loop.call_later(timeout, self._expire, answer)
        try:
            await self.write(line, timeout)
            return await answer
        finally:
            timer.cancel()
            self._answer = None

    def _expire(self, answer: asyncio.Future[bytes]) -> None:
        if not answer.done():
            answer.set_exception(TimeoutError())

    async def close(self) -> None:
        """Let go of the connection."""
        if self._transport is not None:
            self._transport.abort()
            if self._closed is not None and not self._closed.done():
                await asyncio.wait([self._closed], timeout=1.0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is up."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Bytes from the instrument: the answer, or something that nobody asked for."""
        if self._error is not None:
            return
        if self._answer is None or self._answer.done():
            self._fail(Unasked("nothing was asked, but it said", data))
            return
        self._buffer += data
        if b"\n" not in data and len(self._buffer) <= MAX_REPLY:  # look at new bytes only: a reply may come in drips
            return
        line, newline, rest = self._buffer.partition(b"\n")
        if len(line) > MAX_REPLY:
            self._fail(Unasked(f"an answer longer than {MAX_REPLY} bytes", bytes(line[:64])))
        elif rest:
            self._fail(Unasked("expected one line, got more", bytes(self._buffer)))
        elif newline:
            self._buffer.clear()
            self._answer.set_result(bytes(line.removesuffix(b"\r")))

    def eof_received(self) -> None:
        """The instrument hung up: no answer can come."""
        self._fail(EOFError("the instrument closed the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)
        self._fail(exc or EOFError("the instrument closed the connection"))

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
        self._buffer.clear()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _refuse_when_broken(self) -> None:
        if isinstance(self._error, Unasked):
            raise self._error
        if self._error is not None:
            raise IdleClosed(str(self._error)) from self._error
