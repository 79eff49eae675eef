"""The requests we send: encoded by pymodbus, each knowing the only reply that fits it.

Source: MODBUS Application Protocol Specification V1.1b3, chapter 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadDiscreteInputsRequest,
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    MaskWriteRegisterRequest,
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from harness.errors import ConfigError

_READS: dict[int, tuple[type[ModbusPDU], int, str]] = {
    1: (ReadCoilsRequest, 2000, "coils"),
    2: (ReadDiscreteInputsRequest, 2000, "discrete inputs"),
    3: (ReadHoldingRegistersRequest, 125, "holding registers"),
    4: (ReadInputRegistersRequest, 125, "input registers"),
}
MAX_COILS_WRITTEN = 1968
MAX_REGISTERS_WRITTEN = 123


@dataclass(frozen=True, slots=True)
class Request:
    """One request and the shape of its only acceptable reply.

    `pdu` is function code and data. `echo` is the whole reply PDU of a write; `data_bytes` the number of data bytes
    that the reply to a read must carry (0 for writes).
    """

    unit: int
    function: int
    pdu: bytes
    data_bytes: int
    echo: bytes
    text: str

    @property
    def reply_size(self) -> int:
        """Size in bytes of the reply PDU when the device does not refuse."""
        return len(self.echo) or 2 + self.data_bytes


def read_request(unit: int, function: int, address: int, count: int) -> Request:
    """Read `count` bits (functions 1, 2) or registers (3, 4) from `address` (0-based, as on the wire)."""
    if function not in _READS:
        raise ConfigError(f"Modbus function {function} is not a read; use 1, 2, 3 or 4")
    kind, most, noun = _READS[function]
    _check(unit, address, count, most)
    size = 2 * count if function > 2 else (count + 7) // 8
    text = f"read {count} {noun} at {address} of unit {unit}"
    return Request(unit, function, _encoded(kind(address=address, count=count)), size, b"", text)


def write_coil_request(unit: int, address: int, on: bool) -> Request:  # noqa: FBT001 (the value, not an option)
    """Function 5: switch one coil."""
    _check(unit, address, 1, 1)
    pdu = _encoded(WriteSingleCoilRequest(address=address, bits=[bool(on)]))
    return Request(unit, 5, pdu, 0, pdu, f"write coil {address} of unit {unit} {'on' if on else 'off'}")


def write_register_request(unit: int, address: int, value: int) -> Request:
    """Function 6: write one register, 0..65535."""
    _check(unit, address, 1, 1)
    _check_words([value])
    pdu = _encoded(WriteSingleRegisterRequest(address=address, registers=[value]))
    return Request(unit, 6, pdu, 0, pdu, f"write {value} to register {address} of unit {unit}")


def write_coils_request(unit: int, address: int, values: Sequence[bool]) -> Request:
    """Function 15: switch consecutive coils."""
    _check(unit, address, len(values), MAX_COILS_WRITTEN)
    pdu = _encoded(WriteMultipleCoilsRequest(address=address, bits=[bool(value) for value in values]))
    return Request(unit, 15, pdu, 0, pdu[:5], f"write {len(values)} coils at {address} of unit {unit}")


def write_registers_request(unit: int, address: int, values: Sequence[int]) -> Request:
    """Function 16: write consecutive registers, each 0..65535."""
    _check(unit, address, len(values), MAX_REGISTERS_WRITTEN)
    _check_words(values)
    pdu = _encoded(WriteMultipleRegistersRequest(address=address, registers=list(values)))
    return Request(unit, 16, pdu, 0, pdu[:5], f"write {len(values)} registers at {address} of unit {unit}")


def mask_register_request(unit: int, address: int, keep: int, put: int) -> Request:
    """Function 22: the device sets its register to (register & keep) | (put & ~keep)."""
    _check(unit, address, 1, 1)
    _check_words([keep, put])
    pdu = _encoded(MaskWriteRegisterRequest(address=address, and_mask=keep, or_mask=put))
    text = f"write {put} to the bits {0xFFFF & ~keep:#06x} of register {address} of unit {unit}"
    return Request(unit, 22, pdu, 0, pdu, text)


def _encoded(message: ModbusPDU) -> bytes:
    try:
        return bytes([message.function_code]) + message.encode()
    except (ModbusException, ValueError) as error:
        raise ConfigError(f"the request cannot be encoded: {error}") from error


def _check(unit: int, address: int, count: int, most: int) -> None:
    if not 0 <= unit <= 255:
        raise ConfigError(f"Modbus unit {unit} is not 0..255")
    if not 1 <= count <= most:
        raise ConfigError(f"{count} values in one Modbus request; 1..{most} are allowed")
    if address < 0 or address + count > 65536:
        raise ConfigError(f"Modbus addresses {address}..{address + count - 1} are not all in 0..65535")


def _check_words(values: Sequence[int]) -> None:
    for value in values:
        if not 0 <= value <= 0xFFFF:
            raise ConfigError(f"{value} does not fit a Modbus register; 0..65535 does")
