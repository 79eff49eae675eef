"""What the files name and the devices that were found do not have: said once, before anything is energised."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.engine.references import references
from harness.engine.signals import SignalStore
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.engine.project import Project

_SHOWN = 4


def refuse_missing(project: Project, store: SignalStore) -> None:
    """HarnessError naming every signal and control that interlocks and steps need and no device has.

    A bank (`switch.port.state`) stands for the rows that there are, one at least; a row by its number must exist.
    """
    missing = list(dict.fromkeys(f"{who} needs {name}" for who, name in _missing(project, store)))
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        hint = "nothing was energised; name what the device has, or look whether it is the right device"
        raise HarnessError(f"{'; '.join(missing[:_SHOWN])}{more}, which the device does not have", hint=hint)


def _missing(project: Project, store: SignalStore) -> Iterator[tuple[str, str]]:
    for interlock in project.interlocks:
        armed = [interlock.armed_when.signal] if interlock.armed_when is not None else []
        for signal in (*interlock.all_signals, *armed):
            if not store.has(signal):
                yield f"interlock {interlock.name!r}", signal
    for step in project.steps:
        raw = project.source.data[step.section][step.index]
        for _, kind, name in references(step.definition.params, raw):
            found = kind == "limit"
            if kind == "signal":
                found = any(store.has(each) for each in project.catalog.find_signals(name))
            elif kind == "control":
                found = bool(project.catalog.find_controls(name))
            if not found:
                yield f"step {step.title!r}", name
