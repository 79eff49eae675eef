"""Frames of Modbus TCP and Modbus RTU: found by pymodbus' framers, judged here, on the raw bytes.

```
TCP  [ transaction 2 ][ protocol 0 2 ][ length 2 ][ unit 1 ][ function 1 ][ data ]      length = unit..data, 2..254
RTU  [ unit 1 ][ function 1 ][ data ][ CRC 2 ]                                          no length: the request tells it
```
Sources: MODBUS Messaging on TCP/IP V1.0b, 3.1.3; MODBUS over Serial Line V1.02, 2.5.1.

Everything here is a pure function of bytes. A reply that does not fit raises `Mismatch`; the client turns that into
`ProtocolViolationError` and closes the connection.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Protocol

from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU

from harness.transport.foreign import hexed
from harness.transport.modbus.requests import Request

MAX_BUFFER = 4096
"""Bytes kept per session at most. A reply has 260 at most, so more is a flood."""

EXCEPTIONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge, still working",
    6: "device busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}

KINDS = {
    "transaction": "HX-2201",
    "protocol": "HX-2202",
    "length": "HX-2203",
    "unit": "HX-2204",
    "function": "HX-2205",
    "count": "HX-2206",
    "echo": "HX-2207",
    "checksum": "HX-2208",
    "unasked": "HX-2209",
    "flood": "HX-2210",
    "undecodable": "HX-2211",
}
"""Each check that a reply can fail, with the error code it is reported and counted under."""


class Mismatch(Exception):  # noqa: N818 (it never leaves the transport)
    """A reply is not the one its request allows. `kind` is a key of `KINDS`: which check it failed."""

    def __init__(self, kind: str, expected: str, got: str, data: bytes = b"") -> None:
        super().__init__(f"expected {expected}, got {got}" + (f" [{hexed(data)}]" if data else ""))
        self.kind = kind


class Refusal(Exception):  # noqa: N818 (it never leaves the transport)
    """The device answered with a Modbus exception; `number` is its code."""

    def __init__(self, number: int) -> None:
        super().__init__(EXCEPTIONS.get(number, "unknown exception"))
        self.number = number


class Framing(Protocol):
    """How PDUs are wrapped on a stream."""

    has_transactions: bool

    def prepare(self, request: Request) -> bytes:
        """The frame to send but for its transaction; may be kept and stamped again and again."""
        ...

    def stamp(self, prepared: bytes, transaction: int) -> bytes:
        """The bytes to send."""
        ...

    def decode(
        self, data: bytes, request: Request | None, transaction: int, given_up: Container[int]
    ) -> tuple[int, bytes | None, int]:
        """Look for the reply in `data`: (bytes used, reply PDU or None when more is needed, stale replies skipped)."""
        ...


class TcpFraming:
    """Modbus TCP. The transaction number ties a reply to its request."""

    has_transactions = True

    def __init__(self) -> None:
        self._framer = FramerSocket(DecodePDU(False))

    def prepare(self, request: Request) -> bytes:
        """Header without transaction, and PDU."""
        return self._framer.encode(request.pdu, request.unit, 0)[2:]

    def stamp(self, prepared: bytes, transaction: int) -> bytes:
        """The whole frame."""
        return transaction.to_bytes(2, "big") + prepared

    def decode(
        self, data: bytes, request: Request | None, transaction: int, given_up: Container[int]
    ) -> tuple[int, bytes | None, int]:
        """Find the reply. Late replies to transactions in `given_up` are skipped; all else that differs is refused.

        What is there of a frame is checked before more is waited for: a bad length must not become a timeout.
        `request` is None when nothing was asked: then every byte is a mismatch, unless stale.
        """
        used = stale = 0
        available = len(data)
        while available - used >= 6:
            number = (data[used] << 8) | data[used + 1]
            length = (data[used + 4] << 8) | data[used + 5]
            if data[used + 2] or data[used + 3]:
                raise Mismatch("protocol", "protocol id 0", str((data[used + 2] << 8) | data[used + 3]), data[used:])
            if not 3 <= length <= 254:
                raise Mismatch("length", "a length of 3..254", str(length), data[used:])
            is_ours = request is not None and number == transaction
            if not is_ours and number not in given_up:
                if request is None:
                    raise Mismatch("unasked", "nothing (no request is open)", f"transaction {number}", data[used:])
                raise Mismatch("transaction", f"transaction {transaction}", str(number), data[used:])
            end = used + 6 + length
            if available < end:
                if request is not None and is_ours:
                    _check_begun(data[used:], length, request)
                break
            frame = data[used:end] if used or available > end else data
            used = end
            if request is None or not is_ours:
                stale += 1
                continue
            size, unit, _, pdu = self._framer.decode(frame)
            if size != len(frame):
                raise Mismatch("length", f"a frame of {len(frame)} bytes", f"one of {size}", frame)
            if unit != request.unit:
                raise Mismatch("unit", f"unit {request.unit}", f"unit {unit}", frame)
            return used, pdu, stale
        return used, None, stale


class RtuFraming:
    """Modbus RTU, on a serial line or through a transparent gateway. Nothing ties a reply to its request but order."""

    has_transactions = False

    def __init__(self) -> None:
        self._framer = FramerRTU(DecodePDU(False))

    def prepare(self, request: Request) -> bytes:
        """Unit, PDU and CRC."""
        return self._framer.encode(request.pdu, request.unit, 0)

    def stamp(self, prepared: bytes, transaction: int) -> bytes:  # noqa: ARG002
        """The frame as it is: there are no transactions."""
        return prepared

    def decode(
        self,
        data: bytes,
        request: Request | None,
        transaction: int,  # noqa: ARG002
        given_up: Container[int],  # noqa: ARG002
    ) -> tuple[int, bytes | None, int]:
        """Find the reply, whose size the request tells: exactly that many bytes, or the 5 of an exception."""
        if not data:
            return 0, None, 0
        if request is None:
            raise Mismatch("unasked", "nothing (no request is open)", f"{len(data)} bytes", data)
        if data[0] != request.unit:
            raise Mismatch("unit", f"unit {request.unit}", f"unit {data[0]}", data)
        if len(data) < 2:
            return 0, None, 0
        is_refusal = bool(data[1] & 0x80)
        _check_function(data[1:], request)
        if not is_refusal and request.data_bytes and len(data) > 2:
            _check_byte_count(data[1:], request)
        size = 5 if is_refusal else request.reply_size + 3
        if len(data) < size:
            return 0, None, 0
        if len(data) > size:
            raise Mismatch("length", f"{size} bytes", str(len(data)), data)
        used, _, _, pdu = self._framer.decode(data)
        if used != size or not pdu:
            raise Mismatch("checksum", "a good CRC", "a bad one (noise, or two devices with one address)", data)
        return size, pdu, 0


def data_of(pdu: bytes, request: Request) -> bytes:
    """The data bytes of the reply to a read, b'' for a write; `Refusal` for an exception; `Mismatch` otherwise."""
    _check_function(pdu, request)
    if pdu[0] & 0x80:
        if len(pdu) != 2 or not pdu[1]:
            raise Mismatch("length", "an exception with one code of 1..255", hexed(pdu[1:]), pdu)
        raise Refusal(pdu[1])
    if request.echo:
        if pdu != request.echo:
            raise Mismatch("echo", f"the echo {hexed(request.echo)}", hexed(pdu))
        return b""
    _check_byte_count(pdu, request)
    if len(pdu) != request.reply_size:
        raise Mismatch("length", f"{request.reply_size} bytes of reply", str(len(pdu)), pdu)
    return pdu[2:]


def _check_begun(data: bytes, length: int, request: Request) -> None:
    """Judge the first bytes of a frame that is not yet whole (and, if its length lies, never will be)."""
    if len(data) > 6 and data[6] != request.unit:
        raise Mismatch("unit", f"unit {request.unit}", f"unit {data[6]}", data)
    if len(data) < 8:
        return
    _check_function(data[7:], request)
    is_refusal = bool(data[7] & 0x80)
    if len(data) > 8 and request.data_bytes and not is_refusal:
        _check_byte_count(data[7:], request)
    expected = 3 if is_refusal else request.reply_size + 1
    if length != expected:
        raise Mismatch("length", f"a length of {expected}", str(length), data)


def _check_function(pdu: bytes, request: Request) -> None:
    if pdu[0] & 0x7F != request.function:
        kind = "an exception for function" if pdu[0] & 0x80 else "function"
        raise Mismatch("function", f"function {request.function}", f"{kind} {pdu[0] & 0x7F}", pdu)


def _check_byte_count(pdu: bytes, request: Request) -> None:
    if len(pdu) < 2 or pdu[1] != request.data_bytes:
        raise Mismatch("count", f"byte count {request.data_bytes}", str(pdu[1]) if len(pdu) > 1 else "none", pdu)
