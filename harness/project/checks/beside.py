"""What may stand beside each other: nothing that puts power on beside what may FAIL, and no control in two branches."""

from __future__ import annotations

from collections.abc import Iterable

from harness.project.checks.guarded import energised_by
from harness.project.model import PlannedStep, StationProject
from harness.schema.problems import Problems


def check_beside(on: StationProject, steps: Iterable[PlannedStep], found: Problems) -> None:
    """Each parallel group, and each branch of it against the others."""
    groups: dict[str, dict[str, list[PlannedStep]]] = {}
    for step in steps:
        for at, group in enumerate(step.groups[:-1]):
            if group.kind == "parallel":
                branches = groups.setdefault(group.path, {})
                branches.setdefault(step.groups[at + 1].path, []).append(step)
    for branches in groups.values():
        _check_group(on, branches, found)


def _check_group(on: StationProject, branches: dict[str, list[PlannedStep]], found: Problems) -> None:
    owners: dict[str, str] = {}
    for path, steps in branches.items():
        others = [each for other, inside in branches.items() if other != path for each in inside]
        judge = next((each for each in others if each.params.judges), None)
        for step in steps:
            if judge is not None and next(energised_by(on, step), None) is not None:
                message = f"power goes on beside {judge.title}, whether that FAILs or not"
                found.add(step.problem("HX-1363", message, "put it before or after the parallel group"))
            for name in _controls(on, step):
                if owners.setdefault(name, path) != path:
                    message = f"{name} is set in two branches at once"
                    found.add(step.problem("HX-1363", message, "put both into one branch"))


def _controls(on: StationProject, step: PlannedStep) -> set[str]:
    """What a step is given to command, by `device.control`."""
    given = [text for _, kind, text in step.references() if kind == "control"]
    return {f"{device}.{point.name}" for text in given for device, point in on.catalog.find_controls(text)}
