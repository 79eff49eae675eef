"""A plan on a station: what is left of the files when everything in them is right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.project.catalog import Catalog
from harness.project.references import references
from harness.project.step import Params, StepDefinition
from harness.schema.conditions import Condition, Limit
from harness.schema.document import Loc, Source, value_at
from harness.schema.plan import Plan
from harness.schema.problems import Problem
from harness.schema.sequence import StepEntry
from harness.schema.station import Interlock, Station

SECTIONS = ("setup", "steps", "cleanup")


@dataclass(frozen=True, slots=True)
class VerdictOf:
    """What an earlier step, or all steps of a group, must have come to."""

    path: str
    verdicts: tuple[str, ...]

    @property
    def name(self) -> str:
        """The step, as people say it."""
        return self.path.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Group:
    """What a step stands in: a group, one pass of a repeat or sweep, an included sequence, a branch of a parallel."""

    kind: str
    """group, repeat, pass, sweep, value, include, parallel or branch."""
    title: str
    """What it adds to the names of its steps; '' for nothing."""
    path: str
    needs: tuple[VerdictOf, ...] = ()
    """All of it must hold, else everything in the group is left out."""
    unless: Condition | VerdictOf | None = None
    """Of a pass: once this holds, it and the passes after it are left out."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of a plan, checked: its definition and parameters."""

    section: str
    path: str
    """What it is known by: the names around it and its own. It stays when the plan grows elsewhere."""
    title: str
    entry: StepEntry
    definition: StepDefinition
    params: Params
    source: Source
    """The file that it stands in, with the values that it has there."""
    loc: Loc
    """Its place in that file."""
    groups: tuple[Group, ...] = ()
    """What it stands in, the outermost first."""
    needs: tuple[VerdictOf, ...] = ()
    """All of it must hold, else it is left out."""
    package: str = ""
    """Whose step it is, `name version`; '' for this package's."""

    @property
    def raw(self) -> Any:
        """Its entry in the file, with the values that it has there."""
        return value_at(self.source.data, self.loc)

    @property
    def names(self) -> set[str]:
        """All that it is known by where interlocks are armed by step: its own name, and those of what it stands in."""
        around = {
            group.path.rpartition("/")[2] for group in self.groups if group.kind not in ("pass", "value", "branch")
        }
        return {self.title, self.entry.title, *around, *(group.title for group in self.groups if group.title)}

    @property
    def is_parallel(self) -> bool:
        """Whether others are carried out beside it."""
        return any(group.kind == "parallel" for group in self.groups)

    @property
    def is_conditional(self) -> bool:
        """Whether what earlier steps came to may leave it out."""
        return bool(self.needs) or any(group.needs or group.unless is not None for group in self.groups)

    def references(self) -> Iterator[tuple[Loc, str, str]]:
        """(place, kind, text) of every signal, control and limit that it is given."""
        return references(self.definition.params, self.raw, self.loc)

    def problem(self, code: str, message: str, hint: str = "", *inner: str | int) -> Problem:
        """What is wrong with it, at its place, or at a key inside it."""
        return self.source.problem((*self.loc, *inner), code, message, hint)


@dataclass(frozen=True, slots=True)
class NamedLimit:
    """A limit and the set it comes from."""

    name: str
    limit: Limit
    source: str


@dataclass(slots=True)
class StationProject:
    """A station, its profiles and what they offer."""

    station: Station
    source: Source
    catalog: Catalog
    left_out: dict[str, str] = field(default_factory=dict)
    """Devices that cannot be used at all, each with why; only who makes the rest safe has a station without them."""
    hashes: dict[str, str] = field(default_factory=dict)
    """sha256 of every file that was read, by the name used for it."""
    files: dict[str, Path] = field(default_factory=dict)
    """Where each of them was read, by the same name."""
    roles: dict[str, str] = field(default_factory=dict)
    """What those are that are neither plan, station, limits nor profile: sequence, parameters ..."""

    @property
    def base(self) -> Path:
        """The folder of the station file: credentials are found there."""
        return self.source.path.parent if self.source.path else Path.cwd()

    @property
    def stays_on(self) -> dict[str, str]:
        """The switches that no sequence switches off (`device.control`), and why."""
        return {
            f"{device}.{point.name}": reason
            for reference, reason in self.station.stays_on.items()
            for device, point in self.catalog.find_controls(reference)
        }

    def switched_off_by(self, sequence: str) -> set[str]:
        """What a safe-state sequence sets to off, by `device.control`."""
        return {
            f"{device}.{point.name}"
            for action in self.station.actions_of(sequence)
            if action.set is not None and action.to == "off" and not action.only_tripped
            for device, point in self.catalog.find_controls(action.set)
        }


@dataclass(slots=True)
class Project:
    """A plan on a station."""

    plan: Plan
    source: Source
    on: StationProject
    steps: list[PlannedStep]
    limits: dict[str, NamedLimit]
    interlocks: list[Interlock]
    parameters: dict[str, Any]
    replaced: dict[str, Any] = field(default_factory=dict)
    """The plan's own value of each parameter that was given another one."""
    bypassed: dict[str, str] = field(default_factory=dict)
    """Interlocks that are left out -> by whom, until when and why."""
    engineering: tuple[str, ...] = ()
    """Why a run of it can prove nothing to a customer; empty: it may have the certificate of the plan."""
    left_out: dict[str, str] = field(default_factory=dict)
    """What `when` of a parameter leaves out -> why."""
    used: frozenset[str] = frozenset()
    """The parameters that stand somewhere in the plan."""
    begin_at: str = ""
    """Path of the step that the run begins at, where that is not the first."""

    def attempts_of(self, step: PlannedStep) -> int:
        """How often a step may be done before its FAIL counts."""
        return step.entry.allowed or self.plan.attempts

    @property
    def catalog(self) -> Catalog:
        """Signals and controls."""
        return self.on.catalog
