"""A device with an SNMP agent: one prepared GET a poll; rows of tables and labels found once, at open."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import cast

import numpy as np

from harness.device.link import PlainLink, Reply, raw_value
from harness.device.points import ControlPoint, Expansion, SignalPoint
from harness.device.snmp import values as snmp_values
from harness.device.snmp.channel import SnmpChannel, is_valid
from harness.device.snmp.rows import Bound, Finder
from harness.device.wire import Command, Read, carry_out
from harness.errors import RefusedError
from harness.quantity import Quality
from harness.schema.profiles.snmp import SnmpControl, SnmpProfile, SnmpSignal
from harness.transport.again import NEVER_READ_S
from harness.transport.snmp import Kind, SnmpClient, VarBind
from harness.transport.snmp.client import Answers

_PLAIN = "number"
_PLAIN_KINDS = frozenset(snmp_values.WHOLE_NUMBERS)
"""Kinds whose value is a number whatever it is, so that a whole answer of them needs no look at each."""
FIND_EVERY_S = 60.0
"""How often rows that are looked up by label are found again, while none is missing: walks are dear."""


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
                oids += bound.places
        self._prepared = link.client.prepare(oids) if oids else None
        self._split()
        gain = np.array([bound.factor if bound and not bound.is_decibels else 1.0 for bound in self._bounds])
        shift = np.array([bound.shift if bound else 0.0 for bound in self._bounds])
        self._gain = gain if (gain != 1.0).any() or shift.any() else None
        self._shift = shift if shift.any() else None

    def _split(self) -> None:
        """Where the plain numbers are, by place among the points and among the answers; the rest goes one by one."""
        plain: list[int] = []
        asked: list[int] = []
        self._others: list[tuple[int, SnmpSignal, Bound | None, int]] = []
        position = 0
        for k, (point, bound) in enumerate(zip(self._points, self._bounds, strict=True)):
            spec = _snmp(point)
            if bound is None or spec.is_text or not bound.is_plain or spec.type != _PLAIN:
                self._others.append((k, spec, bound, position))
            else:
                plain.append(k)
                asked.append(position)
            position += 0 if bound is None else len(bound.places)
        self._plain = np.array(plain, dtype=np.intp)
        self._asked = asked
        self._asked_index = np.array(asked, dtype=np.intp)
        self._known_tags: Sequence[int] = ()
        self._is_known_plain = False
        self._other_places: list[tuple[tuple[int, SnmpSignal, Bound | None, int], range]] = []
        self._numbers = [(k, _snmp(self._points[k]), self._bounds[k], at) for k, at in zip(plain, asked, strict=True)]

    async def read(self, *, is_urgent: bool = False) -> Reply:
        """Ask for all objects of the plan; rows that are looked up may have moved, so those are found again first."""
        if self._has_lookups:
            await self._link.find_again()
        await self._link.find_scales_again()
        if self._generation != self._link.generation:
            self._compile()
        reply = Reply.empty(len(self._points))
        reply.notes, self._link.notes = self._link.notes, []
        if self._prepared is not None and (known := self._link.client.at_once(self._prepared)) is not None:
            self._take_known(known, reply)
            return reply
        answers = await self._link.client.poll(self._prepared, is_urgent=is_urgent) if self._prepared else []
        if self._asked:
            chosen = [answers[at] for at in self._asked]
            if {answer.kind for answer in chosen} <= _PLAIN_KINDS:
                reply.raw[self._plain] = [answer.value for answer in chosen]
            else:
                self._one_by_one(self._numbers, answers, reply)
        self._one_by_one(self._others, answers, reply)
        self._tell(answers, reply)
        reply.gain, reply.shift = self._gain, self._shift
        return reply

    def _tell(self, answers: Sequence[VarBind], reply: Reply) -> None:
        """Note what cannot be read although the agent answers, and what can be again: once each."""
        reported = self._link.reported
        bad = [(k, at) for k, _, bound, at in (*self._numbers, *self._others) if bound and reply.qualities[k]]
        problems = {
            self._points[k].name: problem
            for k, at in bad
            if (problem := next((each.problem for each in answers[at : at + _places(self._bounds[k])]), ""))
        }
        reply.notes += [f"{name} cannot be read: {why}" for name, why in problems.items() if name not in reported]
        reply.reasons = {k: problems[self._points[k].name] for k, _ in bad if self._points[k].name in problems}
        if reported:
            own = {point.name for point in self._points} & reported
            reply.notes += [f"{name} is read again" for name in sorted(own - problems.keys())]
            reported -= own
        reported.update(problems)

    def _take_known(self, known: Answers, reply: Reply) -> None:
        """Put answers that came as arrays into the reply: the plain numbers at once, the rest one by one."""
        if self._known_tags is not known.tags:
            self._known_tags = known.tags
            self._is_known_plain = {known.tags[at] for at in self._asked} <= _PLAIN_KINDS
            others = self._others if self._is_known_plain else [*self._numbers, *self._others]
            self._other_places = [(each, range(each[3], each[3] + _places(each[2]))) for each in others]
        if self._is_known_plain and self._asked:
            reply.raw[self._plain] = known.numbers[self._asked_index]
        for each, places in self._other_places:
            k, spec, bound, _ = each
            self._one_by_one([(k, spec, bound, 0)], [known.bind(place) for place in places], reply)
        reply.gain, reply.shift = self._gain, self._shift

    def _one_by_one(
        self, points: Sequence[tuple[int, SnmpSignal, Bound | None, int]], answers: Sequence[VarBind], reply: Reply
    ) -> None:
        """Put what is no plain number, or may be missing, into the reply."""
        for k, spec, bound, at in points:
            if bound is None:
                if spec.is_text:
                    reply.texts[k] = ""
                if not (spec.is_text and spec.lookup):  # no neighbour is an answer, an object that is missing is none
                    reply.qualities[k] = Quality.BAD_MISSING
                continue
            first = answers[at]
            asked = 1 + len(bound.join)
            status = answers[at + asked : at + asked + len(bound.status)]
            if spec.is_text:
                reply.texts[k], reply.qualities[k] = snmp_values.text(answers[at : at + asked], spec)
            elif not is_valid(status, bound.accepted):
                reply.qualities[k] = Quality.BAD_MISSING
            elif quality := snmp_values.quality_of(first):
                reply.qualities[k] = quality
            elif bound.parts:
                reply.raw[k], reply.qualities[k] = snmp_values.total(bound.parts, answers[at : at + asked])
            else:
                number = snmp_values.number(first, spec.type, spec.unit, bound.factor, bound.shift)
                reply.raw[k] = number
                if number != number:
                    reply.qualities[k] = Quality.BAD_DECODE
                elif bound.is_decibels:
                    reply.raw[k], reply.qualities[k] = snmp_values.decibels(bound.factor, number, spec.sentinels)
            if first.is_missing and spec.lookup is not None:
                self._link.lost_a_row()


def _places(bound: Bound | None) -> int:
    """How many objects a point is read from."""
    return 0 if bound is None else len(bound.places)


class SnmpLink(PlainLink):
    """One SNMP agent."""

    def __init__(
        self, profile: SnmpProfile, expansion: Expansion, client: SnmpClient, parameters: Mapping[str, int]
    ) -> None:
        self.profile = profile
        self.client = client
        self.bound: dict[str, Bound] = {}
        self._finder = Finder(profile, expansion, client, parameters)
        self._found_at = -math.inf
        self._looked_up: list[SignalPoint] = []
        self._points: dict[str, SignalPoint] = {}
        self._scales_at = -math.inf
        self._is_scaled = True
        self.reported: set[str] = set()
        """Signals that have been reported as ones that cannot be read."""
        self.notes: list[str] = []
        """What was learnt at open and is to be reported with the next reply."""
        self.generation = 0
        """Counts how often the looked-up rows have changed, so that read plans know when to compile again."""

    async def open(self) -> Sequence[SignalPoint]:
        """Connect, walk the tables that the profile binds by, and return the points that exist."""
        await self.client.open()
        points, self.bound = await self._finder.find()
        self.notes = [
            f"{group}: the device has {more} rows more than profile {self.profile.profile} counts; they are not read"
            for group, more in self._finder.left_out.items()
        ]
        self._points = {point.name: point for point in points}
        self._looked_up = [point for point in points if _snmp(point).lookup is not None]
        self._look_at_scales()
        self._found_at = self._scales_at = asyncio.get_running_loop().time()
        self.generation += 1
        return points

    async def find_scales_again(self) -> None:
        """Ask again for scales that the device did not say at open, every few minutes."""
        now = asyncio.get_running_loop().time()
        if self._is_scaled or now - self._scales_at < NEVER_READ_S:
            return
        self._scales_at = now
        unscaled = [name for name, bound in self.bound.items() if not math.isfinite(bound.factor)]
        for name in unscaled:
            self.bound[name] = replace(self.bound[name], factor=1.0, shift=0.0)
        await self._finder.find_factors([self._points[name] for name in unscaled], self.bound)
        self._finder.add_sums(list(self._points.values()), self.bound)
        self._look_at_scales()
        self.generation += 1

    def _look_at_scales(self) -> None:
        self._is_scaled = all(math.isfinite(bound.factor) for bound in self.bound.values())

    @property
    def rows_found(self) -> Mapping[str, int]:
        """Rows of each walked repetition."""
        return {group: len(rows) for group, rows in self._finder.rows.items()}

    async def find_again(self) -> None:
        """Find the instances of looked-up points again, when the last time is long ago or one of them is gone."""
        now = asyncio.get_running_loop().time()
        if now - self._found_at < FIND_EVERY_S:
            return
        self._finder.forget()
        moved = []
        for point in self._looked_up:
            bound, old = await self._finder.bind(point), self.bound.get(point.name)
            if bound is None:
                if self.bound.pop(point.name, None) is not None:
                    moved.append(point)
            elif old is None or (old.oid, old.join) != (bound.oid, bound.join):
                self.bound[point.name] = bound
                moved.append(point)
        await self._finder.find_factors(moved, self.bound)
        self._look_at_scales()
        self._found_at = now
        self.generation += bool(moved)

    def lost_a_row(self) -> None:
        """An instance that was looked up does not exist any more: find all of them again before the next read."""
        self._found_at = -math.inf

    def plan(self, points: Sequence[SignalPoint]) -> SnmpReadPlan:
        """Prepare one GET for the points."""
        return SnmpReadPlan(self, points)

    @property
    def channel(self) -> SnmpChannel:
        """The client, for compiled commands."""
        return SnmpChannel(self.client)

    async def commands(self, control: ControlPoint, value: float, word: str) -> list[Command]:
        """What goes over the wire: one object."""
        spec = cast("SnmpControl", control.spec)
        rows = self._finder.rows.get(control.group)
        if rows is not None and control.row > len(rows):
            raise RefusedError(f"{control.name} does not exist on this device", operation="write")
        index = self._finder.row(control.group, control.row).index
        if word and word in spec.command_oids:
            command = spec.command_oids[word]
            oid = self._finder.fill(command.oid, index)
            return [Command("set", oid=oid, kind=Kind.INTEGER, words=(command.value,))]
        raw = raw_value(control, value, word)
        if spec.at_signal:
            bound = self.bound.get(spec.at_signal)
            if bound is None or not math.isfinite(bound.factor) or not bound.factor:
                raise RefusedError(f"the device has no {spec.at_signal} to set {control.name}", operation="write")
            return [self._set(spec, bound.oid, (raw - bound.shift) / bound.factor)]
        if spec.digits:
            (digits,) = await self.client.get([self._finder.fill(spec.digits, index)])
            raw = raw * 10 ** (digits.value if isinstance(digits.value, int) else 0)
        return [self._set(spec, self._finder.fill(spec.oid, index), raw)]

    def _set(self, spec: SnmpControl, oid: str, raw: float) -> Command:
        """One object and its raw value, in the ASN.1 type that the agent insists on."""
        if spec.type == "text":
            text = f"{raw:.6f}".rstrip("0").rstrip(".")
            return Command("set", oid=oid, kind=Kind.OCTET_STRING, text=text)
        kind = Kind.INTEGER if spec.type == "integer" else Kind.GAUGE32
        return Command("set", oid=oid, kind=kind, words=(round(raw),))

    async def write(self, control: ControlPoint, value: float, word: str) -> None:
        """SET one object; see `Link.write`."""
        await carry_out(self.channel, await self.commands(control, value, word))

    @property
    def max_batch(self) -> int:
        """How many switches one SET may switch off."""
        return self.profile.snmp.max_sets

    async def write_batch(self, wanted: Sequence[tuple[ControlPoint, float, str]]) -> None:
        """SET several objects with one message; see `Link.write_batch`."""
        commands = [each for one in wanted for each in await self.commands(*one)]
        await self.channel.send_batch(commands)

    def reading(self, point: SignalPoint) -> Read:
        """How one signal is read on its own, before scaling. RefusedError when this device does not have it."""
        spec = _snmp(point)
        bound = self.bound.get(point.name)
        if bound is None:
            raise RefusedError(f"the device has no {point.name}", operation="read")
        if bound.parts:
            part = bound.parts[0]
            if any(each != part for each in bound.parts):
                raise RefusedError(f"the rows of {point.name} have different scales", operation="read")
            offset = part.offset * len(bound.parts)
            return Read(
                type="sum",
                oid=bound.oid,
                join=bound.join,
                status=bound.status,
                accepted=bound.accepted,
                factor=part.gain,
                offset=offset,
                sentinels=part.sentinels,
            )
        kind = "decibels" if bound.is_decibels else spec.type
        return Read(
            type=kind,
            oid=bound.oid,
            join=bound.join,
            status=bound.status,
            accepted=bound.accepted,
            factor=bound.factor,
            offset=bound.shift,
            between=spec.between or ("", ""),
            suffix=spec.unit if kind == "decimal_text" else "",
        )

    def renew(self) -> None:
        """Ask again at once for what the agent refused; see `Link.renew`."""
        self.client.renew()

    async def close(self) -> None:
        """Close the endpoint."""
        await self.client.close()

    def health(self) -> Mapping[str, int]:
        """Counters of the client."""
        return asdict(self.client.counters)


def _snmp(point: SignalPoint) -> SnmpSignal:
    return cast("SnmpSignal", point.spec)
