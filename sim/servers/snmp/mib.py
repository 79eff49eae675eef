"""What an agent serves: a view of objects, and the table most simulated devices use.

`TableView` keeps its entries by their encoded OID, so that a GET looks up the request's own bytes and joins ready
bytes into the answer. `fork()` gives a further agent the same table; only what that agent changes is its own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, runtime_checkable

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
        old = self._cell(ber.encode_oid(oid))
        self._store(_Cell(oid, tag, value, old.write if old else None, old.check if old else None))

    def on_set(self, oid: Oid, function: Setter | None = None, check: Setter | None = None) -> None:
        """Make an object writable; KeyError when there is none at this OID.

        `function` receives the value and returns None or 0, or an error-status; `check` does the same before anything
        of the request is applied (e.g. wrongValue for a number out of range). Without a function the table just keeps
        the value. A constant object reads back what was accepted; a live one reads what its callable says.
        """
        cell = self._cell(ber.encode_oid(oid))
        if cell is None:
            raise KeyError(f"expected an object at {'.'.join(map(str, oid))} before making it writable")
        self._store(cell.with_writer(function or _accept, check))

    def get(self, oid: Oid) -> Value | None:
        """The value at exactly this OID, or None."""
        cell = self._cell(ber.encode_oid(oid))
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
        cell = self._cell(ber.encode_oid(oid))
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
        cell = self._cell(ber.encode_oid(oid))
        if status or cell is None or cell.write is None:
            return status
        status = cell.write(value) or OK
        if status == OK:
            now = self._cell(cell.wire)  # the setter may itself have put values
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

    def _cell(self, wire: bytes) -> _Cell | None:
        return self._cells.get(wire) or self._base.get(wire)

    def _store(self, cell: _Cell) -> None:
        if cell.wire not in self._cells and cell.wire not in self._base:
            if self._is_shared:
                self._oids, self._is_shared = list(self._oids), False
            self._is_sorted = self._is_sorted and (not self._oids or self._oids[-1] < cell.oid)
            self._oids.append(cell.oid)
            self._version += 1
        self._cells[cell.wire] = cell

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
