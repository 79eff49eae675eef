"""Where a simulated device listens: sockets of this machine, or the in-memory network."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Protocol

from harness.errors import ConfigError
from sim.network import DatagramFactory, MemoryNetwork, StreamFactory
from sim.servers.listener import HEALTHY, Behaviour, BehaviourFilter, DatagramFilter, Listener, PacedProtocol

__all__ = ["HEALTHY", "Behaviour", "Host", "Listener", "MemoryHost", "PacedProtocol", "SocketHost"]

PORT_HINT = "choose another port, or 0 for a free one"


class Host(Protocol):
    """Where servers listen. Port 0 means a free one; a taken port is a ConfigError."""

    async def serve_stream(self, factory: StreamFactory, port: int = 0) -> Listener:
        """Accept streams."""
        ...

    async def serve_datagram(self, factory: DatagramFactory, port: int = 0) -> Listener:
        """Receive datagrams."""
        ...


class MemoryHost:
    """Listens on an in-memory network, at the host name `address` ("" hears every name)."""

    def __init__(self, network: MemoryNetwork, address: str = "") -> None:
        self.network = network
        self.address = address

    async def serve_stream(self, factory: StreamFactory, port: int = 0) -> Listener:
        """Accept streams on `port`."""
        listener = Listener(self.address)
        door = _MemoryDoor(self.network, self.address, port, lambda: BehaviourFilter(listener, factory))
        try:
            door.open()
        except OSError as error:
            raise ConfigError(str(error), where=self.address, hint=PORT_HINT) from error
        listener.door, listener.port = door, door.port
        return listener

    async def serve_datagram(self, factory: DatagramFactory, port: int = 0) -> Listener:
        """Receive datagrams on `port`."""
        listener = Listener(self.address)
        try:
            endpoint = self.network.listen_datagram(port, lambda: DatagramFilter(listener, factory), host=self.address)
        except OSError as error:
            raise ConfigError(str(error), where=self.address, hint=PORT_HINT) from error
        listener.port = endpoint.address[1]
        return listener


class _MemoryDoor:
    """A listening port of the in-memory network."""

    def __init__(self, network: MemoryNetwork, address: str, port: int, factory: StreamFactory) -> None:
        self._network = network
        self._address = address
        self._factory = factory
        self.port = port

    def open(self) -> None:
        self.port = self._network.listen_stream(self.port, self._factory, host=self._address)

    def shut(self) -> None:
        self._network.close_stream_listener(self.port, host=self._address)

    async def settle(self) -> None:
        """Nothing is under way in memory."""


class SocketHost:
    """Listens on TCP and UDP sockets of this machine (`address`, by default loopback)."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.address = address

    async def serve_stream(self, factory: StreamFactory, port: int = 0) -> Listener:
        """Accept TCP connections on `port`."""
        listener = Listener(self.address)
        door = _SocketDoor(self._bind(socket.SOCK_STREAM, port), lambda: BehaviourFilter(listener, factory))
        door.open()
        await door.settle()
        listener.door, listener.port = door, door.port
        return listener

    async def serve_datagram(self, factory: DatagramFactory, port: int = 0) -> Listener:
        """Receive UDP datagrams on `port`."""
        listener = Listener(self.address)
        bound = self._bind(socket.SOCK_DGRAM, port)
        listener.port = bound.getsockname()[1]
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: DatagramFilter(listener, factory), sock=bound)
        return listener

    def _bind(self, kind: int, port: int) -> socket.socket:
        try:
            return _bound_socket(kind, (self.address, port))
        except OSError as error:
            where = f"{self.address}:{port}"
            if error.errno == errno.EADDRINUSE:
                raise ConfigError("the port is taken by another process", where=where, hint=PORT_HINT) from error
            if error.errno == errno.EACCES:
                raise ConfigError(
                    "no permission to listen on this port", where=where, hint="choose a port from 1024 on"
                ) from error
            raise ConfigError(f"cannot listen: {error.strerror or error}", where=where) from error


def _bound_socket(kind: int, address: tuple[str, int]) -> socket.socket:
    """A non-blocking socket bound to `address`."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    bound = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


class _SocketDoor:
    """A listening TCP socket. Shut, it keeps the port with a bound socket that does not listen: calls are refused."""

    def __init__(self, bound: socket.socket, factory: StreamFactory) -> None:
        self._bound: socket.socket | None = bound
        self._factory = factory
        self._server: asyncio.Server | None = None
        self._opening: asyncio.Task[None] | None = None
        self._address = bound.getsockname()[:2]
        self._is_shut = True
        self.port: int = self._address[1]

    def open(self) -> None:
        """Listen. Calls queue from here on, and are taken one turn of the loop later."""
        self._is_shut = False
        if self._bound is None:  # an earlier opening is still under way
            return
        listening, self._bound = self._bound, None
        listening.listen(100)
        self._opening = asyncio.get_running_loop().create_task(self._start(listening))

    async def _start(self, listening: socket.socket) -> None:
        server = await asyncio.get_running_loop().create_server(self._factory, sock=listening)
        self._server = server
        if self._is_shut:
            self._refuse()

    def shut(self) -> None:
        """Refuse calls from now on."""
        self._is_shut = True
        self._refuse()

    def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            self._bound = _bound_socket(socket.SOCK_STREAM, self._address)

    async def settle(self) -> None:
        """Wait until an opening is done; after the last shut() also let the port go."""
        if self._opening is not None:
            await self._opening
        if self._is_shut and self._bound is not None:
            self._bound.close()
            self._bound = None
