"""What a Modbus server reads and writes: the contract of a register bank, and a plain one for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

ILLEGAL_FUNCTION = 1
ILLEGAL_ADDRESS = 2
ILLEGAL_VALUE = 3
DEVICE_FAILURE = 4
TARGET_SILENT = 0x0B
"""Gateway target device failed to respond; on a serial bus, where there is no gateway to say so, silence."""

COILS = 1
DISCRETE = 2
HOLDING = 3
INPUT = 4


class ModbusFault(Exception):  # noqa: N818 (the protocol calls them exceptions, not errors)
    """The device refuses: `code` is the exception code of the Modbus Application Protocol, section 7."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Modbus exception {code:#04x}")
        self.code = code


class RegisterBank(Protocol):
    """The registers behind one server. Tables are named by the function that reads them: 1, 2 (bits), 3, 4 (words).

    The server has checked counts and that address + count does not pass 65536; the bank refuses what it does not
    have by raising ModbusFault. On a serial line unit 0 is the broadcast: written by all, answered by none.
    """

    def read(self, unit: int, table: int, address: int, count: int) -> bytes:
        """Bits packed least significant first in ceil(count / 8) bytes, or big-endian words in 2 * count bytes."""
        ...

    def write(self, unit: int, table: int, address: int, data: bytes, count: int) -> None:
        """Store coils (table 1) or holding registers (table 3), in the form that `read` gives."""
        ...


@runtime_checkable
class IdentifiedBank(Protocol):
    """A bank that also answers function 43/14, read device identification."""

    def identification(self, unit: int) -> Mapping[int, bytes]:
        """Objects by id: 0 vendor, 1 product code, 2 revision (all three mandatory), 3 to 6 regular, 128.. private."""
        ...
