"""Modbus RTU of the simulator: serial framing over a line, or over TCP as transparent gateways do it.

```
 unit (1)  PDU (1..253)  CRC-16 (2, low byte first)        a frame ends with 3.5 characters of silence
```

On a bus nobody speaks for a unit that is not there: exception 0x0B of the bank is silence here, and so is the answer
to a broadcast (unit 0) and to a frame with a wrong CRC (Modbus over Serial Line V1.02, 2.4 and 2.5.1).
"""

from __future__ import annotations

import asyncio

from sim.servers.host import PacedProtocol
from sim.servers.modbus import ModbusServer, answer
from sim.servers.modbus_bank import TARGET_SILENT

MAX_FRAME = 256
STREAM_IDLE = 0.05
"""Seconds after which the rest of a broken frame is forgotten on TCP, where there is no silence to measure."""

_FIXED = {1: 8, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8, 7: 4, 8: 8, 11: 4, 12: 4, 17: 4, 22: 10, 43: 7}
_COUNTED = {15: (6, 9), 16: (6, 9), 23: (10, 13)}
"""Function: place of its byte count, and length of the frame without the counted bytes."""


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ 0xA001 if byte & 1 else byte >> 1
        table.append(byte)
    return table


_CRC = _crc_table()


def crc16(data: bytes | bytearray) -> bytes:
    """The two CRC bytes as they follow `data` on the line; of a whole frame it is 00 00."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


def silence(baud: int) -> float:
    """3.5 characters of 11 bits in seconds; fixed above 19200 baud (Modbus over Serial Line V1.02, 2.5.1.1)."""
    return 3.5 * 11 / baud if baud <= 19200 else 1.75e-3


def _request_length(buffer: bytearray) -> int | None:
    """Length of the request that begins here; 0: the function has none that we know; None: too early to tell."""
    if len(buffer) < 2:
        return None
    function = buffer[1]
    if function in _FIXED:
        return _FIXED[function]
    if function not in _COUNTED:
        return 0
    place, fixed = _COUNTED[function]
    return fixed + buffer[place] if len(buffer) > place else None


class RtuProtocol(PacedProtocol):
    """One line. With `baud` a frame is taken after its silence; without (TCP) as soon as it is whole."""

    def __init__(self, server: ModbusServer, baud: int = 0) -> None:
        self._server = server
        self._gap = silence(baud) if baud else 0.0
        self._buffer = bytearray()
        self._is_lost = False
        self._timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Collect; what cannot be a frame is dropped up to the next silence."""
        if not self._is_lost:
            self._buffer += data
            if not self._gap:
                self._serve_frames()
            if len(self._buffer) > (16 if self._gap else 1) * MAX_FRAME:
                self._lose()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._buffer or self._is_lost:
            self._timer = asyncio.get_running_loop().call_later(self._gap or STREAM_IDLE, self._silent)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Stop waiting."""
        if self._timer is not None:
            self._timer.cancel()

    def _lose(self) -> None:
        self._is_lost = True
        self._buffer.clear()

    def _silent(self) -> None:
        """The line fell silent: what is here is all of it."""
        self._timer = None
        self._serve_frames()
        if len(self._buffer) >= 4 and crc16(self._buffer) == b"\x00\x00":
            self._serve(bytes(self._buffer))  # a function of unknown length
        self._buffer.clear()
        self._is_lost = False

    def _serve_frames(self) -> None:
        """Serve the whole frames at the beginning of the buffer."""
        while length := _request_length(self._buffer):
            if len(self._buffer) < length:
                return
            frame = bytes(self._buffer[:length])
            if crc16(frame) != b"\x00\x00":
                self._lose()
                return
            del self._buffer[:length]
            self._serve(frame)

    def _serve(self, frame: bytes) -> None:
        unit, request = frame[0], frame[1:-2]
        pdu = answer(self._server.bank, unit, request)
        if unit == 0 or pdu == bytes((request[0] | 0x80, TARGET_SILENT)):
            return
        reply = frame[:1] + pdu
        reply += crc16(reply)
        self.transport.write(reply if self._server.tamper is None else self._server.tamper(frame, reply))
