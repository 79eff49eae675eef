"""Registers as mbpoll prints them, or as a table of addresses and words, and a bank that has these and no others."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from sim.servers.modbus_bank import COILS, DISCRETE, HOLDING, ILLEGAL_ADDRESS, INPUT, ModbusFault
from tests.cases.lines import Lines

TABLES = {"coils": COILS, "discrete": DISCRETE, "holding": HOLDING, "input": INPUT}
_OF_MBPOLL = {
    "discrete output (coil)": COILS,
    "discrete input": DISCRETE,
    "16-bit register, output (holding) register table": HOLDING,
    "16-bit register, input register table": INPUT,
}
_POLLED = re.compile(r"\[([0-9]+)\]:\s+(?:0x([0-9A-Fa-f]{1,4})|([0-9]+)(?: \(-[0-9]+\))?)")
_PLAIN = re.compile(r"(0x[0-9A-Fa-f]+|[0-9]+|rest):\s*(.+)")
_WORD = re.compile(r'\s*(?:([0-9A-Fa-f]{4})|"([^"]*)")(?=\s|$)')
_FORM = 'expected like: 0x9202: 0110 "text"   or as mbpoll prints it: [37379]: 0x0110'


class SparseBank:
    """Registers that are there, the same for every unit; what is not there is refused, or answers `rest`."""

    def __init__(self) -> None:
        self.words: dict[int, dict[int, int]] = {table: {} for table in TABLES.values()}
        """Table: address: word or bit."""
        self.rest: dict[int, int] = {}
        """Table: what every other address of it answers."""

    def put(self, table: int, address: int, words: list[int]) -> None:
        """Have these registers, or bits."""
        self.words[table].update(enumerate(words, start=address))

    def read(self, unit: int, table: int, address: int, count: int) -> bytes:
        """See RegisterBank."""
        filler = self.rest.get(table)
        found = [self.words[table].get(at, filler) for at in range(address, address + count)]
        if None in found:
            raise ModbusFault(ILLEGAL_ADDRESS)
        if table in (COILS, DISCRETE):
            return np.packbits(np.array(found, np.uint8), bitorder="little").tobytes()
        return np.array(found, ">u2").tobytes()

    def write(self, unit: int, table: int, address: int, data: bytes, count: int) -> None:
        """See RegisterBank: it is only read."""
        raise ModbusFault(ILLEGAL_ADDRESS)


def read_registers(path: Path) -> SparseBank:
    """The registers of a file; ProblemsError names every line that is none."""
    lines, reader = Lines(path), _Reader()
    for line in lines.reported():
        try:
            reader.take(line.strip())
        except ValueError as error:
            lines.wrong(str(error))
    lines.check()
    return reader.bank


class _Reader:
    """Takes line after line: which table is meant, how numbers in brackets count, and what stands where."""

    def __init__(self) -> None:
        self.bank = SparseBank()
        self._table = 0
        self._first: int | None = None
        self._is_head = False

    def take(self, line: str) -> None:
        """Understand one line."""
        if line.startswith("mbpoll "):
            self._is_head = True
        elif line.startswith("Data type"):
            self._table = self._of_mbpoll(line.partition(": ")[2])
        elif line.startswith("-- Polling"):
            self._is_head = False
        elif line in TABLES:
            self._table = TABLES[line]
        elif line in ("from 0", "from 1"):
            self._first = int(line[-1])
        elif not self._is_head:
            self._put(line)

    @staticmethod
    def _of_mbpoll(kind: str) -> int:
        if kind not in _OF_MBPOLL:
            raise ValueError(f"{kind!r} are no plain registers: poll with -t 0, 1, 3:hex or 4:hex")
        return _OF_MBPOLL[kind]

    def _put(self, line: str) -> None:
        polled, plain = _POLLED.fullmatch(line), _PLAIN.fullmatch(line)
        if polled is None and plain is None:
            raise ValueError(f"{line[:60]!r} is no register; {_FORM}")
        if not self._table:
            raise ValueError(f"which table? write one of {', '.join(TABLES)} above")
        if polled is not None:
            if self._first is None:
                raise ValueError("how are registers counted? write `from 1` above (mbpoll), or `from 0` (mbpoll -0)")
            address, words = int(polled[1]) - self._first, [int(polled[2], 16) if polled[2] else int(polled[3])]
        else:
            assert plain is not None
            words = self._words(plain[2])
            if plain[1] == "rest":
                if len(words) != 1:
                    raise ValueError("rest is one word that every other address answers")
                self.bank.rest[self._table] = words[0]
                return
            address = int(plain[1], 0)
        self._store(address, words)

    def _store(self, address: int, words: list[int]) -> None:
        most = 1 if self._table in (COILS, DISCRETE) else 0xFFFF
        if address < 0 or address + len(words) > 0x10000 or max(words) > most:
            raise ValueError(f"expected addresses of 0 to 65535 and values of 0 to {most}")
        if twice := [at for at in range(address, address + len(words)) if at in self.bank.words[self._table]]:
            raise ValueError(f"address {twice[0]} stands here a second time")
        self.bank.put(self._table, address, words)

    def _words(self, text: str) -> list[int]:
        """Words in four hexadecimal digits, and texts in quotes, which end with a zero byte where they are odd."""
        if self._table in (COILS, DISCRETE):
            if re.fullmatch(r"[01](?:\s+[01])*", text) is None:
                raise ValueError(f"{text[:60]!r} are no bits: write 0 and 1 with blanks between")
            return [int(bit) for bit in text.split()]
        words: list[int] = []
        at = 0
        while at < len(text.rstrip()):
            match = _WORD.match(text, at)
            if match is None:
                raise ValueError(f'{text[at:].strip()[:60]!r} is neither a word of four hex digits nor a "text"')
            at = match.end()
            data = bytes.fromhex(match[1]) if match[1] else match[2].encode()
            data += b"\0" * (len(data) % 2)
            words += [int.from_bytes(data[k : k + 2], "big") for k in range(0, len(data), 2)]
        return words
