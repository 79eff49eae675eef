"""The Modbus twin: a register bank made from a profile, filled from the plant, whose writes move the plant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.schema.profiles.modbus import ModbusControl, ModbusProfile, ModbusSignal
from sim.servers.modbus_bank import (
    COILS,
    DEVICE_FAILURE,
    DISCRETE,
    HOLDING,
    ILLEGAL_ADDRESS,
    ILLEGAL_VALUE,
    INPUT,
    TARGET_SILENT,
    ModbusFault,
)
from sim.twins.holding import Holding
from sim.twins.image import Column, absent_raw, from_words, limits_of, string_words, text_words, to_words
from sim.twins.points import Point, Twin, command_value, controls, points
from sim.twins.sources import MAX_AGE_S

TABLES = {"coil": COILS, "discrete": DISCRETE, "holding": HOLDING, "input": INPUT}
SIZE = 65536
MOST_PARTS = 1024
"""Ranges whose points are remembered; somebody who scans the whole map must not fill the memory."""


@dataclass(frozen=True)
class _Placed:
    """A point at its address."""

    point: Point
    spec: ModbusSignal
    address: int
    table: int


@dataclass(frozen=True)
class _Target:
    """A control at its address. `mask` are the bits of its register that are its own; 0: whole registers."""

    name: str
    spec: ModbusControl
    address: int
    length: int
    mask: int
    plant: str


class _Part:
    """The points that one range of one table shows, and when they were worked out last."""

    def __init__(self, bank_points: list[_Placed], table: int, first: int, end: int) -> None:
        self.table, self.first, self.end = table, first, end
        self.made_at = float("-inf")
        mine = [
            p for p in bank_points if p.table == table and p.address < end and first < p.address + p.spec.words_long
        ]
        self.partial = [p for p in mine if _is_partial(p)]
        self.others = [p for p in mine if not _is_partial(p)]
        self.column: Column | None = None
        self.singles: Callable[[], NDArray[np.float64]] = lambda: np.empty(0)

    def take_singles(self, is_single: Callable[[_Placed], bool], sources: Holding) -> None:
        """Put the points that can be read and encoded together into the column."""
        chosen = [p for p in self.others if is_single(p)]
        self.others = [p for p in self.others if not is_single(p)]
        if chosen:
            self.column = Column.of([(p.address, p.spec, p.point.is_raw) for p in chosen])
            self.singles = sources.together([p.point.number or _zero for p in chosen])


def _zero() -> float:
    return 0.0


def _is_partial(placed: _Placed) -> bool:
    spec = placed.spec
    return placed.table in (HOLDING, INPUT) and (spec.bit is not None or spec.mask is not None or bool(spec.flags))


def _place(base: int, stride: int, length: int, first: int, index: int | None) -> int:
    return base if index is None else base + (index - first) * (stride or length)


class ModbusBank:
    """Implements the register bank of the server. Unmapped addresses are refused, gaps inside a read give 0.

    What a request shows is made again when it is older than 50 ms of plant time, and no more than that: a poller asks
    for the same few ranges again and again. What was written to bits and registers that no signal reads stays as
    written.
    """

    def __init__(self, twin: Twin, unit: int) -> None:
        profile = twin.profile
        if not isinstance(profile, ModbusProfile):
            raise TypeError(f"expected a Modbus profile, got {profile.profile}")
        self.twin = twin
        self.unit = unit
        self.order = profile.modbus.order
        self._base = profile.modbus.address_base
        self._words = {table: np.zeros(SIZE, np.uint16) for table in (HOLDING, INPUT)}
        self._bits = {table: np.zeros(SIZE, np.uint8) for table in (COILS, DISCRETE)}
        self._mapped = {table: np.zeros(SIZE, bool) for table in TABLES.values()}
        self._kept: dict[int, int] = {}
        self._parts: dict[tuple[int, int, int], _Part] = {}
        self._scales = found = points(twin)
        self._placed_points = placed = [self._placed(point) for point in found.values()]
        self._targets = [self._target(entry) for entry in controls(twin)]
        self._covered = self._coverage([p for p in placed if _is_partial(p)])
        self._upkeep = self._tended(profile)

    # ---- layout

    def _placed(self, point: Point) -> _Placed:
        spec: ModbusSignal = point.spec
        address = _place(spec.address, spec.stride, spec.words_long, 1, point.index) - self._base
        table = TABLES[spec.table]
        self._mapped[table][address : address + spec.words_long] = True
        return _Placed(point, spec, address, table)

    def _target(self, entry: tuple[str, str, int | None, Any, str]) -> _Target:
        name, _, index, spec, _ = entry
        length = spec.words_long
        address = _place(spec.address, spec.stride, length, 1, index) - self._base
        mask = 1 << spec.bit if spec.bit is not None else spec.mask or 0
        table = COILS if spec.table == "coil" else HOLDING
        self._mapped[table][address : address + length] = True
        for write in spec.unlock:
            self._mapped[TABLES[write.table]][write.address - self._base] = True
        return _Target(name, spec, address, length, mask, self.twin.variable(spec.sim, index))

    def _tended(self, profile: ModbusProfile) -> set[int]:
        """Registers that the harness writes again and again: the clock and the watchdog. They take any value."""
        clock, watchdog = profile.modbus.clock, profile.modbus.watchdog
        places = [] if clock is None else [clock.address, clock.address + 1]
        places += [] if watchdog is None else [watchdog.address]
        self._mapped[HOLDING][[place - self._base for place in places]] = True
        return {place - self._base for place in places}

    def _is_simple(self, placed: _Placed) -> bool:
        """Whether the point is one whole 16-bit register in plain order."""
        spec = placed.spec
        is_word = spec.type in ("u16", "i16") and (spec.order or self.order) in ("ABCD", "CDAB")
        is_plain = is_word and spec.sign == "two" and not spec.scale_from
        return is_plain and placed.table in (HOLDING, INPUT) and not _is_partial(placed)

    def _coverage(self, partial: list[_Placed]) -> dict[int, int]:
        """Bits of each holding register that signals with a binding decide; the other bits stay as written."""
        covered: dict[int, int] = {}
        for placed in partial:
            if placed.table == HOLDING and placed.spec.sim is not None:
                for at, mask in enumerate(self._mask_words(placed)):
                    covered[placed.address + at] = covered.get(placed.address + at, 0) | mask
        return covered

    def _mask_words(self, placed: _Placed) -> list[int]:
        spec = placed.spec
        if spec.flags:
            mask = sum(1 << bit for bit in set(spec.flags.values()))
        elif spec.mask is not None:
            mask = spec.mask
        else:
            mask = (1 << spec.width) - 1 << (spec.bit or 0)
        return to_words(mask, f"u{16 * spec.words_long}", spec.order or self.order)

    # ---- reading

    def read(self, unit: int, table: int, address: int, count: int) -> bytes:
        """See RegisterBank."""
        self._admit(unit)
        self._refresh(self._part(table, address, count))
        if table in self._bits:
            return np.packbits(self._bits[table][address : address + count], bitorder="little").tobytes()
        return self._words[table][address : address + count].astype(">u2").tobytes()

    def identification(self, unit: int) -> Mapping[int, bytes]:
        """Vendor, product and revision for function 43/14."""
        self._admit(unit)
        return {0: b"Simulated", 1: self.twin.profile.profile.encode(), 2: b"1.0"}

    def _admit(self, unit: int) -> None:
        if unit != self.unit:
            raise ModbusFault(TARGET_SILENT)
        if self.twin.refuses:
            raise ModbusFault(DEVICE_FAILURE)

    def _part(self, table: int, address: int, count: int) -> _Part:
        """The points of a range; ILLEGAL_ADDRESS when nothing is there."""
        key = table, address, count
        part = self._parts.get(key)
        if part is None:
            if not self._mapped[table][address : address + count].any():
                raise ModbusFault(ILLEGAL_ADDRESS)
            if len(self._parts) >= MOST_PARTS:
                self._parts.clear()
            part = self._parts[key] = _Part(self._placed_points, table, address, address + count)
            part.take_singles(self._is_simple, self.twin.shown)
        return part

    def _refresh(self, part: _Part) -> None:
        """Fill a range of the image from the plant, unless it is fresh."""
        sources = self.twin.sources
        now = sources.now()
        if now - part.made_at < MAX_AGE_S:
            return
        sources.refresh()
        if part.table == HOLDING:
            for address, word in self._kept.items():
                if part.first <= address < part.end:
                    self._words[HOLDING][address] = word
        if part.column is not None:
            part.column.encode(part.singles(), self._words[part.table])
        if part.partial:
            self._compose(part)
        for placed in part.others:
            self._encode(placed)
        part.made_at = now

    def _compose(self, part: _Part) -> None:
        """Registers that several points share bit by bit."""
        composed: dict[int, int] = {}
        for placed in part.partial:
            if placed.spec.sim is None or placed.point.number is None:
                continue
            for at, word in enumerate(self._partial_words(placed), placed.address):
                composed[at] = composed.get(at, 0) | word
        image = self._words[part.table]
        for address, word in composed.items():
            if part.first <= address < part.end:  # of what lies beyond, other points may know more
                kept = self._kept.get(address, 0) & ~self._covered.get(address, 0) if part.table == HOLDING else 0
                image[address] = kept & 0xFFFF | word

    def _partial_words(self, placed: _Placed) -> list[int]:
        spec = placed.spec
        raw = int(placed.point.number() if placed.point.number else 0.0)
        if spec.mask is not None:
            raw = (spec.mask & -spec.mask) if raw else 0
        elif spec.bit is not None:
            raw = (raw & (1 << spec.width) - 1) << spec.bit
        if spec.words_long == 1 and (spec.order or self.order) in ("ABCD", "CDAB"):
            return [raw & 0xFFFF]
        return to_words(raw, f"u{16 * spec.words_long}", spec.order or self.order)

    def _encode(self, placed: _Placed) -> None:
        """A text, a number of several registers, or a bit of a bit table."""
        point, spec, at = placed.point, placed.spec, placed.address
        if point.text is not None:
            if spec.type == "string":
                words = string_words(point.text(), spec.length, swap=spec.swap_string, characters=spec.characters)
            else:
                words = text_words(point.text(), spec.type, spec.words_long, spec.order or self.order)
        else:
            raw = self._raw(point, spec)
            if placed.table in self._bits:
                self._bits[placed.table][at] = 1 if raw else 0
                return
            words = to_words(raw, spec.type, spec.order or self.order)
        if spec.type[1:2] == "8":  # the other byte of the register is another point's
            other = 0x00FF if spec.type.endswith("high") else 0xFF00
            words = [words[0] | int(self._words[placed.table][at]) & other]
        self._words[placed.table][at : at + len(words)] = words

    def _raw(self, point: Point, spec: ModbusSignal) -> float:
        value = point.number() if point.number else 0.0
        if spec.scale_from:
            scale = self._scales[spec.scale_from].number
            value /= 10.0 ** (scale() if scale else 0.0)
        if value != value:
            return absent_raw(spec)
        raw = value if point.is_raw else (value - spec.offset) * 2.0**spec.precision / spec.scale
        if spec.type in ("f16", "f32", "f64"):
            return raw
        if spec.counter:
            raw %= 2.0**spec.counter
        low, high = limits_of(spec)
        raw = float(min(max(round(raw), low), high))
        if spec.sign == "magnitude" and raw < 0:
            return -raw + 2.0 ** (16 * spec.words_long - 1)
        return raw

    # ---- writing

    def write(self, unit: int, table: int, address: int, data: bytes, count: int) -> None:
        """See RegisterBank. Everything is checked before anything moves."""
        self._admit(unit)
        self._refresh(self._part(table, address, count))
        if table == COILS:
            values = [data[at // 8] >> at % 8 & 1 for at in range(count)]
            before = {address + at: int(self._bits[COILS][address + at]) for at in range(count)}
        else:
            values = np.frombuffer(data, ">u2").tolist()
            before = {address + at: int(self._words[HOLDING][address + at]) for at in range(count)}
        after = {address + at: int(value) for at, value in enumerate(values)}
        moves = self._moves(table, before, after)
        if self.twin.sticks:
            return
        for target, value, unit_name in moves:
            try:
                self.twin.command(target.plant, value, unit_name)
            except ValueError:
                raise ModbusFault(ILLEGAL_VALUE) from None
        if table == COILS:
            self._bits[COILS][address : address + count] = values
        else:
            self._kept.update(after)
        for part in self._parts.values():
            part.made_at = float("-inf")

    def _moves(self, table: int, before: dict[int, int], after: dict[int, int]) -> list[tuple[_Target, float, str]]:
        known: set[int] = set(self._upkeep) if table == HOLDING else set()
        moves: list[tuple[_Target, float, str]] = []
        refused: dict[int, ModbusFault] = {}
        taken: set[int] = set()
        for target in self._targets:
            mine = range(target.address, target.address + target.length)
            for write in target.spec.unlock:
                if TABLES[write.table] == table:
                    known.add(write.address - self._base)
            is_coil = target.spec.table == "coil"
            if is_coil != (table == COILS) or not any(at in after for at in mine):
                continue
            if not all(at in after for at in mine):
                raise ModbusFault(ILLEGAL_VALUE)  # half of a number
            known.update(mine)
            try:
                move = self._move(target, [before[at] for at in mine], [after[at] for at in mine])
            except ModbusFault as fault:
                refused.setdefault(target.address, fault)
                continue
            taken.add(target.address)
            if move is not None:
                moves.append(move)
        for address, reason in refused.items():
            if address not in taken:  # of several controls of one register, one must know the value
                raise reason
        if any(at not in known for at in after):
            raise ModbusFault(ILLEGAL_ADDRESS)
        return moves

    def _move(self, target: _Target, before: list[int], after: list[int]) -> tuple[_Target, float, str] | None:
        """What a write means for the plant; None when the bits of this control stay as they are."""
        spec = target.spec
        if target.mask:
            if (before[0] ^ after[0]) & target.mask == 0:
                return None
            raw = float(after[0] & target.mask)
            if spec.bit is not None:
                raw = 1.0 if raw else 0.0
        else:
            raw = from_words(after, "u16" if spec.type == "bool" else spec.type, spec.order or self.order)
        if spec.commands:
            word = next((word for word, code in spec.commands.items() if code == raw), None)
            if word is None:
                if target.mask or (spec.pulse and raw == 0):
                    return None  # a state of the bits that no word stands for, or the end of a pulse
                raise ModbusFault(ILLEGAL_VALUE)
            return (target, command_value(spec, word, raw), "") if target.plant else None
        value = spec.offset + spec.scale * raw / 2.0**spec.precision
        if spec.range is not None and not spec.range[0] - 1e-9 <= value <= spec.range[1] + 1e-9:
            raise ModbusFault(ILLEGAL_VALUE)
        return (target, value, spec.unit) if target.plant else None
