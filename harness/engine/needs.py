"""What the files name and the devices that were found do not have: said once, before anything is energised."""

from __future__ import annotations

from collections.abc import Iterator

from harness.device.signal_store import SignalStore
from harness.errors import HarnessError
from harness.project.model import Project
from harness.schema.station import Station

_SHOWN = 4


def refuse_missing(project: Project, store: SignalStore) -> None:
    """HarnessError naming every signal and control that station, interlocks and steps need and no device has.

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
    for who, signal in _of_station(project.on.station):
        if not any(store.has(each) for each in project.catalog.find_signals(signal)):
            yield who, signal
    for step in project.steps:
        for _, kind, name in step.references():
            found = kind == "limit"
            if kind == "signal":
                found = any(store.has(each) for each in project.catalog.find_signals(name))
            elif kind == "control":
                found = bool(project.catalog.find_controls(name))
            if not found:
                yield f"step {step.title!r}", name


def _of_station(station: Station) -> Iterator[tuple[str, str]]:
    """The signals that the safe state is confirmed by, and those that show whether another one stands still."""
    for name, sequence in station.sequences.items():
        for action in sequence.actions:
            for condition in (action.until, action.confirm_by):
                if condition is not None:
                    yield f"safe state {name!r}", condition.signal
    if station.de_energised is not None:
        for signal in (*station.de_energised.bus, *station.de_energised.battery_current):
            yield "de_energised", signal
    for moved, movers in station.moves_with.items():
        for mover in movers:
            yield f"moves_with of {moved}", mover.signal
