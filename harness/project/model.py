"""A plan on a station: what is left of the files when everything in them is right."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.project.catalog import Catalog
from harness.project.step import Params, StepDefinition
from harness.schema.conditions import Limit
from harness.schema.document import Source
from harness.schema.plan import Plan, StepEntry
from harness.schema.station import Interlock, Station

SECTIONS = ("setup", "steps", "cleanup")


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of a plan, checked: its definition and parameters."""

    section: str
    index: int
    title: str
    entry: StepEntry
    definition: StepDefinition
    params: Params
    package: str = ""
    """Whose step it is, `name version`; '' for this package's."""


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

    def attempts_of(self, step: PlannedStep) -> int:
        """How often a step may be done before its FAIL counts."""
        return step.entry.attempts or self.plan.attempts

    @property
    def catalog(self) -> Catalog:
        """Signals and controls."""
        return self.on.catalog
