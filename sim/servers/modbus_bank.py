"""What a Modbus server reads and writes: the contract of a register bank, and a plain one for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

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


class ArrayBank:
    """Plain arrays, `size` registers and bits of each table for every unit in `units`; nothing is written at the start.

    Tables come to be when first used. A write to unit 0 goes to all units.
    """

    def __init__(self, units: tuple[int, ...] = (1,), size: int = 65536) -> None:
        self.units = units
        self.size = size
        self.writes = 0
        self._images: dict[tuple[int, int], NDArray[np.uint8]] = {}

    def image(self, unit: int, table: int) -> NDArray[np.uint8]:
        """The live array of one table: a byte (0 or 1) a bit, or two bytes a register."""
        image = self._images.get((unit, table))
        if image is None:
            if unit not in self.units:
                raise ModbusFault(TARGET_SILENT)
            image = np.zeros(self.size if table in (COILS, DISCRETE) else 2 * self.size, np.uint8)
            self._images[unit, table] = image
        return image

    def set_words(self, unit: int, table: int, address: int, words: list[int]) -> None:
        """Put 16-bit registers into table 3 or 4, as the device's own measurement would."""
        self.image(unit, table)[2 * address : 2 * (address + len(words))] = np.array(words, ">u2").view(np.uint8)

    def set_bits(self, unit: int, table: int, address: int, bits: list[bool]) -> None:
        """Put bits into table 1 or 2."""
        self.image(unit, table)[address : address + len(bits)] = bits

    def read(self, unit: int, table: int, address: int, count: int) -> bytes:
        """See RegisterBank."""
        image = self.image(unit, table)
        if address + count > self.size:
            raise ModbusFault(ILLEGAL_ADDRESS)
        if table in (COILS, DISCRETE):
            return np.packbits(image[address : address + count], bitorder="little").tobytes()
        return image[2 * address : 2 * (address + count)].tobytes()

    def write(self, unit: int, table: int, address: int, data: bytes, count: int) -> None:
        """See RegisterBank."""
        if address + count > self.size:
            raise ModbusFault(ILLEGAL_ADDRESS)
        self.writes += 1
        raw = np.frombuffer(data, np.uint8)
        for each in self.units if unit == 0 and 0 not in self.units else (unit,):
            if table == COILS:
                self.image(each, table)[address : address + count] = np.unpackbits(raw, count=count, bitorder="little")
            else:
                self.image(each, table)[2 * address : 2 * (address + count)] = raw
