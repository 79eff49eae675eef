"""A loaded input file: plain data, the position of every key and value, and the problems found so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.schema.problems import Problem, ProblemsError

Loc = tuple[str | int, ...]
"""A place in the data: keys and list indices from the top."""

Place = tuple[int, int, int, int]
"""(line, column) of a value and (line, column) of its key, counted from 1; the value's twice when it has no key."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the value of a parameter comes from that is not the plan's own: a place in a file, or a word for it."""

    file: str
    line: int
    column: int
    words: str
    """`--set soak_time`, or the parameter's name."""

    def problem(self, code: str, message: str, hint: str = "") -> Problem:
        """What is wrong with the value."""
        return Problem(self.file, self.line, self.column, code, f"{self.words}: {message}", hint)


@dataclass(frozen=True, slots=True)
class Source:
    """One input file. `data` holds only dict, list, str, int, float, bool and None.

    `problems` holds mistakes after which loading could go on (duplicate keys, tags, aliases, NaN...); `refused` says
    where. `validate` raises them together with its own; whoever reads `data` without it calls `check()` first.
    """

    path: Path | None
    name: str
    sha256: str
    data: Any
    places: Mapping[Loc, Place] = field(repr=False, default_factory=dict)
    problems: tuple[Problem, ...] = ()
    refused: frozenset[Loc] = frozenset()
    parameters: Mapping[Loc, str] = field(repr=False, default_factory=dict)
    """Where a value of the file is that of a parameter, and of which."""
    given: Mapping[str, Origin] = field(default_factory=dict)
    """The parameters whose value is not the file's own."""
    local: Mapping[Loc, str] = field(repr=False, default_factory=dict)
    """Where a value is that of a sweep or of an including file: `flow = 95 L/min`."""

    def check(self) -> None:
        """Raise ProblemsError when loading found anything wrong."""
        if self.problems:
            raise ProblemsError(self.problems)

    def position(self, loc: Sequence[str | int], *, key: bool = False) -> tuple[int, int]:
        """(line, column) from 1 of the value (or of its key) at `loc`; of the nearest parent when it is missing."""
        where = tuple(loc)
        for length in range(len(where), -1, -1):
            place = self.places.get(where[:length])
            if place is not None:
                return place[2:] if key and length == len(where) else place[:2]
        return (1, 1)

    def problem(
        self, loc: Sequence[str | int], code: str, message: str, hint: str = "", *, key: bool = False
    ) -> Problem:
        """A problem of this file at the value (or key) at `loc`; of a parameter's value where that stands."""
        line, column = self.position(loc, key=key)
        around = tuple(loc)[:-1] if key else tuple(loc)
        if local := _at_or_around(self.local, around):
            message = f"{message} ({local})"
        name = _at_or_around(self.parameters, around)
        if name in self.given:
            return self.given[name].problem(code, message, hint)
        if name:
            message = f"{message} (the default of {name}, used in line {line})"
            line, column = self.position(("parameters", name, "default"))
        return Problem(self.name, line, column, code, message, hint)


def _at_or_around(noted: Mapping[Loc, str], loc: Loc) -> str:
    """What is noted of a place, or of one around it; '' for what the file says itself."""
    if not noted:
        return ""
    places = (loc[:length] for length in range(len(loc), 0, -1))
    return next((noted[place] for place in places if place in noted), "")


def value_at(data: Any, loc: Sequence[str | int]) -> Any:
    """The value at a place of plain data, None where there is none."""
    for element in loc:
        is_there = element in data if isinstance(data, dict) else isinstance(data, list) and element in range(len(data))
        if not is_there:
            return None
        data = data[element]
    return data


def with_value(data: Any, loc: Sequence[str | int], value: Any) -> Any:
    """A copy of plain data with another value at a place; everything beside the way to it is shared."""
    if not loc:
        return value
    head, *rest = loc
    copy: Any = dict(data) if isinstance(data, dict) else list(data) if isinstance(data, list) else {}
    copy[head] = with_value(value_at(data, (head,)), rest, value)
    return copy
