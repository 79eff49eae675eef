"""Registers and bits as plain arrays, for servers that tests and benchmarks fill by hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.servers.modbus_bank import COILS, DISCRETE, ILLEGAL_ADDRESS, TARGET_SILENT, ModbusFault


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
