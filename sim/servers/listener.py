"""One open port of a simulated device, and its coarse faults.

```
 client <-> socket or memory transport <-> filter (behaviour) <-> protocol of the server (Modbus, SNMP, SCPI, ...)
```

The filter sits between every connection and its protocol, so any server can be silent, mute, slow, down or flapping
without knowing of it. The behaviour is set on the listener and may change at any time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sim.network import Buffer, DatagramFactory, OrderedDelay, StreamFactory


@dataclass(frozen=True)
class Behaviour:
    """How a listener treats its clients. The default is a healthy device.

    `silent`: accepts and swallows, never answers, does nothing (a hung device).
    `mute`: does what it is told, but no answer gets out (a one-way network).
    `delay`: seconds added to every reply; the order is kept.
    `down`: nobody listens and connections are reset. Datagrams and serial bytes vanish, as they do without power.
    `flap`: (seconds up, seconds down), for ever, starting up; None: steady.
    `max_connections`: further streams are closed at once (0: no limit); those already open stay.
    """

    silent: bool = False
    mute: bool = False
    delay: float = 0.0
    down: bool = False
    flap: tuple[float, float] | None = None
    max_connections: int = 0


HEALTHY = Behaviour()


class PacedProtocol(asyncio.Protocol):
    """A stream protocol that stops reading while its replies are not taken: pipelined requests cannot fill memory."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport  # type: ignore[assignment]

    def pause_writing(self) -> None:
        """Stop reading: the client does not take its replies."""
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        self.transport.resume_reading()


class _FilteredTransport(asyncio.Transport):
    """What the server's protocol writes to: the real transport, as the behaviour allows."""

    def __init__(self, listener: Listener, transport: asyncio.Transport) -> None:
        super().__init__()
        self._listener = listener
        self._transport = transport
        self._delayed = OrderedDelay()
        self._is_closing = False

    def write(self, data: Buffer) -> None:
        behaviour = self._listener.current
        if behaviour is HEALTHY and not self._delayed:
            self._transport.write(data)
        elif not (behaviour.silent or behaviour.mute or behaviour.down or self._is_closing):
            if behaviour.delay > 0 or self._delayed:
                self._delayed.call(behaviour.delay, self._transport.write, bytes(data))
            else:
                self._transport.write(data)

    def close(self) -> None:
        self._is_closing = True
        if self._delayed:
            self._delayed.call(0.0, self._transport.close)
        else:
            self._transport.close()

    def abort(self) -> None:
        self._is_closing = True
        self._delayed.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._is_closing or self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def is_reading(self) -> bool:
        return self._transport.is_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._transport.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size()

    def write_eof(self) -> None:
        if self._delayed:
            self._delayed.call(0.0, self._transport.write_eof)
        else:
            self._transport.write_eof()

    def can_write_eof(self) -> bool:
        return self._transport.can_write_eof()


class BehaviourFilter(asyncio.Protocol):
    """Stands before one stream protocol of the server."""

    def __init__(self, listener: Listener, factory: StreamFactory) -> None:
        self._listener = listener
        self._factory = factory
        self._inner: asyncio.Protocol | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the connection in, if the listener does."""
        self.transport = transport  # type: ignore[assignment]
        assert self.transport is not None
        if not self._listener.admit(self):
            self.transport.abort()
            return
        self._inner = self._factory()
        self._inner.connection_made(_FilteredTransport(self._listener, self.transport))

    def data_received(self, data: bytes) -> None:
        """Hand on, unless the device is silent."""
        if self._inner is not None and not (self._listener.current.silent or self._listener.current.down):
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Hand on."""
        return self._inner.eof_received() if self._inner is not None else None

    def pause_writing(self) -> None:
        """Hand on."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Hand on."""
        if self._inner is not None:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on, and give the place free."""
        self._listener.leave(self)
        if self._inner is not None:
            self._inner.connection_lost(exc)


class _FilteredDatagrams(asyncio.DatagramTransport):
    """What a datagram server answers through."""

    def __init__(self, listener: Listener, transport: asyncio.DatagramTransport) -> None:
        super().__init__()
        self._listener = listener
        self._transport = transport
        self._delayed = listener.late

    def sendto(self, data: Buffer, addr: Any = None) -> None:
        behaviour = self._listener.current
        if behaviour.silent or behaviour.mute or behaviour.down or self._transport.is_closing():
            return
        if behaviour.delay > 0 or self._delayed:
            self._delayed.call(behaviour.delay, self._send, bytes(data), addr)
        else:
            self._transport.sendto(data, addr)

    def _send(self, data: bytes, addr: Any) -> None:
        if not (self._listener.current.down or self._transport.is_closing()):
            self._transport.sendto(data, addr)

    def close(self) -> None:
        self._delayed.clear()
        self._transport.close()

    def abort(self) -> None:
        self._delayed.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)


class DatagramFilter(asyncio.DatagramProtocol):
    """Stands before a datagram protocol of the server."""

    def __init__(self, listener: Listener, factory: DatagramFactory) -> None:
        self._listener = listener
        self._inner = factory()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open the inner protocol with a filter before its transport."""
        self._listener.datagram = transport  # type: ignore[assignment]
        self._inner.connection_made(_FilteredDatagrams(self._listener, transport))  # type: ignore[arg-type]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Hand on, unless the device is silent."""
        if not (self._listener.current.silent or self._listener.current.down):
            self._inner.datagram_received(data, addr)

    def error_received(self, exc: Exception) -> None:
        """Hand on."""
        self._inner.error_received(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on."""
        self._inner.connection_lost(exc)


class Door(Protocol):
    """The listening part of a stream listener."""

    def open(self) -> None:
        """Accept calls from now on."""
        ...

    def shut(self) -> None:
        """Refuse calls from now on."""
        ...

    async def settle(self) -> None:
        """Wait until what is under way is done."""
        ...


class Listener:
    """One open port of a simulated device. `behaviour` may be set at any time; `await close()` ends everything."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.port = 0
        self.current = HEALTHY
        self.datagram: asyncio.DatagramTransport | None = None
        self.door: Door | None = None
        self.late = OrderedDelay()
        """Answers of a datagram server that are still under way."""
        self._behaviour = HEALTHY
        self._filters: set[BehaviourFilter] = set()
        self._is_closed = False
        self._flap: asyncio.TimerHandle | None = None

    @property
    def behaviour(self) -> Behaviour:
        """The behaviour that was set; `current` is what of it holds now (a flapping device is up or down)."""
        return self._behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        if self._is_closed:
            return
        self._behaviour = behaviour
        if self._flap is not None:
            self._flap.cancel()
            self._flap = None
        self._apply(behaviour)
        if behaviour.flap is not None and not behaviour.down:
            self._flap = asyncio.get_running_loop().call_later(behaviour.flap[0], self._swing)

    @property
    def is_transparent(self) -> bool:
        """Whether bytes pass at once and unchanged: healthy, open, and no late answer still under way."""
        return self.current is HEALTHY and not self._is_closed and not self.late

    @property
    def connections(self) -> int:
        """Streams open now."""
        return len(self._filters)

    def _swing(self) -> None:
        """Turn a flapping device from up to down or back."""
        flap = self._behaviour.flap
        assert flap is not None
        goes_down = not self.current.down
        self._apply(replace(self._behaviour, down=goes_down))
        self._flap = asyncio.get_running_loop().call_later(flap[1 if goes_down else 0], self._swing)

    def _apply(self, behaviour: Behaviour) -> None:
        was_down = self.current.down
        self.current = HEALTHY if behaviour == HEALTHY else behaviour
        if self.door is None or was_down == behaviour.down:
            return
        if behaviour.down:
            self.door.shut()
            self._abort_all()
        else:
            self.door.open()

    def admit(self, behaving: BehaviourFilter) -> bool:
        """Take a new stream, unless the device is down or full."""
        limit = self.current.max_connections
        if self._is_closed or self.current.down or (limit and len(self._filters) >= limit):
            return False
        self._filters.add(behaving)
        return True

    def leave(self, behaving: BehaviourFilter) -> None:
        """Forget a stream that ended."""
        self._filters.discard(behaving)

    def _abort_all(self) -> None:
        for behaving in list(self._filters):
            if behaving.transport is not None:
                behaving.transport.abort()

    def serve_line(self, factory: StreamFactory, transport: asyncio.Transport) -> None:
        """Serve one line that is always there (a serial port) instead of accepting connections."""
        behaving = BehaviourFilter(self, factory)
        behaving.connection_made(transport)
        transport.set_protocol(behaving)

    async def close(self) -> None:
        """Stop listening and close every connection."""
        self._is_closed = True
        if self._flap is not None:
            self._flap.cancel()
        if self.door is not None:
            self.door.shut()
            await self.door.settle()
        self._abort_all()
        if self.datagram is not None:
            self.datagram.close()
        # connection_lost is called by the loop in its next turns; sockets are only closed there.
        for _ in range(3):
            await asyncio.sleep(0)
