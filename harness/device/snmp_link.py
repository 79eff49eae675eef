"""A device with an SNMP agent: one prepared GET a poll; rows of tables and labels found once, at open."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from harness.device.link import Reply, printable, raw_value
from harness.device.points import ControlPoint, Expansion, SignalPoint, fill
from harness.device.wire import Command, Read, carry_out
from harness.errors import RefusedError
from harness.quantity import Quality
from harness.schema.profile import SnmpControl, SnmpProfile, SnmpSignal
from harness.transport.snmp import Kind, SnmpClient, VarBind

_NUMBERS = (Kind.INTEGER, Kind.COUNTER32, Kind.GAUGE32, Kind.TIMETICKS, Kind.COUNTER64)
_ENTITY_SCALE = {code: 10.0 ** (3 * (code - 9)) for code in range(1, 18)}
"""EntitySensorDataScale of RFC 3433: yocto(1) ... units(9) ... yotta(17)."""
FIND_EVERY_S = 60.0
"""How often rows that are looked up by label are found again, while none is missing: walks are dear."""


@dataclass(slots=True)
class Bound:
    """Where a point is read: its OID, a factor found at open, and further OIDs whose texts are appended."""

    oid: str
    factor: float = 1.0
    join: tuple[str, ...] = ()


class SnmpReadPlan:
    """A prepared GET for a list of points."""

    def __init__(self, link: SnmpLink, points: Sequence[SignalPoint]) -> None:
        self._link = link
        self._points = points
        self._has_lookups = any(_snmp(point).lookup is not None for point in points)
        self._compile()

    def _compile(self) -> None:
        link = self._link
        self._generation = link.generation
        self._bounds = [link.bound.get(point.name) for point in self._points]
        oids: list[str] = []
        for bound in self._bounds:
            if bound is not None:
                oids += [bound.oid, *bound.join]
        self._prepared = link.client.prepare(oids) if oids else None
        self._factors = np.array([bound.factor if bound else 1.0 for bound in self._bounds])

    async def read(self) -> Reply:
        """Ask for all objects of the plan; rows that are looked up may have moved, so those are found again first."""
        if self._has_lookups:
            await self._link.find_again()
            if self._generation != self._link.generation:
                self._compile()
        reply = Reply.empty(len(self._points))
        answers = iter(await self._link.client.poll(self._prepared) if self._prepared is not None else ())
        for k, (point, bound) in enumerate(zip(self._points, self._bounds, strict=True)):
            if bound is None:
                if point.spec.is_text:
                    reply.texts[k] = ""
                else:
                    reply.qualities[k] = Quality.BAD_MISSING
                continue
            spec = _snmp(point)
            first = next(answers)
            more = [next(answers) for _ in bound.join]
            if point.spec.is_text:
                reply.texts[k] = ":".join(_text(each, spec) for each in (first, *more))
                if first.is_missing:
                    reply.qualities[k] = Quality.BAD_MISSING
            elif first.is_missing or first.kind is Kind.NULL:
                reply.qualities[k] = Quality.BAD_MISSING
            else:
                number = _number(first, spec)
                reply.raw[k] = number
                if number != number:
                    reply.qualities[k] = Quality.BAD_DECODE
            if bound is not None and first.is_missing and spec.lookup is not None:
                self._link.lost_a_row()
        reply.raw *= self._factors
        return reply


class SnmpLink:
    """One SNMP agent."""

    def __init__(
        self, profile: SnmpProfile, expansion: Expansion, client: SnmpClient, parameters: Mapping[str, int]
    ) -> None:
        self.profile = profile
        self.client = client
        self.bound: dict[str, Bound] = {}
        self._expansion = expansion
        self._parameters = {**profile.parameters, **parameters}
        self._rows: dict[str, list[tuple[str, str]]] = {}
        self._walked: dict[str, list[VarBind]] = {}
        self._labels: dict[str, dict[str, list[str]]] = {}
        self._found_at = -math.inf
        self._looked_up: list[SignalPoint] = []
        self.generation = 0
        """Counts how often the looked-up rows have changed, so that read plans know when to compile again."""

    async def open(self) -> Sequence[SignalPoint]:
        """Connect, walk the tables that the profile binds by, and return the points that exist."""
        await self.client.open()
        self._forget_walks()
        self._rows.clear()
        self.bound.clear()
        for group, repeat in self.profile.repeat.items():
            if repeat.walk:
                self._rows[group] = await self._find_rows(self._fill(repeat.walk, 0))
        points = []
        for point in self._expansion.signals.values():
            if point.group in self._rows and point.row > len(self._rows[point.group]):
                continue
            bound = await self._bind(point)
            if bound is not None:
                self.bound[point.name] = bound
            elif _snmp(point).optional and not point.spec.is_text:
                continue
            points.append(point)
        points = await self._drop_optional(points)
        await self._find_factors(points)
        self._looked_up = [point for point in points if _snmp(point).lookup is not None]
        self._found_at = asyncio.get_running_loop().time()
        self.generation += 1
        return points

    async def find_again(self) -> None:
        """Find the instances of looked-up points again, when the last time is long ago or one of them is gone."""
        now = asyncio.get_running_loop().time()
        if now - self._found_at < FIND_EVERY_S:
            return
        self._forget_walks()
        before = {point.name: self.bound.get(point.name) for point in self._looked_up}
        for point in self._looked_up:
            bound = await self._bind(point)
            old = before[point.name]
            if bound is None:
                self.bound.pop(point.name, None)
            elif old is None or (old.oid, old.join) != (bound.oid, bound.join):
                self.bound[point.name] = bound
        moved = [point for point in self._looked_up if self.bound.get(point.name) != before[point.name]]
        await self._find_factors(moved)
        self._found_at = now
        self.generation += bool(moved)

    def lost_a_row(self) -> None:
        """An instance that was looked up does not exist any more: find all of them again before the next read."""
        self._found_at = -math.inf

    def _forget_walks(self) -> None:
        self._walked.clear()
        self._labels.clear()

    async def _drop_optional(self, points: list[SignalPoint]) -> list[SignalPoint]:
        doubtful = [p for p in points if _snmp(p).optional and _snmp(p).lookup is None and p.name in self.bound]
        if not doubtful:
            return points
        answers = await self.client.get([self.bound[p.name].oid for p in doubtful])
        absent = {p.name for p, answer in zip(doubtful, answers, strict=True) if answer.is_missing}
        return [p for p in points if p.name not in absent]

    async def _find_rows(self, column: str) -> list[tuple[str, str]]:
        found = await self._walk(column)
        return [(answer.oid[len(column) + 1 :], _label(answer)) for answer in found]

    async def _walk(self, column: str) -> list[VarBind]:
        if column not in self._walked:
            self._walked[column] = await self.client.walk(column)
        return self._walked[column]

    async def _rows_by_label(self, column: str) -> dict[str, list[str]]:
        """Row indices of a column by their text in lower case."""
        if column not in self._labels:
            rows = self._labels[column] = {}
            for answer in await self._walk(column):
                rows.setdefault(_label(answer).lower(), []).append(answer.oid[len(column) + 1 :])
        return self._labels[column]

    def _row(self, point: SignalPoint | ControlPoint) -> tuple[str, str]:
        if not point.row:
            return "0", ""
        if point.group in self._rows:
            return self._rows[point.group][point.row - 1]
        return str(self.profile.repeat[point.group].first + point.row - 1), ""

    def _fill(self, template: str, index: object) -> str:
        return fill(template, index, self._parameters)

    async def _bind(self, point: SignalPoint) -> Bound | None:
        spec = _snmp(point)
        index, label = self._row(point)
        oid = self._fill(spec.oid, index)
        if spec.bind is not None:
            for answer in await self._walk(self._fill(spec.bind.labels, index)):
                if _label(answer) in spec.bind.equals:
                    suffix = answer.oid[len(self._fill(spec.bind.labels, index)) :]
                    return Bound(oid + suffix)
            return None
        if spec.lookup is None:
            return Bound(oid)
        keys = {index}
        if spec.lookup.labels:
            rows = await self._rows_by_label(self._fill(spec.lookup.labels, index))
            wanted = [word.replace("{label}", label).lower() for word in spec.lookup.equals]
            keys = set(next((rows[word] for word in wanted if word in rows), []))
        for answer in await self._walk(oid):
            suffix = answer.oid[len(oid) + 1 :]
            parts = suffix.split(".")
            if spec.lookup.part < len(parts) and parts[spec.lookup.part] in keys:
                return Bound(
                    f"{oid}.{suffix}", join=tuple(f"{self._fill(c, index)}.{suffix}" for c in spec.lookup.join)
                )
        return None

    async def _find_factors(self, points: Sequence[SignalPoint]) -> None:
        asked: list[tuple[str, str, str]] = []
        for point in points:
            spec = _snmp(point)
            bound = self.bound.get(point.name)
            if bound is None:
                continue
            suffix = bound.oid[len(self._fill(spec.oid, "")) :] if spec.lookup or spec.bind else ""
            for kind in ("digits", "precision_from", "scale_from"):
                template = getattr(spec, kind)
                if template:
                    asked.append((point.name, kind, self._fill(template, self._row(point)[0]) + suffix))
        if not asked:
            return
        answers = await self.client.get([oid for _, _, oid in asked])
        for (name, kind, _), answer in zip(asked, answers, strict=True):
            code = answer.value if isinstance(answer.value, int) else None
            if code is None:
                self.bound[name].factor = math.nan
            elif kind == "scale_from":
                self.bound[name].factor *= _ENTITY_SCALE.get(code, math.nan)
            else:
                self.bound[name].factor *= 10.0**-code

    def plan(self, points: Sequence[SignalPoint]) -> SnmpReadPlan:
        """Prepare one GET for the points."""
        return SnmpReadPlan(self, points)

    async def commands(self, control: ControlPoint, value: float, word: str) -> list[Command]:
        """What goes over the wire: one object."""
        spec = control.spec
        assert isinstance(spec, SnmpControl)
        if control.group in self._rows and control.row > len(self._rows[control.group]):
            raise RefusedError(f"{control.name} does not exist on this device", operation="write")
        index = self._row(control)[0]
        if word and word in spec.command_oids:
            command = spec.command_oids[word]
            oid = self._fill(command.oid, index)
            return [Command("set", oid=oid, kind=Kind.INTEGER, words=(command.value,))]
        raw = raw_value(control, value, word)
        if spec.digits:
            (digits,) = await self.client.get([self._fill(spec.digits, index)])
            raw = raw * 10 ** (digits.value if isinstance(digits.value, int) else 0)
        oid = self._fill(spec.oid, index)
        if spec.type == "text":
            return [Command("set", oid=oid, kind=Kind.OCTET_STRING, text=f"{raw:g}")]
        kind = Kind.INTEGER if spec.type == "integer" else Kind.GAUGE32
        return [Command("set", oid=oid, kind=kind, words=(round(raw),))]

    async def write(self, control: ControlPoint, value: float, word: str) -> None:
        """SET one object; see `Link.write`."""
        await carry_out(self.client, await self.commands(control, value, word))

    def reading(self, point: SignalPoint) -> Read:
        """How one signal is read on its own, before scaling. RefusedError when this device does not have it."""
        spec = _snmp(point)
        bound = self.bound.get(point.name)
        if bound is None:
            raise RefusedError(f"the device has no {point.name}", operation="read")
        return Read(type=spec.type, oid=bound.oid, join=bound.join, factor=bound.factor)

    async def close(self) -> None:
        """Close the endpoint."""
        await self.client.close()

    def health(self) -> Mapping[str, int]:
        """Counters of the client."""
        return asdict(self.client.counters)


def _snmp(point: SignalPoint) -> SnmpSignal:
    assert isinstance(point.spec, SnmpSignal)
    return point.spec


def _number(answer: VarBind, spec: SnmpSignal) -> float:
    value = answer.value
    if spec.type == "decimal_text" and isinstance(value, bytes):
        try:
            return float(value.decode("ascii").split()[0])
        except (ValueError, IndexError):
            return math.nan
    if isinstance(value, int | float) and (answer.kind in _NUMBERS or answer.kind is Kind.OPAQUE):
        return float(value)
    return math.nan


def _text(answer: VarBind, spec: SnmpSignal) -> str:
    value = answer.value
    if value is None:
        return ""
    if isinstance(value, bytes):
        return ":".join(f"{byte:02x}" for byte in value) if spec.type == "octets" else printable(value)
    return printable(str(value).encode())


def _label(answer: VarBind) -> str:
    return printable(answer.value) if isinstance(answer.value, bytes) else str(answer.value)
