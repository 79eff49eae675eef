"""A device with a Redfish service: resources found by their collections, one GET for all signals of a resource."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NoReturn, cast

from harness.device.link import PlainLink, Reply
from harness.device.points import ControlPoint, Expansion, SignalPoint, fill
from harness.device.redfish import values as redfish_values
from harness.device.redfish.channel import RedfishChannel
from harness.device.wire import Command, Read
from harness.errors import DeviceError, RefusedError
from harness.quantity import Quality
from harness.schema.profiles.redfish import RedfishProfile, RedfishSignal, RedfishWhere
from harness.transport.again import Again
from harness.transport.redfish import RedfishClient
from harness.transport.redfish.client import NoResourceError
from harness.transport.redfish.resource import MISSING, JsonObject, at

_UNAUTHORISED = 401


@dataclass(frozen=True, slots=True)
class Source:
    """Where the raw number or text of a signal comes from: values at places, and what is made of them.

    raw = offset + gain * (the values combined as `kind` says)
    """

    kind: str
    places: tuple[tuple[str, str], ...] = ()
    """(path, pointer) of each value."""
    codes: Mapping[str, float] | None = None
    """Text, in folded case: code."""
    sentinels: tuple[float, ...] = ()
    gain: float = 1.0
    offset: float = 0.0
    states: tuple[str, ...] | None = None
    """Values of Status.State, in folded case, in which a value counts; None: in all."""


class RedfishReadPlan:
    """Resources, and the points that they serve. A resource that is refused or none makes its own signals BAD."""

    def __init__(self, link: RedfishLink, points: Sequence[SignalPoint]) -> None:
        self._link = link
        self._sources = [link.source(point) for point in points]
        self._paths = list(dict.fromkeys(path for source in self._sources for path, _ in source.places))
        self._mute: Again[str] = Again()
        self._why: dict[str, Quality] = {}
        """What the values of a resource that is left out are."""

    async def read(self, *, is_urgent: bool = False) -> Reply:
        """Ask for every resource once; the error when none of them can be read."""
        reply = Reply.empty(len(self._sources))
        reply.notes, self._link.notes = self._link.notes, []
        resources: dict[str, JsonObject | Quality] = {}
        problem: DeviceError | None = None
        now = asyncio.get_running_loop().time()
        lost = redfish_values.InARow()
        for path in list(self._paths):
            if not is_urgent and not self._mute.is_due(path, now):
                resources[path] = self._why[path]
                continue
            try:
                resources[path] = await self._link.client.get(path)
            except redfish_values.OF_ONE_RESOURCE as error:
                if isinstance(error, RefusedError) and error.vendor_code == _UNAUTHORISED:
                    raise
                resources[path] = redfish_values.quality_of(error)
                if resources[path] is not Quality.BAD_MISSING:
                    problem = error
                if not isinstance(error, RefusedError | NoResourceError):
                    self._lost(path, now, redfish_values.quality_of(error), others_answer=_any_good(resources))
                    if lost.is_the_service(is_any_good=_any_good(resources)):
                        raise
                self._tell(path, error, reply)
            else:
                lost.count = 0
                self._answered(path, reply)
        if problem is not None and not _any_good(resources):
            raise problem
        self._fill(resources, reply)
        return reply

    def _lost(self, path: str, now: float, quality: Quality, *, others_answer: bool) -> None:
        """A resource cost the connection: asked last from now on, and left out for a while where others answer."""
        self._paths.remove(path)
        self._paths.append(path)
        if others_answer:
            self._mute.refuse(path, now)
            self._why[path] = quality

    def _tell(self, path: str, error: DeviceError, reply: Reply) -> None:
        if path not in self._link.reported:
            self._link.reported.add(path)
            reply.notes.append(f"{path}: {error.message}")
        reply.refusals += isinstance(error, RefusedError)

    def _answered(self, path: str, reply: Reply) -> None:
        if self._mute or not self._mute.was_read(path):
            self._mute.read([path])
        if path in self._link.reported:
            self._link.reported.discard(path)
            reply.notes.append(f"{path} is read again")

    def _fill(self, resources: Mapping[str, JsonObject | Quality], reply: Reply) -> None:
        for k, source in enumerate(self._sources):
            values = [redfish_values.value_at(resources[path], each, source.states) for path, each in source.places]
            if source.kind == "text":
                reply.texts[k], reply.qualities[k] = redfish_values.text(values[0] if values else MISSING)
                continue
            raw, quality = redfish_values.number(source.kind, values, source.codes, source.sentinels)
            reply.raw[k], reply.qualities[k] = source.offset + source.gain * raw, quality


def _any_good(resources: Mapping[str, JsonObject | Quality]) -> bool:
    return any(not isinstance(each, Quality) for each in resources.values())


class RedfishLink(PlainLink):
    """One Redfish service, read only."""

    def __init__(
        self, profile: RedfishProfile, expansion: Expansion, client: RedfishClient, parameters: Mapping[str, int]
    ) -> None:
        self.profile = profile
        self.client = client
        self.reported: set[str] = set()
        """Resources whose refusal has been reported."""
        self._expansion = expansion
        self._parameters = {**profile.parameters, **parameters}
        self._found: dict[str, str] = {}
        self._rows: dict[str, list[str]] = {}
        self._aggregated = {
            (spec.sum_of or spec.max_of).partition(".")[0] for spec in profile.signals.values() if not spec.pointer
        }
        self._absent: set[tuple[str, int]] = set()
        self._rows_found: dict[str, int] = {}
        """Repetition: members that the service has."""
        self.notes: list[str] = []
        """What was learnt at open and is to be reported with the next reply."""

    @property
    def rows_found(self) -> Mapping[str, int]:
        """Members of each collection."""
        return self._rows_found

    async def open(self) -> Sequence[SignalPoint]:
        """Connect, find the members that the profile names, and return the points that exist."""
        await self.client.open()
        self._found.clear()
        for name, find in self.profile.redfish.find.items():
            members = await self._members(self._fill(find.collection, ""))
            number = int(fill(str(find.member), 0, self._parameters))
            if 1 <= number <= len(members):
                self._found[name] = members[number - 1]
        for group, repeat in self.profile.repeat.items():
            members = await self._members(self._fill(repeat.walk, ""))
            if repeat.where is not None:
                members = await self._chosen(members, repeat.where)
            self._rows[group] = members[: repeat.count]
            self._rows_found[group] = len(members)
            if (more := len(members) - repeat.count) > 0:
                self.notes.append(f"{group}: the device has {more} more than profile {self.profile.profile} counts")
        await self._leave_absent_out()
        points = [p for p in self._expansion.signals.values() if not p.group or p.row <= len(self._rows[p.group])]
        return await self._existing(points)

    async def _leave_absent_out(self) -> None:
        """Members that say Absent at open (an empty bay) are part of no sum and no maximum; later it makes them BAD."""
        self._absent.clear()
        for group in self._aggregated:
            found, _ = await redfish_values.fetch(self.client, self._rows[group])
            for row, member in enumerate(self._rows[group], 1):
                if redfish_values.is_absent(found[member]):
                    self._absent.add((group, row))
            if count := sum(each == group for each, _ in self._absent):
                self.notes.append(f"{group}: {count} of {len(self._rows[group])} say Absent and count in no total")

    async def _chosen(self, members: Sequence[str], rule: RedfishWhere) -> list[str]:
        """The members for which a rule holds; what could not be read at open may well be one of them."""
        found, _ = await redfish_values.fetch(self.client, members)
        return [each for each in members if _is_chosen(found[each], rule)]

    async def _members(self, collection: str | None) -> list[str]:
        """The members of a collection; none when the service does not have it."""
        if collection is None:
            return []
        try:
            return await self.client.members(collection)
        except RefusedError as refused:
            if refused.vendor_code != redfish_values.GONE:
                raise
            return []

    async def _existing(self, points: Sequence[SignalPoint]) -> list[SignalPoint]:
        """The points without those that are optional and not there."""
        optional = [point for point in points if _redfish(point).optional]
        found, _ = await redfish_values.fetch(
            self.client, (path for point in optional for path, _ in self.source(point).places)
        )
        return [
            point
            for point in points
            if not _redfish(point).optional
            or any(_is_there(found[path], pointer) for path, pointer in self.source(point).places)
        ]

    def _fill(self, template: str, row: str) -> str | None:
        """A path with what was found put in; None when the device does not have what it names."""
        for name in self.profile.redfish.find:
            if f"{{{name}}}" in template:
                if name not in self._found:
                    return None
                template = template.replace(f"{{{name}}}", self._found[name].rstrip("/"))
        return fill(template, row.rstrip("/"), self._parameters)

    def source(self, point: SignalPoint) -> Source:
        """Where the value of a point comes from; no places when the device does not have them."""
        spec = _redfish(point)
        if spec.pointer:
            places = self._places(spec, point.group, point.row)
            kind = "text" if spec.is_text else "word" if spec.answers else "number"
            codes, sentinels = (_folded(spec), ()) if spec.answers else (None, spec.sentinels)
            return Source(kind, places, codes, sentinels, states=_states(spec))
        group, _, column = (spec.sum_of or spec.max_of).partition(".")
        part = self.profile.repeat[group].signals[column]
        rows = [p for p in self._expansion.signals.values() if p.group == group and p.spec is part]
        rows = [p for p in rows if p.row <= len(self._rows[group]) and (group, p.row) not in self._absent]
        places = tuple(place for p in rows for place in self._places(part, group, p.row))
        if part.answers:
            known = {text: code for text, code in _folded(part).items() if code in spec.words()}
            return Source("worst", places, known, states=_states(part))
        gain = part.scale / 2**part.precision
        offset = part.offset * (len(places) if spec.sum_of else 1)
        return Source("sum" if spec.sum_of else "max", places, None, part.sentinels, gain, offset, _states(part))

    def _places(self, spec: RedfishSignal, group: str, row: int) -> tuple[tuple[str, str], ...]:
        member = self._rows[group][row - 1] if group else ""
        path = self._fill(spec.path or "{i}", member)
        return () if path is None else ((path, spec.pointer),)

    def plan(self, points: Sequence[SignalPoint]) -> RedfishReadPlan:
        """Group the points by resource."""
        return RedfishReadPlan(self, points)

    async def write(self, control: ControlPoint, value: float, word: str) -> None:  # noqa: ARG002
        """Refused: Redfish is read only."""
        self._refuse(control)

    @property
    def channel(self) -> RedfishChannel:
        """The client, for compiled reads."""
        return RedfishChannel(self.client)

    async def commands(self, control: ControlPoint, value: float, word: str) -> list[Command]:  # noqa: ARG002
        """Refused: Redfish is read only."""
        self._refuse(control)

    def _refuse(self, control: ControlPoint) -> NoReturn:
        raise RefusedError(f"{control.name}: Redfish is read here, never written", operation="write")

    def reading(self, point: SignalPoint) -> Read:
        """How one signal is read on its own, before scaling. RefusedError when this device does not have it."""
        source = self.source(point)
        if not source.places:
            raise RefusedError(f"the device has no {point.name}", operation="read")
        return Read(
            type=source.kind,
            join=tuple(f"{path}#{pointer}" for path, pointer in source.places),
            answers=source.codes,
            sentinels=source.sentinels,
            accepted=source.states or (),
            factor=source.gain,
            offset=source.offset,
        )

    def renew(self) -> None:
        """What was refused before the loss is worth telling again."""
        self.reported.clear()

    async def close(self) -> None:
        """End the session and close the connection."""
        await self.client.close()

    def health(self) -> Mapping[str, int]:
        """Counters of the client."""
        return asdict(self.client.counters)


def _redfish(point: SignalPoint) -> RedfishSignal:
    return cast("RedfishSignal", point.spec)


def _folded(spec: RedfishSignal) -> dict[str, float]:
    return {text.casefold(): code for text, code in spec.codes().items()}


def _states(spec: RedfishSignal) -> tuple[str, ...] | None:
    return None if spec.is_text or spec.states == "any" else tuple(state.casefold() for state in spec.states)


def _is_chosen(resource: JsonObject | Quality, rule: RedfishWhere) -> bool:
    if isinstance(resource, Quality):
        return resource is not Quality.BAD_MISSING
    return at(resource, rule.pointer) in rule.one_of


def _is_there(resource: JsonObject | Quality, pointer: str) -> bool:
    """Whether a model has an optional property; what could not be read at open may well be there."""
    if isinstance(resource, Quality):
        return resource is not Quality.BAD_MISSING
    return at(resource, pointer) is not MISSING
