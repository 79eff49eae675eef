"""Whether what a plan energises is watched by interlocks, and switched off by what they lead to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from harness.project.hazards import HAZARDS, WORDS, always_trips, guarded, only_instrument
from harness.project.model import PlannedStep, StationProject
from harness.schema.problems import Problem, Problems
from harness.schema.station import Hazard, Interlock


def check_guarded(
    on: StationProject,
    steps: Sequence[PlannedStep],
    written: Sequence[Interlock],
    active: Sequence[Interlock],
    found: Problems,
) -> None:
    """A plan must not energise what nothing watches, what no interlock would switch off, or what a run leaves alone.

    Whoever wrote a step: what it is given to command, it may switch on. `active`: the interlocks that are not bypassed.
    """
    covered = covered_by(on, active)
    first = True
    for step in steps:
        for place, name in energised_by(on, step):
            if first:
                first = False
                _check_minimum(on, step, written, found)
            if name in on.stays_on:
                message = f"{name} stays on ({on.stays_on[name]}): no run touches it"
                found.add(step.source.problem(place, "HX-1382", message, "name the others, one step each"))
                break
            if name not in covered:
                message = f"{name} is energised, but no interlock would switch it off"
                hint = "add an interlock whose on_trip sequence sets it to off"
                found.add(step.problem("HX-1361", message, hint))
                return


def energised_by(on: StationProject, step: PlannedStep) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """(place in the file, `device.control`) of what a step is given to command and could put power on the rack."""
    for place, kind, reference in step.references():
        if kind == "control":
            for device, point in on.catalog.find_controls(reference):
                if point.spec.energises:
                    yield place, f"{device}.{point.name}"


def covered_by(on: StationProject, interlocks: Sequence[Interlock]) -> set[str]:
    """What interlocks that are always armed would switch off."""
    covered: set[str] = set()
    for sequence in {interlock.on_trip for interlock in interlocks if always_trips(interlock)}:
        covered |= on.switched_off_by(sequence)
    return covered


def _check_minimum(on: StationProject, step: PlannedStep, interlocks: Sequence[Interlock], found: Problems) -> None:
    """Nothing is energised that is not watched for every hazard, or the station says why not."""
    missing = unwatched(on, interlocks)
    if missing:
        words = ", ".join(WORDS[hazard] for hazard in missing)
        message = f"this energises the rack, but no interlock that is always armed watches: {words}"
        reasons = ", ".join(f"{hazard}: ..." for hazard in missing)
        hint = f"add interlocks, or say in the station why not: unguarded: {{{reasons}}}"
        found.add(step.problem("HX-1381", message, hint))


def unwatched(on: StationProject, interlocks: Sequence[Interlock]) -> list[Hazard]:
    """The hazards that no interlock watches at all times, and of which the station does not say why not."""
    watched = guarded(on.catalog, interlocks)
    return [hazard for hazard in HAZARDS if hazard not in watched and hazard not in on.station.unguarded]


def worth_a_word(on: StationProject, interlocks: Sequence[Interlock], watched: Collection[str] = ()) -> list[Problem]:
    """What is allowed and should not stay so: what hangs on an instrument alone, or on one that may stand still unseen.

    `watched`: the signals that interlocks and limits use.
    """
    return [*_on_one_instrument(on, interlocks), *_unseen(on, watched)]


def _unseen(on: StationProject, watched: Collection[str]) -> list[Problem]:
    """Numbers of which neither noise, nor what moves them, nor a heartbeat of their device would show a standstill."""
    blind = [name for name in sorted(watched) if name not in on.catalog.derived and not _shows_life(on, name)]
    by_device: dict[str, list[str]] = {}
    for name in blind:
        by_device.setdefault(on.catalog.owner[name], []).append(name)
    hint = "say in its profile what noise it has (noise:), or in the station what moves it (moves_with:)"
    return [
        on.source.problem(
            ("devices", device),
            "HX-1388",
            f"warning: limits hang on {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}: nobody would see that "
            "it stands still",
            hint,
        )
        for device, names in by_device.items()
    ]


def _shows_life(on: StationProject, name: str) -> bool:
    info, device = on.catalog.signals[name], on.catalog.owner[name]
    spec = on.catalog.expansions[device].signals[name.partition(".")[2]].spec
    is_number = not (info.is_text or info.labels or info.flags)
    known = spec.noise or spec.moves_with or spec.stamp or on.station.moves_with.get(name)
    return not is_number or bool(known) or bool(on.catalog.profiles[device].heartbeat) or bool(spec.counter)


def _on_one_instrument(on: StationProject, interlocks: Sequence[Interlock]) -> list[Problem]:
    signal = only_instrument(on.catalog, interlocks)
    if not signal:
        return []
    message = f"warning: if {signal} stands still, no interlock sees that the coolant does: all hang on it"
    hint = "add one on the pressure drop of the rack, see docs/reference/interlocks.md"
    return [on.source.problem(("interlocks",), "HX-1387", message, hint)]
