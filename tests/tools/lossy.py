"""A network with the wire_faults of a real one, for virtual time: wraps any network of the harness' shape, seeded.

Datagrams are lost, duplicated, delayed (and so reordered) and corrupted. Streams keep their order, as TCP does: a lost
segment shows as a delay, and now and then a connection is reset.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol


@dataclass(slots=True)
class WireFaults:
    """Probabilities (0 to 1) per datagram or segment and direction; times in seconds."""

    loss: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0
    delay: float = 0.0
    """Share of datagrams that are late by up to `delay_s`."""
    delay_s: float = 0.5
    retransmit_s: float = 0.2
    """What a lost segment costs a stream."""
    reset: float = 0.0


class _Inner(Protocol):
    async def open_stream(self, host: str, port: int, protocol: Callable[[], asyncio.Protocol]) -> Any: ...

    async def open_datagram(
        self, host: str, port: int, protocol: Callable[[], asyncio.DatagramProtocol], *, any_source: bool = False
    ) -> Any: ...


class LossyNetwork:
    """Has the shape of the harness' network; what it did is counted in `counts`."""

    def __init__(self, inner: _Inner, wire_faults: WireFaults, seed: int) -> None:
        self.wire_faults = wire_faults
        self.counts: dict[str, int] = {}
        self._inner = inner
        self._random = Random(seed)

    def happens(self, what: str, probability: float) -> bool:
        """Decide, and count."""
        if probability and self._random.random() < probability:
            self.counts[what] = self.counts.get(what, 0) + 1
            return True
        return False

    async def open_stream(self, host: str, port: int, protocol: Callable[[], asyncio.Protocol]) -> Any:
        """A stream whose segments are late when they are lost."""
        transport, outer = await self._inner.open_stream(host, port, lambda: _Stream(self, protocol()))
        return transport, outer.inner

    async def open_datagram(
        self, host: str, port: int, protocol: Callable[[], asyncio.DatagramProtocol], *, any_source: bool = False
    ) -> Any:
        """Datagrams that may not arrive, or twice, or late, or damaged."""
        wrapped = await self._inner.open_datagram(
            host, port, lambda: _Datagrams(self, protocol()), any_source=any_source
        )
        return wrapped[0], wrapped[1].inner

    def carry(self, deliver: Callable[..., None], data: bytes, *rest: Any) -> None:
        """Take one datagram to its receiver, or not."""
        wire_faults, loop = self.wire_faults, asyncio.get_running_loop()
        if self.happens("lost", wire_faults.loss):
            return
        if self.happens("corrupted", wire_faults.corrupt):
            place = self._random.randrange(len(data))
            data = data[:place] + bytes((data[place] ^ (1 << self._random.randrange(8)),)) + data[place + 1 :]
        if self.happens("duplicated", wire_faults.duplicate):
            loop.call_later(self._random.random() * wire_faults.delay_s, deliver, data, *rest)
        if self.happens("delayed", wire_faults.delay):
            loop.call_later(self._random.random() * wire_faults.delay_s, deliver, data, *rest)
        else:
            deliver(data, *rest)


class _Datagrams(asyncio.DatagramProtocol):
    """Stands between the wire and the client: both directions pass here."""

    def __init__(self, network: LossyNetwork, inner: asyncio.DatagramProtocol) -> None:
        self.inner = inner
        self._network = network
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._is_open = True
        self.inner.connection_made(_Sending(self._network, transport))  # type: ignore[arg-type]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._network.carry(self._deliver, data, addr)

    def _deliver(self, data: bytes, addr: Any) -> None:
        if self._is_open:
            self.inner.datagram_received(data, addr)

    def error_received(self, exc: Exception) -> None:
        self.inner.error_received(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_open = False
        self.inner.connection_lost(exc)


class _Sending:
    """The client's transport: what it sends passes the same wire_faults."""

    def __init__(self, network: LossyNetwork, transport: Any) -> None:
        self._network = network
        self._transport = transport

    def sendto(self, data: bytes, addr: Any = None) -> None:
        """Send, perhaps."""
        self._network.carry(self._send, bytes(data), addr)

    def _send(self, data: bytes, addr: Any) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(data, addr)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Stream(asyncio.Protocol):
    """Delays what comes back, in order."""

    def __init__(self, network: LossyNetwork, inner: asyncio.Protocol) -> None:
        self.inner = inner
        self._network = network
        self._transport: Any = None
        self._free_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        network, loop = self._network, asyncio.get_running_loop()
        if network.happens("reset", network.wire_faults.reset):
            self._transport.abort()
            return
        # request and reply may both be lost: two chances
        lost = network.happens("segment lost", network.wire_faults.loss) + network.happens(
            "segment lost", network.wire_faults.loss
        )
        due = max(self._free_at, loop.time() + lost * network.wire_faults.retransmit_s)
        if due <= loop.time():
            self._deliver(data)
        else:
            self._free_at = due
            loop.call_at(due, self._deliver, data)

    def _deliver(self, data: bytes) -> None:
        if self._transport is not None:
            self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self.inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.inner.connection_lost(exc)
