"""Serial ports behind the `Network` seam: Modbus RTU on RS-485 without threads.

pyserial opens and configures the port; the event loop reads and writes its file descriptor. POSIX only.
"""

from __future__ import annotations

import asyncio
import collections
import errno
from collections.abc import Callable
from typing import Any, Literal

Parity = Literal["N", "E", "O"]


def silence(baud: int) -> float:
    """The silence [s] that separates RTU frames: 3.5 characters of 11 bits, at least 1.75 ms.

    Source: MODBUS over Serial Line V1.02, 2.5.1.1 (above 19200 baud the fixed value is recommended).
    """
    return max(0.00175, 3.5 * 11 / baud)


class SerialNetwork:
    """Opens serial ports as streams: `host` is the device file (`/dev/ttyUSB0`), `port` is ignored.

    A port is locked while open, so that two masters on one bus are noticed (EBUSY).
    """

    def __init__(self, *, baud: int = 19200, parity: Parity = "E", stop: Literal[1, 2] = 1) -> None:
        self.baud = baud
        self.parity = parity
        self.stop = stop

    async def open_stream(
        self,
        host: str,
        port: int,  # noqa: ARG002
        protocol: Callable[[], asyncio.Protocol],
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Open the port. OSError when it is missing, locked or cannot be configured."""
        import serial

        try:
            tty = serial.Serial(
                host,
                self.baud,
                bytesize=serial.EIGHTBITS,
                parity=self.parity,
                stopbits=self.stop,
                timeout=0,
                write_timeout=0,
                exclusive=True,
            )
        except serial.SerialException as error:
            number = error.errno or errno.EBUSY
            raise OSError(number, str(error)) from error
        except ValueError as error:
            raise OSError(errno.EINVAL, f"{host}: {error}") from error
        tty.reset_input_buffer()
        made = protocol()
        return SerialTransport(asyncio.get_running_loop(), tty, made), made

    async def open_datagram(
        self,
        host: str,
        port: int,  # noqa: ARG002
        protocol: Callable[[], asyncio.DatagramProtocol],  # noqa: ARG002
        *,
        any_source: bool = False,  # noqa: ARG002
    ) -> tuple[asyncio.DatagramTransport, asyncio.DatagramProtocol]:
        """Serial lines carry no datagrams: always OSError."""
        raise OSError(errno.EOPNOTSUPP, f"a serial line carries no datagrams to {host}")


class SerialTransport(asyncio.Transport):
    """An open serial port as an asyncio transport. `tty` is an open, non-blocking `serial.Serial`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tty: Any, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._loop = loop
        self._tty = tty
        self._protocol = protocol
        self._waiting: collections.deque[bytes] = collections.deque()
        self._is_closed = False
        protocol.connection_made(self)
        loop.add_reader(tty.fileno(), self._readable)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, as fast as the line takes it."""
        if self._is_closed:
            return
        self._waiting.append(bytes(data))
        if len(self._waiting) == 1:
            self._writable()

    def is_closing(self) -> bool:
        """Whether the port is closed."""
        return self._is_closed

    def close(self) -> None:
        """Close now; what has not been sent is dropped, a half-sent request is worth nothing."""
        self._end(None)

    def abort(self) -> None:
        """Close now."""
        self._end(None)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`serial`: the pyserial object."""
        return self._tty if name == "serial" else default

    def _readable(self) -> None:
        try:
            data = self._tty.read(4096)
        except OSError as error:  # pyserial's SerialException is one: the adapter was pulled out
            self._end(OSError(error.errno or errno.EIO, str(error)))
            return
        if data:
            self._protocol.data_received(data)

    def _writable(self) -> None:
        try:
            while self._waiting:
                sent = self._tty.write(self._waiting[0]) or 0
                if sent < len(self._waiting[0]):
                    self._waiting[0] = self._waiting[0][sent:]
                    self._loop.add_writer(self._tty.fileno(), self._writable)
                    return
                self._waiting.popleft()
        except OSError as error:
            self._end(OSError(error.errno or errno.EIO, str(error)))
            return
        self._loop.remove_writer(self._tty.fileno())

    def _end(self, error: Exception | None) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        self._waiting.clear()
        self._loop.remove_reader(self._tty.fileno())
        self._loop.remove_writer(self._tty.fileno())
        self._tty.close()
        self._loop.call_soon(self._protocol.connection_lost, error)
