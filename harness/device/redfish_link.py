"""A device with a Redfish service: resources found by their collections, one GET for all signals of a resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from harness.device import redfish_values
from harness.device.link import Reply
from harness.device.points import ControlPoint, Expansion, SignalPoint, fill
from harness.device.wire import Command, Read
from harness.errors import RefusedError
from harness.quantity import Quality
from harness.schema.profile import RedfishProfile, RedfishSignal
from harness.transport.redfish import RedfishClient
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


class RedfishReadPlan:
    """Resources in a fixed order, and the points that they serve."""

    def __init__(self, link: RedfishLink, points: Sequence[SignalPoint]) -> None:
        self._link = link
        self._sources = [link.source(point) for point in points]
        self._paths = list(dict.fromkeys(path for source in self._sources for path, _ in source.places))

    async def read(self) -> Reply:
        """Ask for every resource once. One that is refused makes its own signals BAD; all refused: RefusedError."""
        reply = Reply.empty(len(self._sources))
        reply.notes, self._link.notes = self._link.notes, []
        resources: dict[str, JsonObject | Quality] = {}
        refusal: RefusedError | None = None
        for path in self._paths:
            try:
                resources[path] = await self._link.client.get(path)
                self._link.told.discard(path)
            except RefusedError as error:
                if error.vendor_code == _UNAUTHORISED:
                    raise
                is_gone = error.vendor_code == redfish_values.GONE
                resources[path] = Quality.BAD_MISSING if is_gone else Quality.BAD_REFUSED
                refusal = refusal if is_gone else error
                reply.refusals += 1
                if path not in self._link.told:
                    self._link.told.add(path)
                    reply.notes.append(f"{path}: {error.message}")
        if refusal is not None and Quality.BAD_REFUSED in resources.values() and not _any_good(resources):
            raise refusal
        for k, source in enumerate(self._sources):
            values = [_at(resources[path], pointer) for path, pointer in source.places]
            if source.kind == "text":
                found = values[0] if values else MISSING
                shown, quality = ("", found) if isinstance(found, Quality) else redfish_values.text(found)
                reply.texts[k], reply.qualities[k] = shown, quality
                continue
            raw, quality = redfish_values.number(source.kind, values, source.codes, source.sentinels)
            reply.raw[k], reply.qualities[k] = source.offset + source.gain * raw, quality
        return reply


def _any_good(resources: Mapping[str, JsonObject | Quality]) -> bool:
    return any(not isinstance(each, Quality) for each in resources.values())


def _at(resource: JsonObject | Quality, pointer: str) -> Any:
    return resource if isinstance(resource, Quality) else at(resource, pointer)


class RedfishLink:
    """One Redfish service, read only."""

    def __init__(
        self, profile: RedfishProfile, expansion: Expansion, client: RedfishClient, parameters: Mapping[str, int]
    ) -> None:
        self.profile = profile
        self.client = client
        self.told: set[str] = set()
        """Resources whose refusal has been told."""
        self._expansion = expansion
        self._parameters = {**profile.parameters, **parameters}
        self._found: dict[str, str] = {}
        self._rows: dict[str, list[str]] = {}
        self.notes: list[str] = []
        """What was learnt at open and is to be told with the next reply."""

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
            self._rows[group] = members[: repeat.count]
            if (more := len(members) - repeat.count) > 0:
                self.notes.append(f"{group}: the device has {more} more than profile {self.profile.profile} counts")
        points = [p for p in self._expansion.signals.values() if not p.group or p.row <= len(self._rows[p.group])]
        return await self._existing(points)

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
        wanted = [
            f"{path}#{pointer}"
            for point in points
            if _redfish(point).optional
            for path, pointer in self.source(point).places
        ]
        found = await redfish_values.fetch(self.client, wanted) if wanted else {}
        there = {place for place, value in found.items() if value is not MISSING}
        return [
            point
            for point in points
            if not _redfish(point).optional
            or any(f"{path}#{pointer}" in there for path, pointer in self.source(point).places)
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
            return Source(kind, places, _folded(spec) if spec.answers else None, () if spec.answers else spec.sentinels)
        group, _, column = (spec.sum_of or spec.max_of).partition(".")
        part = self.profile.repeat[group].signals[column]
        rows = [p for p in self._expansion.signals.values() if p.group == group and p.spec is part]
        places = tuple(
            place for p in rows if p.row <= len(self._rows[group]) for place in self._places(part, group, p.row)
        )
        if part.answers:
            known = {text: code for text, code in _folded(part).items() if code in spec.words()}
            return Source("worst", places, known)
        gain = part.scale / 2**part.precision
        offset = part.offset * (len(places) if spec.sum_of else 1)
        return Source("sum" if spec.sum_of else "max", places, None, part.sentinels, gain, offset)

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
    def channel(self) -> RedfishClient:
        """The client, for compiled reads."""
        return self.client

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
            factor=source.gain,
            offset=source.offset,
        )

    async def tend(self, wall_ns: int, now: float) -> None:
        """Nothing has to be told again and again."""

    def renew(self) -> None:
        """What was refused before the loss is worth telling again."""
        self.told.clear()

    @property
    def patience(self) -> float:
        """No other device waits for this one."""
        return 0.0

    async def close(self) -> None:
        """End the session and close the connection."""
        await self.client.close()

    def health(self) -> Mapping[str, int]:
        """Counters of the client."""
        return asdict(self.client.counters)


def _redfish(point: SignalPoint) -> RedfishSignal:
    assert isinstance(point.spec, RedfishSignal)
    return point.spec


def _folded(spec: RedfishSignal) -> dict[str, float]:
    return {text.casefold(): code for text, code in spec.codes().items()}
