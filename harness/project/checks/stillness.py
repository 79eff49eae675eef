"""Which signals a run looks at, and whether what the station says of their standing still can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.limits.check import compile_check
from harness.project.catalog import Catalog
from harness.project.model import Project
from harness.quantity import SignalInfo, difference_unit
from harness.schema.fields import LocatedError
from harness.schema.motion import MovesWhile, StationMover

Place = tuple[str | int, ...]


def watched_signals(project: Project) -> set[str]:
    """Every signal of a device that an interlock, or a step of the plan, looks at: itself or by what is derived."""
    catalog = project.catalog
    names: list[str] = []
    for spec in project.interlocks:
        names += spec.all_signals
        names += [spec.armed_when.signal] if spec.armed_when is not None else []
    for step in project.steps:
        names += [text for _, kind, text in step.references() if kind == "signal"]
    found: set[str] = set()
    while names:
        for name in catalog.find_signals(names.pop()):
            if name in catalog.derived:
                names += catalog.derived[name].inputs.values()
            found.add(name)
    return found


def mover_problems(catalog: Catalog, movers: Mapping[str, Sequence[StationMover]]) -> Iterator[tuple[Place, str, str]]:
    """(place, code, what is wrong) of the station's `moves_with`; that its movers exist has been looked at before."""
    for name, entries in movers.items():
        place = ("moves_with", name)
        if name.partition(".")[0] in catalog.unknown:
            continue
        info = catalog.signals.get(name)
        if info is None or name in catalog.derived:
            shown = f"{name!r} is derived: name what it is made from" if info else catalog.signal_problem(name)
            yield place, "HX-1241", shown
            continue
        if not _is_number(info):
            yield place, "HX-1241", f"{name} shows words, which rightly stand still"
        for index, mover in enumerate(entries):
            other = catalog.signals.get(mover.signal)
            if other is None:
                if catalog.find_signals(mover.signal):
                    yield (*place, index, "signal"), "HX-1242", f"{mover.signal} is a bank of signals; name one"
            elif mover.signal in catalog.derived or mover.signal == name or not _is_number(other):
                text = f"{mover.signal} moves nothing: name another number that a device measures"
                yield (*place, index, "signal"), "HX-1242", text
            else:
                try:
                    mover.by.to(difference_unit(other.unit))
                except ValueError as error:
                    yield (*place, index, "by"), "HX-1243", str(error)
            if mover.while_ is not None:
                yield from _while_problems(catalog, mover.while_, (*place, index, "while"))


def _while_problems(catalog: Catalog, moves_while: MovesWhile, place: Place) -> Iterator[tuple[Place, str, str]]:
    info = catalog.signals.get(moves_while.signal)
    if info is None or moves_while.signal in catalog.derived:
        if catalog.find_signals(moves_while.signal):
            yield (*place, "signal"), "HX-1242", f"{moves_while.signal}: name one signal that a device measures"
        return
    try:
        compile_check(moves_while, info)
    except ValueError as error:
        inner = error.loc if isinstance(error, LocatedError) else ()
        yield (*place, *inner), "HX-1243", str(error)


def _is_number(info: SignalInfo) -> bool:
    return not (info.is_text or info.labels or info.flags)
