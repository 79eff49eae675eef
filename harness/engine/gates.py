"""Gates: what must hold before anything is energised. A FAIL stops what follows, but for `on_fail: continue`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.engine.guard_checks import energised_by
from harness.engine.references import references
from harness.schema.conditions import Watch
from harness.schema.problems import Problems

if TYPE_CHECKING:
    from harness.engine.project import NamedLimit, PlannedStep, Project


def check_gates(source: Any, steps: list[PlannedStep], found: Problems) -> None:
    """Set-up is a gate as a whole: it takes no `on_fail: continue`."""
    for step in steps:
        if step.section == "setup" and step.entry.on_fail == "continue":
            message = "a FAIL in set-up stops the run: `on_fail: continue` is refused there"
            hint = "put the step under `steps`, or leave the key out"
            found.add(source.problem(("setup", step.index, "on_fail"), "HX-1362", message, hint))


def open_gates(project: Project) -> list[str]:
    """What does not stop although it comes before the first step that energises anything, in words."""
    said: list[str] = []
    for step in project.steps:
        if step.section == "cleanup":
            continue
        if next(energised_by(project.source, project.on, step), None) is not None:
            return said
        if step.section == "steps":
            said += [
                f"{step.title}: a FAIL of {what} does not stop the run before power goes on"
                for what in _open(step, project)
            ]
    return []  # nothing is energised: there is no gate


def _open(step: PlannedStep, project: Project) -> Iterator[str]:
    """What of a step lets the run go on after a FAIL."""
    if step.entry.on_fail is not None:
        if step.entry.on_fail == "continue":
            yield "this step (`on_fail: continue`)"
        return
    raw = project.source.data[step.section][step.index]
    for _, kind, name in references(step.definition.params, raw, ()):
        limit: NamedLimit | None = project.limits.get(name) if kind == "limit" else None
        if limit is not None and limit.limit.on_fail == "continue":
            yield f"the limit {name} (`on_fail: continue` in {limit.source})"
    for watch in getattr(step.params, "watch", ()):
        if isinstance(watch, Watch) and watch.on_fail == "continue":
            yield f"the watched {watch.name or watch.signal} (`on_fail: continue`)"
