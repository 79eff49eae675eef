"""A run that begins at another step than the first: an engineering run, which proves nothing."""

from __future__ import annotations

from collections.abc import Sequence

from harness.project.catalog import did_you_mean
from harness.project.model import PlannedStep
from harness.schema.problems import Problem, Problems


def first_step(wanted: str, steps: Sequence[PlannedStep], found: Problems) -> PlannedStep | None:
    """The step of a path or a name; None, and a problem, where there is none. Set-up is always carried out."""
    main = [step for step in steps if step.section == "steps"]
    for step in main:
        if wanted in (step.path, step.title, step.path.partition("/")[2]):
            return step
    near = did_you_mean(wanted, [step.title for step in main])
    found.add(Problem(f"--from {wanted}", 0, 0, "HX-1357", f"the plan has no such step{near}", "see harness plan show"))
    return None


def skipped_by(begin_at: str, steps: Sequence[PlannedStep]) -> dict[str, str]:
    """Path -> why it is not carried out, of the steps before the one that a run begins at."""
    before: dict[str, str] = {}
    for step in steps:
        if step.path == begin_at:
            return before
        if step.section == "steps":
            before[step.path] = f"the run began at {begin_at}"
    return {}
