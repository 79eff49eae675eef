"""What an agent serves: a view of objects, and the table most simulated devices use.

`TableView` keeps its entries by their encoded OID, so that a GET looks up the request's own bytes and joins ready
bytes into the answer. `fork()` gives a further agent the same table; only what that agent changes is its own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sim.servers.snmp import ber, values
from sim.servers.snmp.status import NO_CREATION, NOT_WRITABLE, OK, WRONG_TYPE
from sim.servers.snmp.values import Raw, Value

Oid = tuple[int, ...]
Live = Callable[[], Raw]
Entry = tuple[Oid, int, "Raw | Live"]
Setter = Callable[[Value], "int | None"]


class MibView(Protocol):
    """The objects of one agent, in lexicographic order."""

    def get(self, oid: Oid) -> Value | None:
        """The value at exactly this OID, or None."""
        ...

    def next(self, oid: Oid) -> tuple[Oid, Value] | None:
        """The first object after this OID, or None at the end."""
        ...

    def check(self, oid: Oid, value: Value) -> int:
        """Whether `set` would take this value: 0 or an SNMP error-status. Changes nothing."""
        ...

    def set(self, oid: Oid, value: Value) -> int:
        """Apply a checked value: 0 or an SNMP error-status."""
        ...


@runtime_checkable
class WireView(Protocol):
    """A view that also answers in encoded form: OID TLV in, VarBind TLV out."""

    def binding(self, wire: bytes) -> bytes | None:
        """The encoded VarBind of the object with this encoded OID, or None."""
        ...

    def following(self, oid: Oid) -> Iterator[tuple[Oid, bytes]]:
        """The objects after this OID, in order, with their encoded VarBinds."""
        ...


class _Cell:
    """One object. Never changed once made, so that forks can share it (but for the last bytes, kept for next time)."""

    __slots__ = ("_last", "_rendered", "binding", "check", "constant", "oid", "read", "tag", "wire", "write")

    def __init__(
        self, oid: Oid, tag: int, value: Raw | Live, write: Setter | None = None, check: Setter | None = None
    ) -> None:
        self.oid = oid
        self.wire = ber.encode_oid(oid)
        self.tag = tag
        self.write = write
        self.check = check
        self.read: Live | None = None
        self.constant: Raw = None
        self.binding: bytes | None = None
        self._last: Raw = None
        self._rendered: bytes | None = None
        if callable(value):
            self.read = value
        else:
            self.constant = value
            self.binding = ber.tlv(ber.SEQUENCE, self.wire + values.encode(tag, value))

    def value(self) -> Raw:
        """What the object reads now."""
        return self.constant if self.read is None else self.read()

    def render(self) -> bytes | None:
        """The VarBind of a live object, or None while it is absent."""
        if self.read is None:
            return self.binding
        value = self.read()
        if value is None and self.tag != values.NULL:
            return None
        if self._rendered is None or value != self._last or type(value) is not type(self._last):
            body = self.wire + values.encode(self.tag, value)
            self._rendered = bytes((0x30, len(body))) + body if len(body) < 0x80 else ber.tlv(ber.SEQUENCE, body)
            self._last = value
        return self._rendered

    def with_writer(self, write: Setter, check: Setter | None) -> _Cell:
        """The same object, writable."""
        return _Cell(self.oid, self.tag, self.constant if self.read is None else self.read, write, check)

    def with_value(self, value: Raw) -> _Cell:
        """The same object with another constant value."""
        return _Cell(self.oid, self.tag, value, self.write, self.check)


class Rounded:
    """A live whole number: (read() - offset) * factor, rounded; `absent` when there is nothing to read (NaN)."""

    __slots__ = ("absent", "factor", "offset", "read")

    def __init__(self, read: Callable[[], float], offset: float, factor: float, absent: float) -> None:
        self.read = read
        self.offset = offset
        self.factor = factor
        self.absent = absent

    def exact(self) -> float:
        """The number before it is rounded."""
        value = self.read()
        return self.absent if value != value else (value - self.offset) * self.factor

    def __call__(self) -> int:
        """The number."""
        return round(self.exact())


Together = Callable[[Sequence[Callable[[], float]]], Callable[[], NDArray[np.float64]]]
"""Makes one function that calls many (float64[n])."""

_WIDEST = {
    values.INTEGER: (-0x80000000, 0x7FFFFFFF),
    values.COUNTER32: (0, 0xFFFFFFFF),
    values.GAUGE32: (0, 0xFFFFFFFF),
    values.TIMETICKS: (0, 0xFFFFFFFF),
    values.COUNTER64: (0, 0x7FFFFFFFFFFFFFFF),
}


class CellList:
    """A list of cells to be read together, beneath the codec; `tags` are theirs."""

    def __init__(self, view: TableView, wires: Sequence[bytes], together: Together) -> None:
        self._view = view
        self._together = together
        self._wires = wires
        self.tags: tuple[int, ...] = ()
        self._take_up()

    def _take_up(self) -> None:
        view = self._view
        self._changes = view.changes
        cells = [view.cell(wire) for wire in self._wires]
        self._is_whole = all(c is not None and (c.tag in _WIDEST or c.tag == values.OCTETS) for c in cells)
        found = [c for c in cells if c is not None] if self._is_whole else []
        self.tags = tuple(c.tag for c in found)
        count = len(found)
        self._numbers = np.full(count, np.nan)
        self._offset, self._factor, self._absent = np.zeros(count), np.ones(count), np.full(count, np.nan)
        self._low, self._high = np.full(count, -np.inf), np.full(count, np.inf)
        self._texts: dict[int, bytes] = {}
        self._live_texts: list[tuple[int, Live]] = []
        places: list[int] = []
        reads: list[Callable[[], float]] = []
        for k, c in enumerate(found):
            if c.tag == values.OCTETS:
                if c.read is not None:
                    self._live_texts.append((k, c.read))
                elif isinstance(c.constant, bytes):
                    self._texts[k] = c.constant
            elif c.read is None:
                self._numbers[k] = values.in_range(c.tag, c.constant) if isinstance(c.constant, int) else np.nan
            else:
                places.append(k)
                self._low[k], self._high[k] = _WIDEST[c.tag]
                if isinstance(c.read, Rounded):
                    reads.append(c.read.read)
                    self._offset[k], self._factor[k] = c.read.offset, c.read.factor
                    self._absent[k] = round(c.read.absent)
                else:
                    reads.append(c.read)  # type: ignore[arg-type]
        self._read = self._together(reads)
        chosen = self._places = np.array(places, np.intp)
        self._offset, self._factor, self._absent = self._offset[chosen], self._factor[chosen], self._absent[chosen]
        self._low, self._high = self._low[chosen], self._high[chosen]

    def values(self) -> tuple[NDArray[np.float64], Mapping[int, bytes]] | None:
        """Numbers (float64[n], NaN for texts) and texts by place; None when one is absent or does not fit its type."""
        if self._changes != self._view.changes:
            self._take_up()
        if not self._is_whole:
            return None
        numbers = self._numbers.copy()
        raw = self._read()  # None, for an object that is absent now, comes as NaN
        raw -= self._offset
        raw *= self._factor
        np.rint(raw, out=raw)
        raw += 0.0  # an integer has no negative zero
        missing = raw != raw
        if np.count_nonzero(missing):
            raw[missing] = self._absent[missing]
        if not ((raw >= self._low) & (raw <= self._high)).all():
            return None
        numbers[self._places] = raw
        if not self._live_texts:
            return numbers, self._texts
        texts = dict(self._texts)
        for k, read in self._live_texts:
            text = read()
            if not isinstance(text, bytes):
                return None
            texts[k] = text
        return numbers, texts


def _accept(_: Value) -> int:
    """The setter of a plain writable object: the table keeps the value."""
    return OK


class TableView:
    """Objects sorted by OID; each is a constant or a callable that is asked at every request.

    A callable that returns None (for a tag other than NULL) makes its object absent for now: noSuchInstance in a GET,
    passed over by a walk. Callables must be quick and must not block: they run inside the agent's answer.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._cells: dict[bytes, _Cell] = {}
        self._base: dict[bytes, _Cell] = {}
        self._oids: list[Oid] = []
        self._is_sorted = True
        self._is_shared = False
        self._version = 0
        self.changes = 0
        """Counts what was put or replaced, so that lists of cells know when to look again."""
        for oid, tag, value in entries:
            self.put(oid, tag, value)

    def __len__(self) -> int:
        return len(self._oids)

    def __iter__(self) -> Iterator[Oid]:
        self._sort()
        return iter(tuple(self._oids))

    def fork(self) -> TableView:
        """Another table with the same objects and setters; later changes to either do not show in the other."""
        self._sort()
        if self._cells:
            self._base = {**self._base, **self._cells}
            self._cells = {}
        twin = TableView()
        twin._base, twin._oids = self._base, self._oids
        twin._is_shared = self._is_shared = True
        return twin

    def put(self, oid: Oid, tag: int, value: Raw | Live) -> None:
        """Add or replace an object; keeps the setter of a replaced one. TypeError or ValueError on a misfit."""
        if tag not in values.TAGS:
            raise ValueError(f"expected a tag of RFC 2578, got 0x{tag:02x}")
        old = self.cell(ber.encode_oid(oid))
        self._store(_Cell(oid, tag, value, old.write if old else None, old.check if old else None))

    def on_set(self, oid: Oid, function: Setter | None = None, check: Setter | None = None) -> None:
        """Make an object writable; KeyError when there is none at this OID.

        `function` receives the value and returns None or 0, or an error-status; `check` does the same before anything
        of the request is applied (e.g. wrongValue for a number out of range). Without a function the table just keeps
        the value. A constant object reads back what was accepted; a live one reads what its callable says.
        """
        cell = self.cell(ber.encode_oid(oid))
        if cell is None:
            raise KeyError(f"expected an object at {'.'.join(map(str, oid))} before making it writable")
        self._store(cell.with_writer(function or _accept, check))

    def get(self, oid: Oid) -> Value | None:
        """The value at exactly this OID, or None."""
        cell = self.cell(ber.encode_oid(oid))
        if cell is None:
            return None
        value = cell.value()
        return None if value is None and cell.tag != values.NULL else Value(cell.tag, value)

    def next(self, oid: Oid) -> tuple[Oid, Value] | None:
        """The first object after this OID, or None at the end."""
        self._sort()
        for at in range(bisect_right(self._oids, oid), len(self._oids)):
            value = self.get(self._oids[at])
            if value is not None:
                return self._oids[at], value
        return None

    def check(self, oid: Oid, value: Value) -> int:
        """Whether a SET would be taken: 0, noCreation, notWritable, wrongType, or what the object's check says."""
        cell = self.cell(ber.encode_oid(oid))
        if cell is None:
            return NO_CREATION
        if cell.write is None:
            return NOT_WRITABLE
        if value.tag != cell.tag:
            return WRONG_TYPE
        return (cell.check(value) or OK) if cell.check else OK

    def set(self, oid: Oid, value: Value) -> int:
        """Check and apply: 0 or an SNMP error-status."""
        status = self.check(oid, value)
        cell = self.cell(ber.encode_oid(oid))
        if status or cell is None or cell.write is None:
            return status
        status = cell.write(value) or OK
        if status == OK:
            now = self.cell(cell.wire)  # the setter may itself have put values
            if now is cell and cell.read is None:
                self._store(cell.with_value(value.value))
        return status

    def binding(self, wire: bytes) -> bytes | None:
        """The encoded VarBind of the object with this encoded OID, or None."""
        cell = self._cells.get(wire) or self._base.get(wire)
        if cell is None:
            return None
        return cell.binding or cell.render()

    def following(self, oid: Oid) -> Iterator[tuple[Oid, bytes]]:
        """The objects after this OID, in order, with their encoded VarBinds; follows changes made meanwhile."""
        self._sort()
        at, version, oids = bisect_right(self._oids, oid), self._version, self._oids
        while at < len(oids):
            oid = oids[at]
            binding = self.binding(ber.encode_oid(oid))
            if binding is not None:
                yield oid, binding
            at += 1
            if version != self._version:
                self._sort()
                at, version, oids = bisect_right(self._oids, oid), self._version, self._oids

    def cell(self, wire: bytes) -> _Cell | None:
        """The object with this encoded OID, or None."""
        return self._cells.get(wire) or self._base.get(wire)

    def _store(self, cell: _Cell) -> None:
        if cell.wire not in self._cells and cell.wire not in self._base:
            if self._is_shared:
                self._oids, self._is_shared = list(self._oids), False
            self._is_sorted = self._is_sorted and (not self._oids or self._oids[-1] < cell.oid)
            self._oids.append(cell.oid)
            self._version += 1
        self._cells[cell.wire] = cell
        self.changes += 1

    def below(self, root: Oid) -> list[tuple[str, int, int | bytes]] | None:
        """Dotted OID, tag and value of the objects below `root`; None when one is neither a number nor a text."""
        self._sort()
        found: list[tuple[str, int, int | bytes]] = []
        for at in range(bisect_right(self._oids, root), len(self._oids)):
            oid = self._oids[at]
            if oid[: len(root)] != root:
                break
            cell = self.cell(ber.encode_oid(oid))
            value = None if cell is None else cell.value()
            if cell is None or value is None:
                continue
            if isinstance(value, int) and cell.tag in values.INTEGER_TAGS:
                value = values.in_range(cell.tag, value)
            elif not isinstance(value, bytes) or cell.tag != values.OCTETS:
                return None
            found.append((".".join(map(str, oid)), cell.tag, value))
        return found

    def cells(self, oids: Sequence[Oid], together: Together) -> CellList | None:
        """These objects, to be read `together` again and again; None when one of them does not exist."""
        wires = [ber.encode_oid(oid) for oid in oids]
        return None if any(self.cell(wire) is None for wire in wires) else CellList(self, wires, together)

    def _sort(self) -> None:
        if not self._is_sorted:
            self._oids.sort()
            self._is_sorted = True


class EncodedView:
    """Gives any `MibView` the encoded form, at the price of encoding every value at every request."""

    def __init__(self, view: MibView) -> None:
        self._view = view

    def binding(self, wire: bytes) -> bytes | None:
        """The encoded VarBind of the object with this encoded OID, or None."""
        value = self._view.get(ber.decode_oid(wire))
        return None if value is None else ber.tlv(ber.SEQUENCE, wire + values.encode(*value))

    def following(self, oid: Oid) -> Iterator[tuple[Oid, bytes]]:
        """The objects after this OID, in order, with their encoded VarBinds."""
        while (found := self._view.next(oid)) is not None:
            oid, value = found
            yield oid, ber.tlv(ber.SEQUENCE, ber.encode_oid(oid) + values.encode(*value))
