"""The SNMP twin: a table of objects made from a profile, read from the plant, whose SETs move the plant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.schema.profiles.snmp import SnmpControl, SnmpLookup, SnmpProfile, SnmpSignal
from sim.servers.snmp.mib import Oid, Rounded, TableView
from sim.servers.snmp.pdu import Reply, Request
from sim.servers.snmp.responder import SnmpResponder
from sim.servers.snmp.status import GEN_ERR, OK, WRONG_VALUE
from sim.servers.snmp.values import COUNTER32, COUNTER64, GAUGE32, INTEGER, OCTETS, TIMETICKS, Value
from sim.twins.points import Point, Twin, command_value, controls, points
from sim.twins.sources import Read, Sources

DIGITS = 2
"""Decimal digits that objects with a scale of their own (digits, precision) show."""

UNITS_SCALE = 9
"""`units` of the EntitySensorDataScale of RFC 3433."""

FIRST_LOOKUP = 500
"""Looked-up rows are numbered from here, so that nobody gets away with taking them for the row of the repetition."""

FIRST_ROW = 1
"""Index of a row that is meant whatever its index."""

SYS_UPTIME: Oid = (1, 3, 6, 1, 2, 1, 1, 3, 0)
SYSTEM = {
    (1, 3, 6, 1, 2, 1, 1, 1, 0): "Simulated device of the rack harness",
    (1, 3, 6, 1, 2, 1, 1, 4, 0): "",
    (1, 3, 6, 1, 2, 1, 1, 6, 0): "simulation",
}


def oid_of(text: str) -> Oid:
    """A dotted OID, with or without a leading dot, as a tuple."""
    return tuple(int(part) for part in text.strip(".").split("."))


class TwinResponder(SnmpResponder):
    """An agent that brings the plant up to now once a datagram, so that all objects of an answer are of one moment."""

    sources: Sources
    refuses: Callable[[], bool] = staticmethod(lambda: False)
    """Whether every request is answered with genErr."""

    @property
    def is_plain(self) -> bool:
        """See `SnmpResponder`."""
        return super().is_plain and not self.refuses()

    def _answer(self, request: Request, version: int, size: int, *, may_write: bool) -> Reply:
        if self.refuses():
            self.counters["refused"] += 1
            return Reply(request.request_id, [request.bindings], GEN_ERR, 1)
        return super()._answer(request, version, size, may_write=may_write)

    def handle(self, data: bytes) -> bytes | None:
        """The answer to one datagram."""
        self.sources.refresh()
        return super().handle(data)


class SnmpObjects:
    """Fills a TableView (`view`) with the objects of one twin. They read the plant as it is."""

    def __init__(self, twin: Twin) -> None:
        profile = twin.profile
        if not isinstance(profile, SnmpProfile):
            raise TypeError(f"expected an SNMP profile, got {profile.profile}")
        self.twin = twin
        self.view = TableView()
        self._profile = profile
        self._found: dict[tuple[str, int], int] = {}
        self._places: dict[str, str] = {}
        self._takers: dict[Oid, list[tuple[SnmpControl, str]]] = {}
        for oid, text in SYSTEM.items():
            self.view.put(oid, OCTETS, text.encode())
        self.view.put((1, 3, 6, 1, 2, 1, 1, 5, 0), OCTETS, twin.name.encode())
        self.view.put(SYS_UPTIME, TIMETICKS, lambda: int(100 * twin.uptime()))
        self._points = points(twin)
        self._labels()
        for point in self._points.values():
            self._add(point)
        for _, _, index, spec, repeat in controls(twin):
            self._add_control(index, spec, repeat)

    # ---- signals

    def _labels(self) -> None:
        """The columns that walked repetitions are found, chosen and named by."""
        for repeat, group in self._profile.repeat.items():
            for index in self.twin.indices(repeat) if group.walk else ():
                for column in dict.fromkeys((*group.walk[:1], group.labels or group.walk[0])):
                    self._put_label(f"{column}.{{i}}", repeat, index, self._label(repeat, index))
                for rule in group.where:
                    if rule.one_of:
                        self._put_label(
                            f"{rule.column}.{{i}}", repeat, index, self.twin.fill(str(rule.one_of[0]), None)
                        )

    def _put_label(self, template: str, repeat: str, index: int, text: str) -> None:
        column, star, tail = template.removesuffix(".{i}").partition(".*")
        oid = oid_of(self._fill(f"{column}.{{i}}{tail}" if star else template, repeat, index))
        number = text.lstrip("-").isdigit()
        self.view.put(oid, INTEGER if number else OCTETS, int(text) if number else text.encode())

    def _fill(self, template: str, repeat: str, index: int | None) -> str:
        """A template with the index that a row has on the wire."""
        if index is None or not repeat:
            return self.twin.fill(template, index)
        wire = self.twin.fill(getattr(self._profile.repeat[repeat], "sim_index", "{i}"), index)
        for part, number in enumerate(wire.split(".")):
            template = template.replace(f"{{i.{part}}}", number)
        return self.twin.fill(template.replace("{i}", wire), index)

    def _label(self, repeat: str, index: int) -> str:
        """The name of a row: that of the signal which reads it, else a plain one that the rules let pass."""
        group = self._profile.repeat[repeat]
        column = group.labels or group.walk[0]
        for key, spec in group.signals.items():
            if spec.is_text and spec.oid == f"{column}.{{i}}":
                point = self._points[f"{self.twin.row(repeat, index)}.{key}"]
                return point.text() if point.text else ""
        starts, contains, ends = "", "", ""
        for rule in group.where:
            if rule.column == column:
                starts, contains, ends = (
                    each[0] if each else "" for each in (rule.starts_with, rule.contains, rule.ends_with)
                )
        return f"{starts or repeat.capitalize()}{contains} {index}{ends}"

    def _add(self, point: Point) -> None:
        spec: SnmpSignal = point.spec
        repeat = point.name.partition("[")[0] if point.index is not None else ""
        if spec.sum_of:
            return
        if spec.lookup is not None and point.index is not None:
            self._add_looked_up(point, spec, point.index)
            return
        column = self._fill(spec.oid, repeat, point.index)
        if spec.first_row:
            column = f"{column}.{FIRST_ROW}"
        if spec.bind is not None:
            row = FIRST_LOOKUP + len(self._found)
            self._found[spec.bind.labels, row] = row
            label = self.twin.fill(spec.bind.equals[0], point.index)
            self.view.put((*oid_of(spec.bind.labels), row), OCTETS, label.encode())
            column = self._places[point.name] = f"{column}.{row}"
            self._scales(spec, repeat, point.index, (row,))
        else:
            self._scales(spec, repeat, point.index, ())
        self._put(oid_of(column), point, spec)

    def _scales(self, spec: SnmpSignal, repeat: str, index: int | None, row: Oid) -> None:
        """The objects that hold the digits, scale, precision and unit of another."""
        for template, value in (
            (spec.digits, DIGITS),
            (spec.precision_from, DIGITS),
            (spec.scale_from, UNITS_SCALE),
            (spec.factor_from, -(10**DIGITS)),
            (spec.divisor_from, 10**DIGITS),
        ):
            if template:
                self.view.put((*oid_of(self._fill(template, repeat, index)), *row), INTEGER, value)
        if spec.status is not None:
            shown = spec.status.one_of[0]
            oid = (*oid_of(self._fill(spec.status.oid, repeat, index)), *row)
            if self.view.get(oid) is None:  # else a signal of its own shows it
                self.view.put(oid, *((INTEGER, shown) if isinstance(shown, int) else (OCTETS, shown.encode())))
        if spec.unit_from is not None:
            word = next(word for word, name in spec.unit_from.words.items() if name == spec.unit)
            oid = (*oid_of(self._fill(spec.unit_from.oid, repeat, index)), *row)
            text = str(word).encode()
            self.view.put(oid, INTEGER if text.isdigit() else OCTETS, int(text) if text.isdigit() else text)

    def _add_looked_up(self, point: Point, spec: SnmpSignal, index: int) -> None:
        """Rows indexed otherwise than the repetition (LLDP, ENTITY-SENSOR): see SnmpLookup."""
        lookup = spec.lookup
        if lookup is None:
            return
        repeat = point.name.partition("[")[0]
        label = self._label(repeat, index)
        number = index
        if lookup.labels:
            wanted = lookup.equals[0].replace("{label}", label)
            offset = 1000 * self._first_of(repeat, lookup)
            number = FIRST_LOOKUP + offset + index
            self.view.put((*oid_of(lookup.labels), number), OCTETS, wanted.encode())
        row = (*(0,) * lookup.part, number, *((1,) if lookup.part else ()))
        self._scales(spec, repeat, index, row)
        oid = (*oid_of(spec.oid), *row)
        if point.text is None:
            self._put(oid, point, spec)
            return
        text = point.text

        def name() -> bytes | None:
            return text().encode() or None

        def end() -> bytes | None:
            return b"eth0" if text() else None

        self.view.put(oid, OCTETS, name)
        for column in lookup.join:
            self.view.put((*oid_of(column), *row), OCTETS, end)

    def _first_of(self, repeat: str, lookup: SnmpLookup) -> int:
        """Which signal of a repetition is the first with the same text of lookup: one sensor, with its thresholds."""
        specs = self._profile.repeat[repeat].signals.values()
        same = (
            each.lookup is not None and (each.lookup.labels, each.lookup.equals) == (lookup.labels, lookup.equals)
            for each in specs
        )
        return list(same).index(True)

    def _put(self, oid: Oid, point: Point, spec: SnmpSignal) -> None:
        if point.text is not None:
            text = point.text
            self.view.put(oid, OCTETS, lambda: text().encode())
            return
        exact = self._exact(point, spec)
        if spec.type == "decimal_text":
            self.view.put(oid, OCTETS, lambda: f"{exact.exact():.2f}".rstrip("0").rstrip(".").encode("ascii"))
        else:
            self.view.put(oid, _tag(oid, spec), exact)

    def _exact(self, point: Point, spec: SnmpSignal) -> Rounded:
        """The number that the object holds, rounded to what it can show."""
        read: Read = point.number if point.number is not None else lambda: 0.0
        scaled = spec.digits or spec.precision_from or spec.factor_from or spec.divisor_from
        digits = DIGITS if scaled else 0
        factor = 1.0 if point.is_raw else 10.0**digits * 2.0**spec.precision / spec.scale
        offset = 0.0 if point.is_raw else spec.offset
        absent = int(spec.sentinels[0]) if spec.sentinels else -1
        return Rounded(read, offset, factor, absent)

    # ---- controls

    def _add_control(self, index: int | None, spec: SnmpControl, repeat: str) -> None:
        plant = self.twin.variable(spec.sim, index)
        if spec.oid or spec.at_signal:
            template = spec.oid or self._places.get(spec.at_signal) or self._profile.signals[spec.at_signal].oid
            oid = oid_of(self._fill(template, repeat, index))
            if self.view.get(oid) is None:
                self.view.put(oid, _CONTROL_TAGS[spec.type], self._read_back(spec, repeat, index))
            takers = self._takers.setdefault(oid, [])
            takers.append((spec, plant))  # several controls may write one object (switch it, or in a while)
            self.view.on_set(oid, lambda value: self._take(takers, value), lambda value: self._admit(takers, value))
        for word, command in spec.command_oids.items():
            oid = oid_of(self._fill(command.oid, repeat, index))
            if self.view.get(oid) is None:
                self.view.put(oid, INTEGER, -1)
            self.view.on_set(oid, self._single(spec, plant, word, command.value))

    def _read_back(self, spec: SnmpControl, repeat: str, index: int | None) -> Any:
        """What the object of a control reads: the command that would lead to the present state."""
        prefix = f"{self.twin.row(repeat, index)}." if repeat else ""
        point = self._points.get(prefix + spec.confirm.signal) if spec.confirm else None
        if spec.type == "text":
            return b""
        if point is None or point.number is None:
            return 0
        read, words = point.number, point.spec.words()

        def state() -> int:
            value = read()
            if spec.commands:
                return spec.commands.get(words.get(value, ""), 0)
            return round((value - spec.offset) * 2.0**spec.precision / spec.scale)

        return state

    def _admit(self, takers: Sequence[tuple[SnmpControl, str]], value: Value) -> int:
        found = [self._check(spec, value) for spec, _ in takers]
        return OK if OK in found else found[0]

    def _take(self, takers: Sequence[tuple[SnmpControl, str]], value: Value) -> int:
        for spec, plant in takers:
            if self._check(spec, value) == OK:
                return self._obey(spec, plant, value)
        return WRONG_VALUE

    def _check(self, spec: SnmpControl, value: Value) -> int:
        """Phase one of a SET: whether the value is one that the device takes."""
        if isinstance(value.value, bytes):
            return OK
        raw = value.value if isinstance(value.value, int) else 0
        if spec.commands:
            return OK if raw in spec.commands.values() else WRONG_VALUE
        number = self._number(spec, raw)
        if spec.range is not None and not spec.range[0] - 1e-9 <= number <= spec.range[1] + 1e-9:
            return WRONG_VALUE
        return OK

    def _number(self, spec: SnmpControl, raw: float) -> float:
        return spec.offset + spec.scale * raw / 2.0**spec.precision / 10.0 ** (DIGITS if spec.digits else 0)

    def _obey(self, spec: SnmpControl, plant: str, value: Value) -> int:
        if isinstance(value.value, bytes):
            try:
                raw: float = float(value.value)
            except ValueError:
                return WRONG_VALUE
        else:
            raw = value.value if isinstance(value.value, int) else 0
        word = next((word for word, code in spec.commands.items() if code == raw), "")
        number = command_value(spec, word, self._number(spec, raw))
        return self._command(plant, number, "" if word else spec.unit)

    def _single(self, spec: SnmpControl, plant: str, word: str, wanted: int) -> Callable[[Value], int]:
        def obey(value: Value) -> int:
            if value.value != wanted:
                return WRONG_VALUE
            return self._command(plant, command_value(spec, word, float(wanted)), "")

        return obey

    def _command(self, plant: str, value: float, unit: str) -> int:
        if plant:
            try:
                self.twin.command(plant, value, unit)
            except ValueError:
                return WRONG_VALUE
        return OK


_CONTROL_TAGS = {"integer": INTEGER, "gauge": GAUGE32, "unsigned": GAUGE32, "text": OCTETS}


def _tag(oid: Oid, spec: SnmpSignal) -> int:
    """The ASN.1 type that such an object has in the MIBs."""
    if spec.counter == 64:
        return COUNTER64
    if spec.counter:
        return TIMETICKS if oid == SYS_UPTIME or spec.unit == "s" else COUNTER32
    if spec.unit == "s" and spec.scale == 0.01:
        return TIMETICKS
    return GAUGE32 if spec.unit == "Mb/s" else INTEGER
