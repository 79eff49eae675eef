"""Modbus server of the simulator: the requests of the Modbus Application Protocol V1.1b3, and Modbus TCP.

```
 MBAP   transaction (2)  protocol = 0 (2)  length (2)  unit (1)
 PDU    function (1)  data (0..252)
 reply  function, data   or   function + 0x80, exception code
```

Written from the specification, apart from the client that it is there to prove.
Framing of serial lines is in the tests, which alone need it.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Mapping

from sim.servers.host import PacedProtocol
from sim.servers.modbus_bank import (
    COILS,
    HOLDING,
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    IdentifiedBank,
    ModbusFault,
    RegisterBank,
)

__all__ = ["ModbusFault", "ModbusServer", "RegisterBank", "Tamper", "answer"]

Tamper = Callable[[bytes, bytes], bytes]
"""(request frame, honest reply frame) -> the bytes sent instead; empty: nothing. How a device lies is written here."""

_MBAP = struct.Struct(">HHHB")
_HEAD = struct.Struct(">BHH")
_WORDS = struct.Struct(">HH")
_MASK = struct.Struct(">HHH")
_READ_WRITE = struct.Struct(">HHHHB")

MAX_PDU = 253
MAX_IDENTIFICATION = 244
"""Bytes of objects in one identification reply that always fit a PDU, as the specification advises."""


def _range(address: int, count: int, most: int) -> None:
    """Refuse a count outside 1..most, then a range beyond the last address (the order of the state diagrams)."""
    if not 1 <= count <= most:
        raise ModbusFault(ILLEGAL_VALUE)
    if address + count > 65536:
        raise ModbusFault(ILLEGAL_ADDRESS)


def _read(bank: RegisterBank, unit: int, pdu: bytes) -> bytes:
    """Functions 1 to 4."""
    if len(pdu) != 5:
        raise ModbusFault(ILLEGAL_VALUE)
    table, address, count = _HEAD.unpack(pdu)
    is_bits = table <= 2
    _range(address, count, 2000 if is_bits else 125)
    data = bank.read(unit, table, address, count)
    size = (count + 7) // 8 if is_bits else 2 * count
    if len(data) != size:
        raise ValueError(f"the bank gave {len(data)} bytes for {count} of table {table}, expected {size}")
    return bytes((table, size)) + data


def _write_one(bank: RegisterBank, unit: int, pdu: bytes) -> bytes:
    """Functions 5 and 6; the reply echoes the request."""
    if len(pdu) != 5:
        raise ModbusFault(ILLEGAL_VALUE)
    function, address, value = _HEAD.unpack(pdu)
    if function == 6:
        bank.write(unit, HOLDING, address, pdu[3:], 1)
    elif value in (0x0000, 0xFF00):
        bank.write(unit, COILS, address, b"\x01" if value else b"\x00", 1)
    else:
        raise ModbusFault(ILLEGAL_VALUE)
    return pdu


def _write_many(bank: RegisterBank, unit: int, pdu: bytes) -> bytes:
    """Functions 15 and 16."""
    if len(pdu) < 6:
        raise ModbusFault(ILLEGAL_VALUE)
    function, address, count = _HEAD.unpack_from(pdu)
    is_bits = function == 15
    size = (count + 7) // 8 if is_bits else 2 * count
    if pdu[5] != size or len(pdu) != 6 + size:
        raise ModbusFault(ILLEGAL_VALUE)
    _range(address, count, 1968 if is_bits else 123)
    bank.write(unit, COILS if is_bits else HOLDING, address, pdu[6:], count)
    return pdu[:5]


def _write_mask(bank: RegisterBank, unit: int, pdu: bytes) -> bytes:
    """Function 22: (current AND and-mask) OR (or-mask AND NOT and-mask)."""
    if len(pdu) != 7:
        raise ModbusFault(ILLEGAL_VALUE)
    address, keep, put = _MASK.unpack_from(pdu, 1)
    current = int.from_bytes(bank.read(unit, HOLDING, address, 1), "big")
    bank.write(unit, HOLDING, address, ((current & keep) | (put & ~keep & 0xFFFF)).to_bytes(2, "big"), 1)
    return pdu


def _write_and_read(bank: RegisterBank, unit: int, pdu: bytes) -> bytes:
    """Function 23: the write comes before the read."""
    if len(pdu) < 10:
        raise ModbusFault(ILLEGAL_VALUE)
    address, count, write_address, write_count, size = _READ_WRITE.unpack_from(pdu, 1)
    if size != 2 * write_count or len(pdu) != 10 + size:
        raise ModbusFault(ILLEGAL_VALUE)
    _range(address, count, 125)
    _range(write_address, write_count, 121)
    bank.write(unit, HOLDING, write_address, pdu[10:], write_count)
    return bytes((23, 2 * count)) + bank.read(unit, HOLDING, address, count)


def _identify(bank: RegisterBank, unit: int, pdu: bytes) -> bytes:
    """Function 43/14, read device identification; what does not fit follows on a further request."""
    if len(pdu) != 4:
        raise ModbusFault(ILLEGAL_VALUE)
    _, kind, access, wanted = pdu
    if kind != 14 or not isinstance(bank, IdentifiedBank):
        raise ModbusFault(ILLEGAL_FUNCTION)
    objects = bank.identification(unit)
    if access == 4:
        if wanted not in objects:
            raise ModbusFault(ILLEGAL_ADDRESS)
        return _objects(access, {wanted: objects[wanted]}, objects)
    if access not in (1, 2, 3):
        raise ModbusFault(ILLEGAL_VALUE)
    level = {name: value for name, value in sorted(objects.items()) if name <= (2, 6, 255)[access - 1]}
    if wanted not in level:
        wanted = 0  # the specification: start again at the first object
    return _objects(access, {name: value for name, value in level.items() if name >= wanted}, objects)


def _objects(access: int, chosen: Mapping[int, bytes], known: Mapping[int, bytes]) -> bytes:
    conformity = 0x80 | (3 if any(name >= 128 for name in known) else 2 if any(name > 2 for name in known) else 1)
    body = bytearray()
    number = more = following = 0
    for name, value in chosen.items():
        value = value[: MAX_IDENTIFICATION - 2]
        if len(body) + 2 + len(value) > MAX_IDENTIFICATION:
            more, following = 0xFF, name
            break
        body += bytes((name, len(value))) + value
        number += 1
    return bytes((43, 14, access, conformity, more, following, number)) + bytes(body)


_FUNCTIONS: dict[int, Callable[[RegisterBank, int, bytes], bytes]] = {
    1: _read,
    2: _read,
    3: _read,
    4: _read,
    5: _write_one,
    6: _write_one,
    15: _write_many,
    16: _write_many,
    22: _write_mask,
    23: _write_and_read,
    43: _identify,
}


def answer(bank: RegisterBank, unit: int, pdu: bytes) -> bytes:
    """The reply PDU to one request PDU (at least one byte)."""
    function = _FUNCTIONS.get(pdu[0])
    try:
        if function is None:
            raise ModbusFault(ILLEGAL_FUNCTION)
        return function(bank, unit, pdu)
    except ModbusFault as fault:
        return bytes((pdu[0] | 0x80, fault.code))


class ModbusServer:
    """One register bank, and the protocols that serve it: `host.serve_stream(server.tcp)`."""

    def __init__(self, bank: RegisterBank) -> None:
        self.bank = bank
        self.tamper: Tamper | None = None

    def tcp(self) -> asyncio.Protocol:
        """A protocol for one Modbus TCP connection."""
        return _TcpProtocol(self)


class _TcpProtocol(PacedProtocol):
    """MBAP framing. Several requests in one segment and requests in pieces are served in order.

    What is not Modbus ends the connection: after a wrong header no later byte can be trusted to begin a frame.
    """

    def __init__(self, server: ModbusServer) -> None:
        self._server = server
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        server = self._server
        start, size = 0, len(data)
        replies: list[bytes] = []
        is_broken = False
        while size - start >= 8:
            transaction, protocol, length, unit = _MBAP.unpack_from(data, start)
            if protocol != 0 or not 2 <= length <= MAX_PDU + 1:
                is_broken = True
                break
            end = start + 6 + length
            if end > size:
                break
            pdu = answer(server.bank, unit, data[start + 7 : end])
            reply = _MBAP.pack(transaction, 0, len(pdu) + 1, unit) + pdu
            replies.append(reply if server.tamper is None else server.tamper(data[start:end], reply))
            start = end
        self._rest = data[start:]
        if replies:
            self.transport.write(replies[0] if len(replies) == 1 else b"".join(replies))
        if is_broken:
            self._rest = b""
            self.transport.close()
