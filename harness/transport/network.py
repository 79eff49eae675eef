"""The seam between the protocols and the wire.

`SocketNetwork` is the real one. The simulator brings another that connects client and server protocols in memory, so
that in virtual time the same bytes run through the same codecs without a socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Network(Protocol):
    """Opens byte streams and datagram endpoints for asyncio protocols. Raises OSError as the socket calls do."""

    async def open_stream(
        self, host: str, port: int, protocol: Callable[[], asyncio.Protocol]
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Connect a TCP-like stream; the caller bounds the wait."""
        ...

    async def open_datagram(
        self, host: str, port: int, protocol: Callable[[], asyncio.DatagramProtocol], *, any_source: bool = False
    ) -> tuple[asyncio.DatagramTransport, asyncio.DatagramProtocol]:
        """Open a datagram endpoint towards (host, port).

        Datagrams of other sources are dropped by the network, unless `any_source`: then `sendto` needs the address
        and `datagram_received` is told the source.
        """
        ...


class SocketNetwork:
    """TCP and UDP sockets of the operating system."""

    async def open_stream(
        self, host: str, port: int, protocol: Callable[[], asyncio.Protocol]
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Connect over TCP."""
        return await asyncio.get_running_loop().create_connection(protocol, host, port)

    async def open_datagram(
        self, host: str, port: int, protocol: Callable[[], asyncio.DatagramProtocol], *, any_source: bool = False
    ) -> tuple[asyncio.DatagramTransport, asyncio.DatagramProtocol]:
        """Open a UDP socket; a connected one (the default) hears its peer only, and hears when nobody listens."""
        loop = asyncio.get_running_loop()
        if any_source:
            local = ("::", 0) if ":" in host else ("0.0.0.0", 0)  # noqa: S104  (whoever answers is checked above us)
            return await loop.create_datagram_endpoint(protocol, local_addr=local)
        return await loop.create_datagram_endpoint(protocol, remote_addr=(host, port))
