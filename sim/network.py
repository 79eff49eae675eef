"""An in-memory network: asyncio protocols of client and server joined without a socket.

It has the shape of the harness' network seam (structural typing, nothing is imported), so in virtual time the bytes of
a day of polling run through the codecs that ship. A message is handed over inside the call that sends it, unless the
receiver is in the middle of one (then it costs one callback of the event loop); a latency makes it one timer. Order is
kept in every case, also when the latency is changed under way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

Address = tuple[str, int]
Buffer = bytes | bytearray | memoryview
StreamFactory = Callable[[], asyncio.Protocol]
DatagramFactory = Callable[[], asyncio.DatagramProtocol]

FIRST_FREE_PORT = 49152
"""First port given to clients and to listeners on port 0 (the dynamic range of RFC 6335)."""


class OrderedDelay:
    """Calls functions some seconds later, in the order given: none overtakes, whatever the delay of each."""

    __slots__ = ("_due", "_loop", "_queue")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._due = 0.0

    def __bool__(self) -> bool:
        return bool(self._queue)

    def call(self, seconds: float, function: Callable[..., None], *args: Any) -> None:
        """Call `function` after `seconds`, or together with the one before it if that is later."""
        # The queue keeps the order: timers that are due at the same time are not ordered by the event loop.
        self._queue.append((function, args))
        self._due = max(self._loop.time() + seconds, self._due)
        self._loop.call_at(self._due, self._pop)

    def _pop(self) -> None:
        if self._queue:
            function, args = self._queue.popleft()
            function(*args)

    def clear(self) -> None:
        """Forget what has not been called yet."""
        self._queue.clear()


class StreamTransport(asyncio.Transport):
    """One side of an in-memory stream. What is written here arrives at the protocol of the other side."""

    __slots__ = (
        *("_delayed", "_eof_sent", "_is_closing", "_is_receiving", "_loop", "_network", "_peer", "_protocol"),
        "_queued",
    )

    _peer: StreamTransport

    def __init__(self, network: MemoryNetwork, protocol: asyncio.Protocol, local: Address, remote: Address) -> None:
        super().__init__({"peername": remote, "sockname": local})
        self._network = network
        self._loop = asyncio.get_running_loop()
        self._protocol: asyncio.BaseProtocol = protocol
        self._is_closing = False
        self._eof_sent = False
        self._delayed = OrderedDelay()
        self._queued = 0  # writes of this side that wait for a turn of the loop
        self._is_receiving = True  # until both sides are connected

    def join(self, peer: StreamTransport) -> None:
        """Make `peer` the other side."""
        self._peer = peer

    def begin(self) -> None:
        """Both sides are connected: data may be handed over at once."""
        self._is_receiving = False

    def write(self, data: Buffer) -> None:
        """Send bytes; silently dropped after close(), as by the socket transports."""
        if self._is_closing or not data:
            return
        payload = data if type(data) is bytes else bytes(data)
        peer = self._peer
        if self._network.latency or self._delayed:
            self._delayed.call(self._network.latency, peer._receive, payload)
        elif self._queued or peer._is_receiving:
            self._queued += 1
            self._loop.call_soon(self._hand_over, payload)
        else:
            peer._receive(payload)

    def _hand_over(self, payload: bytes) -> None:
        self._queued -= 1
        self._peer._receive(payload)

    def _send(self, function: Callable[..., None], *args: Any) -> None:
        """Call at the other side, after the latency and behind what was sent before."""
        if self._network.latency or self._delayed:
            self._delayed.call(self._network.latency, function, *args)
        else:
            self._loop.call_soon(function, *args)

    def _receive(self, data: bytes) -> None:
        if self._is_closing:
            # A reset answers what comes for a closed side.
            self._peer._lost(ConnectionResetError("connection reset by peer"))
            return
        before, self._is_receiving = self._is_receiving, True
        try:
            self._protocol.data_received(data)  # type: ignore[attr-defined]
        except Exception as error:  # as the loop does it: the sender never hears of the receiver's mistakes
            self._loop.call_exception_handler({"message": "data_received() failed", "exception": error})
        finally:
            self._is_receiving = before

    def _receive_eof(self) -> None:
        if not self._is_closing and not self._protocol.eof_received():  # type: ignore[attr-defined]
            self.close()

    def _lost(self, error: Exception | None) -> None:
        """End this side because of the other one."""
        if not self._is_closing:
            self._is_closing = True
            self._protocol.connection_lost(error)

    def close(self) -> None:
        """Close: what was written still arrives, then the other side sees the end of the stream."""
        if self._is_closing:
            return
        self._is_closing = True
        self._loop.call_soon(self._protocol.connection_lost, None)
        if not self._eof_sent:
            self._eof_sent = True
            self._send(self._peer._receive_eof)

    def abort(self) -> None:
        """Close at once: the other side sees a reset."""
        if self._is_closing:
            return
        self._is_closing = True
        self._loop.call_soon(self._protocol.connection_lost, None)
        self._send(self._peer._lost, ConnectionResetError("connection reset by peer"))

    def write_eof(self) -> None:
        """Half-close: no more is sent, receiving goes on."""
        if not self._is_closing and not self._eof_sent:
            self._eof_sent = True
            self._send(self._peer._receive_eof)

    def can_write_eof(self) -> bool:
        """True: half-close is supported."""
        return True

    def is_closing(self) -> bool:
        """Whether this side is closed or closing."""
        return self._is_closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Replace the protocol that hears this side."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol that hears this side."""
        return self._protocol

    def is_reading(self) -> bool:
        """Whether the side is open: reading is never paused."""
        return not self._is_closing

    def pause_reading(self) -> None:
        """Do nothing: in memory there is no buffer that could fill."""

    def resume_reading(self) -> None:
        """Do nothing, see `pause_reading`."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Do nothing: writes are delivered, not buffered."""

    def get_write_buffer_size(self) -> int:
        """Bytes waiting to be sent: none."""
        return 0


class DatagramTransport(asyncio.DatagramTransport):
    """An in-memory datagram endpoint with an address of its own."""

    __slots__ = (
        *("_delayed", "_dialled", "_is_closing", "_is_receiving", "_loop", "_network", "_protocol", "_queued"),
        *("_source", "address", "peer"),
    )

    def __init__(
        self, network: MemoryNetwork, protocol: asyncio.DatagramProtocol, address: Address, peer: Address | None
    ) -> None:
        super().__init__({"peername": peer, "sockname": address})
        self._network = network
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._is_closing = False
        self._delayed = OrderedDelay()
        # A listener on every host answers from the address by which this endpoint called it.
        self._dialled: dict[DatagramTransport, Address] = {}
        self._source = (address[0] or "127.0.0.1", address[1])
        self._queued = 0
        self._is_receiving = False
        self.address = address
        self.peer = peer

    def sendto(self, data: Buffer, addr: Any = None) -> None:
        """Send one datagram to `addr`, or to the peer of a connected endpoint."""
        if self._is_closing:
            return
        target: Address | None = addr or self.peer
        if target is None:
            raise ValueError("sendto() of an unconnected endpoint needs an address")
        payload = data if type(data) is bytes else bytes(data)
        receiver = self._network.endpoint(target)
        source = target
        if receiver is not None:
            if receiver.address != target:
                self._dialled[receiver] = target
            source = receiver._dialled.get(self, self._source)
        if self._network.latency or self._delayed:
            self._delayed.call(self._network.latency, self._arrive, receiver, payload, source)
        elif self._queued or receiver is None or receiver._is_receiving:
            self._queued += 1
            self._loop.call_soon(self._hand_over, receiver, payload, source)
        else:
            self._arrive(receiver, payload, source)

    def _hand_over(self, receiver: DatagramTransport | None, payload: bytes, source: Address) -> None:
        self._queued -= 1
        self._arrive(receiver, payload, source)

    def _arrive(self, receiver: DatagramTransport | None, payload: bytes, source: Address) -> None:
        if receiver is not None and not receiver._is_closing:
            if receiver.peer is None or receiver.peer == source:
                receiver._receive(payload, source)
        elif self.peer is not None and not self._is_closing:
            # Only a connected socket is told of the port that nobody listens on.
            self._protocol.error_received(ConnectionRefusedError(f"nobody listens on datagram port {source[1]}"))

    def _receive(self, payload: bytes, source: Address) -> None:
        before, self._is_receiving = self._is_receiving, True
        try:
            self._protocol.datagram_received(payload, source)
        except Exception as error:  # as the loop does it: the sender never hears of the receiver's mistakes
            self._loop.call_exception_handler({"message": "datagram_received() failed", "exception": error})
        finally:
            self._is_receiving = before

    def close(self) -> None:
        """Close; nothing more is received."""
        if self._is_closing:
            return
        self._is_closing = True
        self._network.forget(self)
        self._dialled.clear()
        self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        """Close at once."""
        self.close()

    def is_closing(self) -> bool:
        """Whether the endpoint is closed."""
        return self._is_closing

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol that hears this endpoint."""
        return self._protocol


class MemoryNetwork:
    """Streams and datagrams between asyncio protocols of one event loop.

    `latency` is seconds one way, and may be changed at any time. A listener with host "" hears calls to every host.
    With `direct` the devices that allow it (`offer`) may be read beneath their codecs, while there is no latency.
    """

    def __init__(self, latency: float = 0.0, *, direct: bool = True) -> None:
        self.latency = latency
        self.direct = direct
        self._offers: dict[tuple[str, int, str], Callable[[], Any]] = {}
        self._streams: dict[Address, StreamFactory] = {}
        self._endpoints: dict[Address, DatagramTransport] = {}
        self._next_port = FIRST_FREE_PORT

    def _free_port(self, taken: dict[Address, Any], host: str) -> int:
        for _ in range(65536 - FIRST_FREE_PORT):
            port = self._next_port
            self._next_port = port + 1 if port < 65535 else FIRST_FREE_PORT
            if (host, port) not in taken:
                return port
        raise OSError("no free port left in the in-memory network")

    def listen_stream(self, port: int, protocol_factory: StreamFactory, *, host: str = "") -> int:
        """Accept streams on `port` (0: a free one); returns the port. OSError when it is taken."""
        port = port or self._free_port(self._streams, host)
        if (host, port) in self._streams:
            raise OSError(f"stream port {port} is taken in the in-memory network")
        self._streams[host, port] = protocol_factory
        return port

    def listen_datagram(self, port: int, protocol_factory: DatagramFactory, *, host: str = "") -> DatagramTransport:
        """Open a datagram server on `port` (0: a free one); its `address` tells the port. OSError when it is taken."""
        port = port or self._free_port(self._endpoints, host)
        if (host, port) in self._endpoints:
            raise OSError(f"datagram port {port} is taken in the in-memory network")
        return self._open_endpoint(protocol_factory, (host, port), None)

    def close_listener(self, port: int, *, host: str = "") -> None:
        """Stop listening on `port`, streams and datagrams. Streams already open stay open."""
        self.close_stream_listener(port, host=host)
        endpoint = self._endpoints.get((host, port))
        if endpoint is not None:
            endpoint.close()

    def close_stream_listener(self, port: int, *, host: str = "") -> None:
        """Stop accepting streams on `port`. Streams already open stay open."""
        self._streams.pop((host, port), None)

    def endpoint(self, address: Address) -> DatagramTransport | None:
        """The datagram endpoint that hears `address`."""
        return self._endpoints.get(address) or self._endpoints.get(("", address[1]))

    def forget(self, endpoint: DatagramTransport) -> None:
        """Remove a closed endpoint."""
        self._endpoints.pop(endpoint.address, None)
        for other in self._endpoints.values():
            other._dialled.pop(endpoint, None)

    def offer(self, host: str, port: int, kind: str, offered: Callable[[], Any]) -> None:
        """Let `peer` hand out what `offered()` gives: None while bytes would not pass at once and unchanged."""
        self._offers[host, port, kind] = offered

    def peer(self, host: str, port: int, kind: str) -> Any:
        """The device at (host, port) beneath its codec, as the protocol `kind` knows it; None: talk to it in bytes."""
        if self.latency or not self.direct:
            return None
        offered = self._offers.get(("", port, kind)) or self._offers.get((host, port, kind))
        return None if offered is None else offered()

    async def open_stream(
        self, host: str, port: int, protocol: StreamFactory
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Connect to a listener; ConnectionRefusedError when there is none."""
        await asyncio.sleep(2 * self.latency)  # there and back, as a handshake
        factory = self._streams.get((host, port)) or self._streams.get(("", port))
        if factory is None:
            raise ConnectionRefusedError(f"nobody listens on {host}:{port} of the in-memory network")
        server_protocol, client_protocol = factory(), protocol()
        local = ("127.0.0.1", self._free_port({}, ""))
        client = StreamTransport(self, client_protocol, local, (host, port))
        server = StreamTransport(self, server_protocol, (host, port), local)
        client.join(server)
        server.join(client)
        client_protocol.connection_made(client)
        server_protocol.connection_made(server)
        client.begin()
        server.begin()
        return client, client_protocol

    async def open_datagram(
        self, host: str, port: int, protocol: DatagramFactory, *, any_source: bool = False
    ) -> tuple[asyncio.DatagramTransport, asyncio.DatagramProtocol]:
        """Open a client endpoint towards (host, port); with `any_source` it is unconnected, `sendto` needs an address.

        As with a connected socket, a port that nobody listens on is told by `error_received`.
        """
        local = ("127.0.0.1", self._free_port(self._endpoints, "127.0.0.1"))
        endpoint = self._open_endpoint(protocol, local, None if any_source else (host, port))
        return endpoint, endpoint._protocol

    def _open_endpoint(self, factory: DatagramFactory, address: Address, peer: Address | None) -> DatagramTransport:
        protocol = factory()
        endpoint = DatagramTransport(self, protocol, address, peer)
        self._endpoints[address] = endpoint
        protocol.connection_made(endpoint)
        return endpoint
