"""Whether a plan asks for enough data to prove something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.engine.checks import Place
from harness.schema.document import Source
from harness.schema.plan import Plan
from harness.schema.problems import Problems

if TYPE_CHECKING:
    from harness.engine.project import PlannedStep


def check_coverage(source: Source, plan: Plan, steps: Sequence[PlannedStep], floor: float, found: Problems) -> None:
    """Neither a plan nor one of its steps may ask for less data than its station does; in %."""
    asked: list[tuple[Place, float]] = [(("coverage",), plan.coverage)]
    for step in steps:
        own = getattr(step.params, "coverage", None)
        if isinstance(own, float):
            asked.append(((step.section, step.index, "coverage"), own))
    for place, coverage in asked:
        if coverage < floor:
            message = f"{coverage:g} % of the data is less than the {floor:g} % that the station asks for"
            hint = "ask for more; `coverage_floor` of the station says how much is the least"
            found.add(source.problem(place, "HX-1391", message, hint))
