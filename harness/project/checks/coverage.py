"""Whether a plan asks for enough data to prove something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.project.checks.parts import Place
from harness.project.model import PlannedStep, Project
from harness.schema.document import Source
from harness.schema.plan import Plan
from harness.schema.problems import Problems

_LITTLE = 90.0
"""Below this a word is said where a station states no floor of its own, %."""


def check_coverage(
    source: Source, plan: Plan, steps: Sequence[PlannedStep], floor: float | None, found: Problems
) -> None:
    """Neither a plan nor one of its steps may ask for less data than its station does; in %."""
    for whose, place, coverage in _asked(source, plan, steps):
        if floor is not None and coverage < floor:
            message = f"{coverage:g} % of the data is less than the {floor:g} % that the station asks for"
            hint = "ask for more; `coverage_floor` of the station says how much is the least"
            found.add(whose.problem(place, "HX-1391", message, hint))


def little_evidence(project: Project) -> list[str]:
    """What asks for little data on a station that states no floor, in words."""
    least = min(coverage for *_, coverage in _asked(project.source, project.plan, project.steps))
    if project.on.station.coverage_floor is not None or least >= _LITTLE:
        return []
    return [f"{least:g} % of the data is enough for this plan: the station states no `coverage_floor`"]


def no_evidence(project: Project) -> list[str]:
    """That a plan measures nothing at all, in words; a step of which it is not known may measure something."""
    if any(step.params.measures != () for step in project.steps):
        return []
    return ["no step of this plan measures anything against a limit: it can only end INCONCLUSIVE"]


def _asked(source: Source, plan: Plan, steps: Sequence[PlannedStep]) -> Iterator[tuple[Source, Place, float]]:
    yield source, ("coverage",), plan.coverage
    for step in steps:
        if step.params.least_coverage is not None:
            yield step.source, (*step.loc, "coverage"), step.params.least_coverage
