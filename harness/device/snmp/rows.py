"""What a device really has: rows of tables, labels and scales found by walking, once at open.

A profile says where things are by table, label and unit; the devices of a family differ in counts and indices. Here
every point of the profile gets its OID on this device (`Bound`), or is left out.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from harness.device.points import Expansion, SignalPoint, fill
from harness.device.snmp.values import Part, label_of
from harness.quantity import convert, unit
from harness.schema.profiles.snmp import SnmpBind, SnmpFallback, SnmpProfile, SnmpRepeat, SnmpSignal
from harness.transport.snmp import SnmpClient, VarBind

_AT_ONCE = 2000
"""Rows of a table that are looked at in one turn of the loop."""
_ENTITY_SCALE = {code: 10.0 ** (3 * (code - 9)) for code in range(1, 18)}
"""EntitySensorDataScale of RFC 3433: yocto(1) ... units(9) ... yotta(17)."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a point is read, and what the device says of its scale: the profile's is applied to factor * raw + shift.

    `join` are further OIDs: texts that are appended, or the other summands of a sum (`parts` has one for each).
    """

    oid: str
    factor: float = 1.0
    shift: float = 0.0
    is_decibels: bool = False
    """The number is a power, factor * raw in W, and wanted in dBm."""
    join: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    status: tuple[str, ...] = ()
    """OIDs beside the value that say whether it is one, asked behind `join`; each must read as one of `accepted`."""
    accepted: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[str, ...]:
        """All OIDs that it is read from, in their order."""
        return (self.oid, *self.join, *self.status)

    @property
    def is_plain(self) -> bool:
        """Whether it is one number and nothing else."""
        return not (self.join or self.parts or self.status or self.is_decibels)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: its index on the wire and its name."""

    index: str
    label: str = ""


class Finder:
    """Finds the rows and OIDs of one device. Every column is walked at most once until `forget`."""

    def __init__(
        self, profile: SnmpProfile, expansion: Expansion, client: SnmpClient, parameters: Mapping[str, int]
    ) -> None:
        self.rows: dict[str, list[Row]] = {}
        self.left_out: dict[str, int] = {}
        """Repetitions of which the device has more rows than the profile counts, and how many more."""
        self._profile = profile
        self._expansion = expansion
        self._client = client
        self._parameters = {**profile.parameters, **parameters}
        self._walked: dict[str, dict[str, VarBind]] = {}
        self._by_label: dict[str, dict[str, list[str]]] = {}
        self._by_part: dict[tuple[str, int], dict[str, tuple[int, str]]] = {}

    def forget(self) -> None:
        """Walk again at the next look."""
        self._walked.clear()
        self._by_label.clear()
        self._by_part.clear()

    def fill(self, template: str, index: object) -> str:
        """A template with the index of a row and the parameters of the device put in."""
        return fill(template, index, self._parameters)

    async def find(self) -> tuple[list[SignalPoint], dict[str, Bound]]:
        """The points that this device has, and where each is read; a text without a place reads as ''."""
        self.forget()
        self.rows.clear()
        self.left_out.clear()
        named = await self._named_rows()
        for group, repeat in self._profile.repeat.items():
            if repeat.walk:
                rows = await self._find_rows(repeat)
                rows = self.rows[group] = [row for row in rows if not (repeat.others and row.index in named)]
                if len(rows) > repeat.count:
                    self.left_out[group] = len(rows) - repeat.count
        points: list[SignalPoint] = []
        found: dict[str, Bound] = {}
        for point in self._expansion.signals.values():
            spec = _snmp(point)
            if point.group in self.rows and point.row > len(self.rows[point.group]):
                continue
            bound = await self.bind(point)
            if bound is not None:
                found[point.name] = bound
            elif spec.optional and not spec.is_text and not spec.sum_of:
                continue
            points.append(point)
        absent = await self._absent(points, found)
        for name in absent:
            del found[name]
        points = [p for p in points if p.name not in absent]
        await self.find_factors(points, found)
        return self.add_sums(points, found), found

    # --- rows --------------------------------------------------------------------------------------------------------

    async def _named_rows(self) -> set[str]:
        """Indices of the rows that signals are bound to by name."""
        found = [
            await self._by_name(spec, spec.bind, Row("0"))
            for spec in self._profile.signals.values()
            if spec.bind is not None
        ]
        return {index for index in found if index is not None}

    async def _find_rows(self, repeat: SnmpRepeat) -> list[Row]:
        """The rows of a repetition, in the order of their indices."""
        columns = [await self._walk(self.fill(column, 0)) for column in repeat.walk]
        indices = {index for column in columns for index in column}
        for rule in repeat.where:
            texts = await self._walk(self.fill(rule.column, 0))
            words = {self.fill(str(word), 0) for word in rule.one_of}
            shown = {index: label_of(answer) for index, answer in texts.items()}
            passed = {index for index, text in shown.items() if text in words or rule.holds(text)}
            indices &= passed | (indices - texts.keys() if rule.absent else set())
        labels = [await self._walk(self.fill(repeat.labels, 0))] if repeat.labels else columns
        await asyncio.sleep(0)
        return [
            Row(index, next((label_of(column[index]) for column in labels if index in column), ""))
            for index in sorted(indices, key=_as_numbers)
        ]

    async def _walk(self, column: str) -> dict[str, VarBind]:
        """The instances of a column by their index; for `COLUMN.*.1` see `SnmpRepeat.walk`."""
        root, star, tail = column.partition(".*")
        if root not in self._walked:
            answers = await self._client.walk(root)
            self._walked[root] = {answer.oid[len(root) + 1 :]: answer for answer in answers}
        found = self._walked[root]
        if not star:
            return found
        return {index.removesuffix(tail): answer for index, answer in found.items() if index.endswith(tail)}

    async def _labelled(self, column: str) -> dict[str, list[str]]:
        """Indices of a column by their text in lower case."""
        if column not in self._by_label:
            rows = self._by_label[column] = {}
            for count, (index, answer) in enumerate((await self._walk(column)).items()):
                if count % _AT_ONCE == _AT_ONCE - 1:
                    await asyncio.sleep(0)
                rows.setdefault(label_of(answer).lower(), []).append(index)
        return self._by_label[column]

    def row(self, group: str, number: int) -> Row:
        """Index and name of a row of a repetition, counted from 1; 0: the scalars."""
        if not number:
            return Row("0")
        if group in self.rows:
            return self.rows[group][number - 1]
        return Row(str(self._profile.repeat[group].first + number - 1))

    # --- places ------------------------------------------------------------------------------------------------------

    async def bind(self, point: SignalPoint) -> Bound | None:
        """Where a point is read, before its scale is known; None when its label or row is not there."""
        spec = _snmp(point)
        if spec.sum_of:
            return None
        row = self.row(point.group, point.row)
        oid = self.fill(spec.oid, row.index)
        if spec.first_row:
            for column in (oid, *(self.fill(_oid(each), row.index) for each in spec.fallbacks)):
                if instances := await self._walk(column):
                    return Bound(f"{column}.{min(instances, key=_as_numbers)}")
            return None
        if spec.bind is not None:
            index = await self._by_name(spec, spec.bind, row)
            return Bound(f"{oid}.{index}") if index is not None else None
        if spec.lookup is None:
            return Bound(oid)
        keys = {row.index}
        if spec.lookup.labels:
            rows = await self._labelled(self.fill(spec.lookup.labels, row.index))
            wanted = [word.replace("{label}", row.label).lower() for word in spec.lookup.equals]
            keys = set(next((rows[word] for word in wanted if word in rows), []))
        places = await self._places(oid, spec.lookup.part)
        found = min((places[key] for key in keys if key in places), default=None)
        if found is None:
            return None
        index = found[1]
        join = tuple(f"{self.fill(column, row.index)}.{index}" for column in spec.lookup.join)
        return Bound(f"{oid}.{index}", join=join)

    async def _places(self, column: str, part: int) -> dict[str, tuple[int, str]]:
        """The first instance of a column with a number at place `part` of its index: number -> (order, index)."""
        known = self._by_part.get((column, part))
        if known is None:
            known = self._by_part[column, part] = {}
            for order, index in enumerate(await self._walk(column)):
                numbers = index.split(".")
                if part < len(numbers):
                    known.setdefault(numbers[part], (order, index))
        return known

    async def _by_name(self, spec: SnmpSignal, bind: SnmpBind, row: Row) -> str | None:
        """The index of the row with the first label that is there, in the unit that fits best."""
        rows = await self._labelled(self.fill(bind.labels, row.index))
        for label in bind.equals:
            candidates = rows.get(self.fill(label, row.index).lower(), [])
            if spec.unit_from is None:
                if candidates:
                    return candidates[0]
                continue
            texts = await self._walk(self.fill(spec.unit_from.oid, row.index))
            units = {index: _unit_of(spec, texts.get(index)) for index in candidates}
            fitting = [index for index, name in units.items() if name]
            if fitting:
                return min(fitting, key=lambda index: units[index] != spec.unit)
        return None

    async def _absent(self, points: Sequence[SignalPoint], found: dict[str, Bound]) -> set[str]:
        """Move points to their fallbacks where the device has only those; names of optional ones that it lacks."""
        asked: list[tuple[SignalPoint, str]] = []
        scales: dict[str, float] = {}
        for point in points:
            spec = _snmp(point)
            if point.name in found and (spec.fallbacks or spec.optional) and not spec.lookup and not spec.first_row:
                index = self.row(point.group, point.row).index
                asked.append((point, found[point.name].oid))
                asked += [(point, self.fill(_oid(each), index)) for each in spec.fallbacks]
                for each in spec.fallbacks:
                    if isinstance(each, SnmpFallback):
                        scales[self.fill(each.oid, index)] = each.scale / spec.scale
        if not asked:
            return set()
        there: dict[str, str] = {}
        for (point, oid), answer in zip(asked, await self._client.get([oid for _, oid in asked]), strict=True):
            if not answer.is_missing:
                there.setdefault(point.name, oid)
        for point, _ in asked:
            if point.name in there:
                oid = there[point.name]
                found[point.name] = replace(found[point.name], oid=oid, factor=scales.get(oid, 1.0))
        return {point.name for point, _ in asked if point.name not in there and _snmp(point).optional}

    # --- scales ------------------------------------------------------------------------------------------------------

    async def find_factors(self, points: Iterable[SignalPoint], found: dict[str, Bound]) -> None:
        """Ask for digits, scales and units, and put them into the bounds, with what says whether a value is one."""
        asked: list[tuple[SignalPoint, str, str]] = []
        for point in points:
            spec, bound = _snmp(point), found.get(point.name)
            if bound is None:
                continue
            index = self.row(point.group, point.row).index
            suffix = bound.oid[len(self.fill(spec.oid, index)) :] if spec.lookup or spec.bind else ""
            templates = {key: getattr(spec, key) for key in _SCALES}
            templates["unit"] = spec.unit_from.oid if spec.unit_from else ""
            asked += [(point, key, self.fill(oid, index) + suffix) for key, oid in templates.items() if oid]
            if (status := spec.status) is not None:
                accepted = tuple(map(str, status.one_of))
                found[point.name] = replace(bound, status=(self.fill(status.oid, index) + suffix,), accepted=accepted)
        if not asked:
            return
        answers = await self._client.get([oid for _, _, oid in asked])
        for (point, key, _), answer in zip(asked, answers, strict=True):
            bound = found[point.name]
            if key == "unit":
                found[point.name] = _in_unit(bound, _snmp(point), _unit_of(_snmp(point), answer))
            else:
                code = answer.value if isinstance(answer.value, int) else None
                factor = _SCALES[key](code) if code is not None else math.nan
                found[point.name] = replace(bound, factor=bound.factor * factor, shift=bound.shift * factor)

    def add_sums(self, points: Sequence[SignalPoint], found: dict[str, Bound]) -> list[SignalPoint]:
        """Bind the sums to the rows that are there; optional sums of nothing are left out."""
        kept = []
        for point in points:
            spec = _snmp(point)
            if spec.sum_of:
                group, _, column = spec.sum_of.partition(".")
                rows = [p for p in points if p.group == group and p.name == f"{group}[{p.row}].{column}"]
                bound = _sum([(_snmp(each), found[each.name]) for each in rows if each.name in found])
                if bound is not None:
                    found[point.name] = bound
                elif spec.optional:
                    continue
            kept.append(point)
        return kept


def _sum(rows: Sequence[tuple[SnmpSignal, Bound]]) -> Bound | None:
    if not rows:
        return None
    parts = []
    for spec, bound in rows:
        scale = spec.scale / 2.0**spec.precision
        parts.append(Part(scale * bound.factor, spec.offset + scale * bound.shift, spec.sentinels))
    first, *others = (bound.oid for _, bound in rows)
    status = tuple(oid for _, bound in rows for oid in bound.status)
    return Bound(first, join=tuple(others), parts=tuple(parts), status=status, accepted=rows[0][1].accepted)


def _unit_of(spec: SnmpSignal, answer: VarBind | None) -> str:
    """The unit that the device says; '' when it is none that the profile knows."""
    if answer is None or spec.unit_from is None:
        return ""
    shown = label_of(answer)
    return next((name for word, name in spec.unit_from.words.items() if str(word) == shown), "")


def _in_unit(bound: Bound, spec: SnmpSignal, source: str) -> Bound:
    """The same place, converted from the device's unit to the signal's; NaN when that cannot be."""
    if source == spec.unit and source:
        return bound
    if source and unit(source).kind == unit(spec.unit).kind:
        base = convert(0.0, source, spec.unit)
        slope = convert(1.0, source, spec.unit) - base
        scale = spec.scale / 2.0**spec.precision
        shift = slope * bound.shift + (slope * spec.offset + base - spec.offset) / scale
        return replace(bound, factor=bound.factor * slope, shift=shift)
    if source and spec.unit == "dBm" and unit(source).kind == unit("W").kind:
        return replace(bound, factor=bound.factor * convert(1.0, source, "W"), is_decibels=True)
    return replace(bound, factor=math.nan)


_SCALES: Mapping[str, Callable[[int], float]] = {
    "digits": lambda code: 10.0**-code,
    "precision_from": lambda code: 10.0**-code,
    "scale_from": lambda code: _ENTITY_SCALE.get(code, math.nan),
    "factor_from": lambda code: float(code) if code > 0 else (-1.0 / code if code else 1.0),
    "divisor_from": lambda code: 1.0 / code if code else math.nan,
}
"""Key of the profile -> what the number in that object multiplies the value with."""


def _oid(fallback: str | SnmpFallback) -> str:
    return fallback if isinstance(fallback, str) else fallback.oid


def _as_numbers(index: str) -> tuple[int, ...]:
    return tuple(int(part) for part in index.split("."))


def _snmp(point: SignalPoint) -> SnmpSignal:
    return cast("SnmpSignal", point.spec)
