"""Proxies for real sockets between a client and a device: TCP and UDP with toxics, bounded, seeded.

```
 client --> StreamProxy  (latency, jitter, slices, corruption, reset, half-open, silence)        --> device
 client --> DatagramProxy (loss, duplication, delay, reordering, corruption, one-way partition)  --> device
```
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from random import Random
from typing import Any

MAX_HELD = 10_000
"""Datagrams that may wait in a proxy; what comes beyond is dropped, and counted."""


@dataclass(slots=True)
class Toxics:
    """What a proxy does; times in seconds, shares from 0 to 1. May be changed while it runs."""

    latency: float = 0.0
    jitter: float = 0.0
    slice: int = 0
    """Bytes a piece; 0: as they come. Pieces leave `slice_gap` apart."""
    slice_gap: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    reset_after: int = 0
    """Reset the connection after this many bytes from the device; 0: never."""
    to_device: bool = True
    """False: what the client sends is swallowed."""
    to_client: bool = True
    """False: what the device sends is swallowed (requests pass, answers do not)."""


class _FaultyProxy:
    def __init__(self, toxics: Toxics, seed: int) -> None:
        self.toxics = toxics
        self.counts: dict[str, int] = {}
        self._random = Random(seed)

    def _happens(self, what: str, share: float) -> bool:
        if share and self._random.random() < share:
            self._count(what)
            return True
        return False

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def _late(self) -> float:
        return self.toxics.latency + self.toxics.jitter * self._random.random()

    def _damaged(self, data: bytes) -> bytes:
        if not data or not self._happens("corrupted", self.toxics.corrupt):
            return data
        place = self._random.randrange(len(data))
        return data[:place] + bytes((data[place] ^ (1 << self._random.randrange(8)),)) + data[place + 1 :]


class StreamProxy(_FaultyProxy):
    """A TCP proxy on loopback. `port` is where it listens; `close` ends it and every connection through it."""

    def __init__(self, host: str, port: int, toxics: Toxics, seed: int = 1) -> None:
        super().__init__(toxics, seed)
        self.port = 0
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @classmethod
    async def start(cls, host: str, port: int, toxics: Toxics | None = None, seed: int = 1) -> StreamProxy:
        """Listen on a free port in front of `host:port`."""
        proxy = cls(host, port, toxics or Toxics(), seed)
        proxy._server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
        proxy.port = proxy._server.sockets[0].getsockname()[1]
        return proxy

    async def close(self) -> None:
        """End everything."""
        if self._server is not None:
            self._server.close()
        self.reset_all()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def reset_all(self) -> None:
        """Reset every connection now."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        other: asyncio.StreamWriter | None = None
        try:
            source, other = await asyncio.open_connection(*self._target)
            self._writers.add(other)
            await asyncio.gather(self._pump(reader, other, is_reply=False), self._pump(source, writer, is_reply=True))
        except OSError:
            self._count("broken")
        finally:
            for each in (writer, other):
                if each is not None:
                    self._writers.discard(each)
                    each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_reply: bool) -> None:
        passed = 0
        while data := await reader.read(65536):
            toxics = self.toxics
            if not (toxics.to_client if is_reply else toxics.to_device):
                self._count("swallowed")
                continue
            if (late := self._late()) > 0:
                await asyncio.sleep(late)
            passed += len(data)
            if is_reply and toxics.reset_after and passed >= toxics.reset_after:
                self._count("reset")
                raise ConnectionResetError
            await self._pieces(writer, self._damaged(data))
        with contextlib.suppress(OSError, RuntimeError):
            writer.write_eof()

    async def _pieces(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        size = self.toxics.slice or len(data)
        for start in range(0, len(data), size):
            if start:
                await asyncio.sleep(self.toxics.slice_gap)
            writer.write(data[start : start + size])
            await writer.drain()


class DatagramProxy(_FaultyProxy, asyncio.DatagramProtocol):
    """A UDP proxy on loopback for one client at a time (the last that spoke)."""

    def __init__(self, host: str, port: int, toxics: Toxics, seed: int = 1) -> None:
        super().__init__(toxics, seed)
        self.port = 0
        self._target = (host, port)
        self._client: Any = None
        self._outside: asyncio.DatagramTransport | None = None
        self._inside: asyncio.DatagramTransport | None = None
        self._held: set[asyncio.TimerHandle] = set()

    @classmethod
    async def start(cls, host: str, port: int, toxics: Toxics | None = None, seed: int = 1) -> DatagramProxy:
        """Listen on a free port in front of `host:port`."""
        loop = asyncio.get_running_loop()
        proxy = cls(host, port, toxics or Toxics(), seed)
        proxy._outside, _ = await loop.create_datagram_endpoint(lambda: proxy, local_addr=("127.0.0.1", 0))
        proxy.port = proxy._outside.get_extra_info("sockname")[1]
        proxy._inside, _ = await loop.create_datagram_endpoint(lambda: _Inside(proxy), remote_addr=proxy._target)
        return proxy

    async def close(self) -> None:
        """End everything; what is held is dropped."""
        for timer in self._held:
            timer.cancel()
        for transport in (self._outside, self._inside):
            if transport is not None:
                transport.close()
        await asyncio.sleep(0)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """From the client."""
        self._client = addr
        if self.toxics.to_device:
            self._carry(self._to_device, data)
        else:
            self._count("swallowed")

    def answer(self, data: bytes) -> None:
        """From the device."""
        if self.toxics.to_client:
            self._carry(self._to_client, data)
        else:
            self._count("swallowed")

    def _to_device(self, data: bytes) -> None:
        if self._inside is not None and not self._inside.is_closing():
            self._inside.sendto(data)

    def _to_client(self, data: bytes) -> None:
        if self._outside is not None and not self._outside.is_closing() and self._client is not None:
            self._outside.sendto(data, self._client)

    def _carry(self, send: Any, data: bytes) -> None:
        if self._happens("lost", self.toxics.loss):
            return
        data = self._damaged(data)
        copies = 2 if self._happens("duplicated", self.toxics.duplicate) else 1
        for _ in range(copies):
            late = self._late()
            if self._happens("reordered", self.toxics.reorder):
                late += 0.05 + self.toxics.latency
            if late <= 0:
                send(data)
            elif len(self._held) < MAX_HELD:
                self._hold(late, send, data)
            else:
                self._count("dropped, too many held")

    def _hold(self, late: float, send: Any, data: bytes) -> None:
        def due() -> None:
            self._held.discard(timer)
            send(data)

        timer = asyncio.get_running_loop().call_later(late, due)
        self._held.add(timer)


class _Inside(asyncio.DatagramProtocol):
    """The proxy's socket towards the device."""

    def __init__(self, proxy: DatagramProxy) -> None:
        self._proxy = proxy

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._proxy.answer(data)
