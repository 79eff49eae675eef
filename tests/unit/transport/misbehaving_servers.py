"""An in-memory network, and servers behind it that do exactly what a test tells them, lies included."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Pipe(asyncio.Transport):
    """One end of an in-memory stream. Bytes arrive in the next turn of the loop, as they do from a socket."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.other: Pipe | None = None
        self.is_closed = False

    def write(self, data):
        if not self.is_closed and self.other and not self.other.is_closed:
            asyncio.get_running_loop().call_soon(self.other.feed, bytes(data))

    def feed(self, data):
        if not self.is_closed:
            self.protocol.data_received(data)

    def get_extra_info(self, name, default=None):
        return default

    def is_closing(self):
        return self.is_closed

    def abort(self):
        self.end(None)

    def close(self):
        self.end(None)

    def end(self, error):
        """Close; the other side hears of it (`error`: as a reset)."""
        if self.is_closed:
            return
        self.is_closed = True
        loop = asyncio.get_running_loop()
        loop.call_soon(self.protocol.connection_lost, None)
        if self.other and not self.other.is_closed:
            loop.call_soon(self.other.hear_end, error)

    def hear_end(self, error):
        if self.is_closed:
            return
        self.is_closed = True
        if error is None:
            self.protocol.eof_received()
        self.protocol.connection_lost(error)


class Peer(asyncio.Protocol):
    """The server's end of one connection; hands what it hears to the script."""

    def __init__(self, script: Callable[[Peer, bytes], None]) -> None:
        self.script = script
        self.pipe: Pipe | None = None
        self.heard: list[bytes] = []
        self.is_lost = False

    def connection_made(self, transport):
        self.pipe = transport

    def data_received(self, data):
        self.heard.append(data)
        self.script(self, data)

    def connection_lost(self, exc):
        self.is_lost = True

    def say(self, data: bytes, after: float = 0.0) -> None:
        """Send now, or later on the loop's clock."""
        if after:
            asyncio.get_running_loop().call_later(after, self.pipe.write, data)
        else:
            self.pipe.write(data)

    def hang_up(self, error: Exception | None = None) -> None:
        """FIN, or RST when there is an error."""
        asyncio.get_running_loop().call_soon(self.pipe.end, error)


class MemoryNetwork:
    """Streams to one scripted server. `refuse` decides, at each dial, whether nobody listens."""

    def __init__(self, script, *, refuse=lambda: False, greet=None, hang=False) -> None:
        self.script = script
        self.refuse = refuse
        self.greet = greet
        self.hang = hang
        self.peers: list[Peer] = []
        self.dials: list[float] = []

    async def open_stream(self, host, port, protocol):
        loop = asyncio.get_running_loop()
        self.dials.append(loop.time())
        await asyncio.sleep(0.001)
        if self.hang:
            await asyncio.Event().wait()
        if self.refuse():
            raise ConnectionRefusedError(111, "Connection refused")
        peer = Peer(self.script)
        client = protocol()
        here, there = Pipe(client), Pipe(peer)
        here.other, there.other = there, here
        peer.connection_made(there)
        client.connection_made(here)
        self.peers.append(peer)
        if self.greet:
            loop.call_soon(self.greet, peer)
        return here, client

    async def open_datagram(self, host, port, protocol, *, any_source=False):
        raise OSError("no datagrams here")
