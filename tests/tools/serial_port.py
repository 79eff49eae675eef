"""A serial port of the simulator: a pseudo terminal whose other end a client opens as its tty."""

from __future__ import annotations

import asyncio
import os
import tty

from sim.network import Buffer, StreamFactory
from sim.servers.host import Listener

MAX_UNSENT = 64 * 1024
"""Bytes kept for a client that does not read; more is lost, as on a wire."""


class _TerminalTransport(asyncio.Transport):
    """The master side of a pseudo terminal on the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._master, self._slave = os.openpty()
        # Raw before anyone opens it, and held open by us: without a client the master would report errors for ever.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        super().__init__({"peername": self.path})
        self._protocol: asyncio.BaseProtocol | None = None
        self._unsent = bytearray()
        self._is_closing = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol
        self._loop.add_reader(self._master, self._readable)

    def _readable(self) -> None:
        try:
            data = os.read(self._master, 4096)
        except BlockingIOError:
            return
        if isinstance(self._protocol, asyncio.Protocol):
            self._protocol.data_received(data)

    def write(self, data: Buffer) -> None:
        if self._is_closing:
            return
        was_idle = not self._unsent
        self._unsent += data[: MAX_UNSENT - len(self._unsent)]
        if was_idle:
            self._writable()

    def _writable(self) -> None:
        try:
            sent = os.write(self._master, self._unsent)
        except BlockingIOError:
            sent = 0
        del self._unsent[:sent]
        if self._unsent:
            self._loop.add_writer(self._master, self._writable)
        else:
            self._loop.remove_writer(self._master)

    def close(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        self._loop.remove_reader(self._master)
        self._loop.remove_writer(self._master)
        os.close(self._master)
        os.close(self._slave)
        if self._protocol is not None:
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        self._loop.remove_reader(self._master)

    def resume_reading(self) -> None:
        if not self._is_closing:
            self._loop.add_reader(self._master, self._readable)


async def serve_terminal(factory: StreamFactory) -> Listener:
    """Serve `factory()` on a new pseudo terminal; `listener.host` is the path that a client opens (/dev/pts/...)."""
    transport = _TerminalTransport()
    listener = Listener(transport.path)
    listener.serve_line(factory, transport)
    return listener
