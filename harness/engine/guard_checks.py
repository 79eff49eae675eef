"""Whether what a plan energises is watched by interlocks, and switched off by what they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.schema.document import Source
from harness.schema.problems import Problems
from harness.schema.station import Interlock

if TYPE_CHECKING:
    from harness.engine.project import PlannedStep, StationProject


def check_guarded(
    source: Source, on: StationProject, steps: Sequence[PlannedStep], interlocks: Sequence[Interlock], found: Problems
) -> None:
    """A plan must not energise what no interlock would switch off."""
    covered: set[str] = set()
    for interlock in interlocks:
        if interlock.armed_in:
            continue  # it watches some steps only; what is on stays on between and after them
        for action in on.station.actions_of(interlock.on_trip):
            if action.set is not None and action.to == "off":
                covered.update(f"{device}.{point.name}" for device, point in on.catalog.find_controls(action.set))
    for step in steps:
        energised = getattr(step.params, "energises", None)
        for reference in energised() if energised is not None else ():
            for device, point in on.catalog.find_controls(reference):
                if point.spec.energises and f"{device}.{point.name}" not in covered:
                    message = f"{device}.{point.name} is energised, but no interlock would switch it off"
                    hint = "add an interlock whose on_trip sequence sets it to off"
                    found.add(source.problem((step.section, step.index), "HX-1361", message, hint))
                    return
