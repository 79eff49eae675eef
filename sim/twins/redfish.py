"""The Redfish twin: a tree of resources made from a profile, read from the plant.

Members of collections are called by names that no client could guess (`Pumps-01`), so that nobody gets away with
counting instead of asking.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Any

from harness.schema.profiles.redfish import RedfishProfile, RedfishSignal
from sim.servers.redfish import ROOT, Resource
from sim.twins.points import Point, Twin, points

DIGITS = 3
"""Decimal digits of the readings."""

Getter = Callable[[], Any]


class RedfishTree:
    """All resources of one twin; `look` is what a service asks."""

    def __init__(self, twin: Twin) -> None:
        profile = twin.profile
        if not isinstance(profile, RedfishProfile):
            raise TypeError(f"expected a Redfish profile, got {profile.profile}")
        self.twin = twin
        self._profile = profile
        self._values: dict[str, list[tuple[list[str], Getter]]] = {ROOT: []}
        self._members: dict[str, list[str]] = {}
        self._found: dict[str, str] = {}
        for name, find in profile.redfish.find.items():
            number = int(twin.fill(str(find.member), None))
            collection = self._fill(find.collection, "")
            for each in range(1, number + 1):
                self._found[name] = self._member(collection, each)
        for repeat, group in profile.repeat.items():
            for index in twin.indices(repeat):
                path = self._row(repeat, index)
                if group.where is not None:
                    kind = group.where.one_of[0]
                    self._resource(path).append((_tokens(group.where.pointer), partial(str, kind)))
        for point in points(twin).values():
            self._add(point)

    def _row(self, repeat: str, index: int) -> str:
        """The resource of a row; repetitions that choose from one collection have members of their own there."""
        group = self._profile.repeat[repeat]
        return self._member(self._fill(group.walk, ""), index, repeat if group.where is not None else "")

    def _member(self, collection: str, number: int, name: str = "") -> str:
        path = f"{collection}/{name or collection.rpartition('/')[2]}-{number:02d}"
        known = self._members.setdefault(collection, [])
        if path not in known:
            known.append(path)
            self._resource(path)
        return path

    def _fill(self, template: str, row: str, index: int | None = None) -> str:
        for name, path in self._found.items():
            template = template.replace(f"{{{name}}}", path)
        return self.twin.fill(template.replace("{i}", row), index)

    def _resource(self, path: str) -> list[tuple[list[str], Getter]]:
        """The values of a resource; those it lies under exist from now on too."""
        above = path
        while (above := above.rpartition("/")[0]).startswith(ROOT):
            if above not in self._members:
                self._values.setdefault(above, [])
        return self._values.setdefault(path, [])

    def _add(self, point: Point) -> None:
        spec: RedfishSignal = point.spec
        if not spec.pointer:
            return  # a sum is the client's own
        row = ""
        if point.index is not None:
            row = self._row(point.name.partition("[")[0], point.index)
        path = self._fill(spec.path or "{i}", row, point.index)
        self._resource(path).append((_tokens(spec.pointer), _getter(point, spec)))

    def look(self, path: str) -> Resource | None:
        """The resource at a path as it is now; None when there is none."""
        self.twin.sources.refresh()
        if path in self._members:
            members = [{"@odata.id": member} for member in self._members[path]]
            kind = path.rpartition("/")[2].removesuffix("s")
            return {
                "@odata.id": path,
                "@odata.type": f"#{kind}Collection.{kind}Collection",
                "Name": f"{kind} Collection",
                "Members@odata.count": len(members),
                "Members": members,
            }
        values = self._values.get(path)
        if values is None:
            return None
        name = path.rpartition("/")[2]
        resource: Resource = {"@odata.id": f"{ROOT}/" if path == ROOT else path, "Id": name, "Name": name}
        for other in (*self._values, *self._members):
            above, _, last = other.rpartition("/")
            if above == path:
                resource[last] = {"@odata.id": other}
        for tokens, get in values:
            _put(resource, tokens, get())
        return resource


def _tokens(pointer: str) -> list[str]:
    """The parts of a JSON pointer (RFC 6901)."""
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def _put(resource: Resource, tokens: list[str], value: Any) -> None:
    """Put a value where a pointer leads; numbers among the tokens mean places of a list."""
    place: Any = resource
    for token, following in itertools.pairwise(tokens):
        empty: Any = [] if following.isdigit() else {}
        if isinstance(place, list):
            while len(place) <= int(token):
                place.append(type(empty)())
            place = place[int(token)]
        else:
            place = place.setdefault(token, empty)
    if isinstance(place, list):
        while len(place) <= int(tokens[-1]):
            place.append(None)
        place[int(tokens[-1])] = value
    else:
        place[tokens[-1]] = value


def _getter(point: Point, spec: RedfishSignal) -> Getter:
    if point.text is not None:
        return point.text
    read = point.number if point.number is not None else lambda: math.nan
    if spec.answers:
        raw = {float(each[0] if isinstance(each, tuple) else each): word for word, each in spec.enum.items()}
        words = raw or {float(n): word for n, word in enumerate(spec.answers)}
        return lambda: _answer(spec, words.get(read()))

    def number() -> float | int | None:
        value = read()
        if math.isnan(value):
            return None  # how a service says that a sensor is dead (DSP0268)
        shown = value if point.is_raw else (value - spec.offset) * 2.0**spec.precision / spec.scale
        return round(shown) if spec.counter or point.is_raw else round(shown, DIGITS)

    return number


def _answer(spec: RedfishSignal, word: str | None) -> str | bool | None:
    if word is None:
        return None
    texts = spec.answers[word]
    text = texts[0] if isinstance(texts, tuple) else texts
    return {"true": True, "false": False}.get(text, text)
