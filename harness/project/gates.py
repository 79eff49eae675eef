"""Gates: what must hold before power or load. Without its PASS nothing that follows is energised.

```
 FAIL                                        stops what follows        unless `on_fail: continue` is written there
 INCONCLUSIVE, power or load still to come   stops what follows        unless `on_fail: continue` is written there
 INCONCLUSIVE, nothing of that to come       the rest is measured, and whatever would energise is refused
 SKIPPED by the operator, could find faults  the run goes on, and whatever would energise is refused
```
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from enum import Enum

from harness.limits.verdict import Verdict
from harness.project.checks.guarded import energised_by
from harness.project.model import NamedLimit, PlannedStep, Project
from harness.schema.problems import Problems

LOAD = "load"
_OWN_STEPS = "harness.steps."


class Follow(Enum):
    """What may follow a step."""

    ALL = "all"
    NO_POWER = "no power"
    """The run goes on, but nothing is energised any more."""
    NOTHING = "nothing"


def follow(
    project: Project, step: PlannedStep, verdict: Verdict, stopping: Collection[Verdict], *, is_raised: bool
) -> Follow:
    """What may follow an attempt of a step.

    `stopping`: the verdicts of those of its measurements whose limits do not say `on_fail: continue`; `is_raised`: it
    failed by itself, and not by its measurements only.
    """
    if verdict is Verdict.PASS:
        return Follow.ALL
    if verdict is Verdict.SKIPPED:
        return Follow.NO_POWER if step.params.judges and step.entry.on_fail != "continue" else Follow.ALL
    if verdict not in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        return Follow.NOTHING
    unproved = {verdict} if is_raised else set(stopping)
    if step.section == "setup" or step.entry.on_fail is not None:
        unproved = set() if step.entry.on_fail == "continue" else {verdict}
    if Verdict.FAIL in unproved:
        return Follow.NOTHING
    if Verdict.INCONCLUSIVE in unproved:
        return Follow.NOTHING if is_power_to_come(project, step) else Follow.NO_POWER
    return Follow.ALL


def no_power_after(gate: str) -> str:
    """Why something is not energised."""
    return f"{gate} has no PASS, and nothing is energised after that"


def is_power_to_come(project: Project, step: PlannedStep) -> bool:
    """Whether a step after this one may energise the rack, or sets its load."""
    steps = [each for each in project.steps if each.section != "cleanup"]
    return step in steps and any(puts_power_on(project, each) for each in steps[steps.index(step) + 1 :])


def puts_power_on(project: Project, step: PlannedStep) -> bool:
    """Whether a step may energise the rack, or sets its load; switching off is no such step."""
    if step.params.switches_off:
        return False
    if step.params.sets_load:
        return True
    return bool(next(energised_by(project.on, step), None)) or any(
        project.catalog.profiles[device].class_ == LOAD
        for _, kind, reference in step.references()
        if kind == "control"
        for device, _ in project.catalog.find_controls(reference)
    )


def check_gates(steps: list[PlannedStep], found: Problems) -> None:
    """Set-up is a gate as a whole: it takes no `on_fail: continue`."""
    for step in steps:
        if step.section == "setup" and step.entry.on_fail == "continue":
            message = "what is not PASS in set-up stops the run: `on_fail: continue` is refused there"
            hint = "put the step under `steps`, or leave the key out"
            found.add(step.problem("HX-1362", message, hint, "on_fail"))


def open_gates(project: Project) -> list[str]:
    """What comes before the first step that energises anything and does not stop the run without its PASS, in words.

    A step that is not the harness's own may switch on by names in its own code: it counts as one that may energise.
    """
    said: list[str] = []
    counts = 0  # of what was said so far, what comes before a step that may energise
    for step in project.steps:
        if step.section == "cleanup":
            continue
        if next(energised_by(project.on, step), None) is not None:
            return said
        if _may_energise(project, step):
            counts = len(said)
        if step.section == "steps":
            said += [
                f"{step.title}: power goes on even when {what} FAILs or is INCONCLUSIVE"
                for what in _open(step, project)
            ]
    return said[:counts]  # what no step that may energise follows is no gate


def _may_energise(project: Project, step: PlannedStep) -> bool:
    """Whether a step of somebody else could put power on the rack: nothing is known of what it commands."""
    is_ours = step.definition.run.__module__.startswith(_OWN_STEPS)
    controls = [point for each in project.catalog.expansions.values() for point in each.controls.values()]
    return not is_ours and any(point.spec.energises for point in controls)


def _open(step: PlannedStep, project: Project) -> Iterator[str]:
    """What of a step lets the run go on without its PASS."""
    if step.is_conditional and step.params.judges:
        yield "this step (`when` may leave it out)"
    if step.entry.on_fail is not None:
        if step.entry.on_fail == "continue":
            yield "this step (`on_fail: continue`)"
        return
    for _, kind, name in step.references():
        limit: NamedLimit | None = project.limits.get(name) if kind == "limit" else None
        if limit is not None and limit.limit.on_fail == "continue":
            yield f"the limit {name} (`on_fail: continue` in {limit.source})"
    for watch in step.params.watches:
        if watch.on_fail == "continue":
            yield f"the watched {watch.name or watch.signal} (`on_fail: continue`)"
