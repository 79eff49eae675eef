"""SCPI over a byte stream (`TCPIP::host::port::SOCKET`) on the loop, through the `Network` seam."""

from __future__ import annotations

import asyncio

from harness.transport.direct import ScpiPeer, direct_network
from harness.transport.network import Network
from harness.transport.visa.manners import Manners, Turn, Unasked
from harness.transport.visa.session import IdleClosed, Unfinished


class SocketSession(asyncio.Protocol):
    """One TCP connection to an instrument; lines end in a newline."""

    def __init__(self, network: Network, host: str, port: int, manners: Manners) -> None:
        self._network = network
        self._direct = direct_network(network)
        self._host, self._port = host, port
        self._manners = manners
        self._transport: asyncio.Transport | None = None
        self._turn: Turn | None = None
        self._answer: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._closed: asyncio.Future[None] | None = None

    @property
    def is_blocked(self) -> bool:
        """Never: nothing blocks on the loop."""
        return False

    async def open(self, timeout: float) -> None:
        """Connect, and hear the greeting if there is one."""
        loop = asyncio.get_running_loop()
        self._closed = loop.create_future()
        deadline = loop.time() + timeout
        welcome = self._manners.welcome()
        heard = self._expect(welcome)  # before the connection is up: a greeting comes at once
        async with asyncio.timeout_at(deadline):
            await self._network.open_stream(self._host, self._port, lambda: self)
        await self._heard(welcome, heard, deadline - loop.time())

    async def write(self, line: bytes, timeout: float) -> None:
        """Send one line, and hear what the instrument's manners put behind it."""
        await self._say(line, self._manners.turn(line, is_query=False), timeout)

    def at_once(self, text: str) -> str | None:
        """The answer from a network that offers the instrument itself; None: `ask`."""
        if self._direct is None or self._error is not None or self._transport is None:
            return None
        peer: ScpiPeer | None = self._direct.peer(self._host, self._port, "scpi")
        return peer.answer(text) if peer is not None else None

    async def ask(self, line: bytes, timeout: float) -> bytes:
        """Send one line, return the line that answers it."""
        turn = self._manners.turn(line, is_query=True)
        await self._say(line, turn, timeout)
        return turn.answer

    async def _say(self, line: bytes, turn: Turn, timeout: float) -> None:
        self._refuse_when_broken()
        if self._transport is None:
            raise EOFError("the session is not open")
        heard = self._expect(turn)  # before the line is out: in memory its answer is here at once
        self._transport.write(line + b"\n")
        await self._heard(turn, heard, timeout)

    def _expect(self, turn: Turn) -> asyncio.Future[None] | None:
        """From now on the instrument may say this; None: nothing."""
        if turn.is_silent:
            return None
        self._turn, self._answer = turn, asyncio.get_running_loop().create_future()
        return self._answer

    async def _heard(self, turn: Turn, heard: asyncio.Future[None] | None, timeout: float) -> None:
        """Wait until all has come that the instrument may say."""
        if heard is None:
            return
        timer = asyncio.get_running_loop().call_later(timeout, self._expire, turn, heard)
        try:
            await heard
        finally:
            timer.cancel()
            self._turn = self._answer = None

    def _expire(self, turn: Turn, heard: asyncio.Future[None]) -> None:
        if not heard.done():
            heard.set_exception(Unfinished(turn.missing) if turn.missing else TimeoutError())

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
        """Bytes from the instrument: what it may say, or something that nobody asked for."""
        if self._error is not None:
            return
        if self._turn is None or self._answer is None or self._answer.done():
            self._fail(Unasked("nothing was asked, but it said", data))
            return
        try:
            is_whole = self._turn.feed(data)
        except Unasked as error:
            self._fail(error)
            return
        if is_whole:
            self._answer.set_result(None)

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
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _refuse_when_broken(self) -> None:
        if isinstance(self._error, Unasked):
            raise self._error
        if self._error is not None:
            raise IdleClosed(str(self._error)) from self._error
