"""`harness report RUN`: a record as text that a person reads from top to bottom, the verdict first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.clock import iso
from harness.errors import TelemetryError
from harness.record import manifest
from harness.record.attempts import reported_of
from harness.record.index import summarise
from harness.record.result import Intervention, Measurement, Result, StepResult, excused_text
from harness.telemetry.reading import open_for_reading

LAST_EVENTS = 20
"""Events shown of a run that left no result."""


def render_text(folder: Path) -> str:
    """The report of a run; of an interrupted one, what its journal says. TelemetryError when there is nothing."""
    try:
        result = Result.from_bytes(manifest.read_file(folder / manifest.RESULT))
    except FileNotFoundError:
        return _plain("\n".join(_interrupted(folder)))
    except OSError as error:
        raise TelemetryError(f"cannot read the record: {error}", where=str(folder)) from error
    return _plain("\n".join(_finished(folder, result)))


def _plain(text: str) -> str:
    """Devices and operators can send anything; a terminal must not obey it."""
    return re.sub(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "?", text) + "\n"


def _finished(folder: Path, result: Result) -> Iterator[str]:
    sealed = (folder / manifest.MANIFEST).is_file()
    yield f"{result.word}  {result.serial}" + (f"  {result.reason}" if result.reason else "")
    if not sealed:
        yield "NOT SEALED: this run has no manifest, its verdict counts for nothing"
    yield from (f"ENGINEERING RUN, no certificate of {result.plan}: {why}" for why in result.engineering)
    yield ""
    facts = [
        ("run", result.header.run),
        ("plan", " - ".join(part for part in (f"{result.plan} {result.plan_version}".strip(), result.title) if part)),
        ("station", " on ".join(part for part in (result.station, result.header.host) if part)),
        ("operator", result.operator),
        ("time", f"{result.started} to {result.ended}" + _took(result.duration_s)),
        ("clock", _clock(result)),
        ("harness", result.harness_version),
    ]
    yield from (f"{name:<10}{text}" for name, text in facts if text)
    yield from (f"{'changed':<10}{line}" for line in reported_of(result))
    yield from _outcome(result)
    if result.people:
        yield from _section("People")
        yield from (f"  {one.at}  {one.who:<16}{_did(one)}" for one in result.people)
    if result.devices:
        yield from _section("Devices")
        for one in result.devices:
            identity = ", ".join(f"{key} {text}" for key, text in one.identity.items())
            yield f"  {one.name:<16}{one.profile:<28}{one.address}  {identity} {one.firmware}".rstrip()
            if one.evidence:
                yield f"  {'':<16}profile: {one.evidence}"
    if result.inputs:
        yield from _section("Made from")
        yield from (f"  {file.role:<10}{file.name:<32}sha256 {file.sha256[:16]}..." for file in result.inputs)
    if result.events:
        yield from _section("Events")
        yield from (f"  {event.at}  {event.kind:<14}{event.text}" for event in result.events)
    if result.notes:
        yield from _section("Notes")
        yield from (f"  {note}" for note in result.notes)
    if sealed:
        yield ""
        yield f"record id {_record_id(folder)}"


def _outcome(result: Result) -> Iterator[str]:
    """What was done and what it came to."""
    yield from _section("Steps")
    for step in result.steps:
        yield from _step(step)
    if not result.steps:
        yield "  none was executed"
    state = result.safe_state
    yield from _section(f"Safe state: {'confirmed' if state.confirmed else 'NOT CONFIRMED - look at the rack'}")
    for action in state.actions:
        mark = "confirmed" if action.is_confirmed else "NOT CONFIRMED"
        yield f"  {mark:<14}{action.action}{_took(action.took_s)}" + (f"  {action.reason}" if action.reason else "")
    if result.still_set:
        yield from _section("Still set: set it back before anything else is done with the rack")
        yield from (f"  {line}" for line in result.still_set)
    if result.interlocks:
        yield from _section("Interlocks")
        for lock in result.interlocks:
            what = f"TRIPPED at {lock.at}: {lock.reason}" if lock.is_tripped else lock.bypassed or "quiet"
            yield f"  {lock.name:<24}{what}"
    if result.coverage:
        needed = f" (needed: {result.coverage_required:.2%})" if result.coverage_required is not None else ""
        yield from _section(f"Data{needed}")
        for device in result.coverage:
            good = f", {device.good:.2%} good" if device.good is not None else ""
            yield f"  {device.device:<24}{device.received} of {device.expected} frames{good}"
    if result.telemetry is not None:
        yield from _section("Database, at the end of the run")
        yield f"  {result.telemetry.sink}: {result.telemetry.lacking or f'all {result.telemetry.sent} lines are there'}"


def _did(one: Intervention) -> str:
    during = f" ({one.step})" if one.step else ""
    return (f"held the run{_took(one.held_s)}" if one.did == "pause" else one.text) + during


def _record_id(folder: Path) -> str:
    try:
        return str(manifest.read(folder).get("record_id", ""))
    except (OSError, ValueError):
        return "unreadable: run harness verify"


def _interrupted(folder: Path) -> Iterator[str]:
    summary = summarise(folder)
    with open_for_reading(folder / manifest.JOURNAL) as reader:
        if not reader.is_open:
            raise TelemetryError("; ".join(reader.damage), where=str(folder), hint="is this a run folder?")
        yield f"{summary.verdict}  {summary.serial}  " + (
            summary.reason or "the run goes on; its verdict comes at its end"
        )
        yield from (f"ENGINEERING RUN, no certificate: {why}" for why in summary.engineering)
        yield ""
        for key in ("plan", "station", "operator"):
            if reader.meta.get(key):
                yield f"{key:<10}{reader.meta[key]}"
        events = list(reader.events())
        yield from _section(f"Last events of {len(events)}")
        for event in events[-LAST_EVENTS:]:
            words = event.data.get("text") or "  ".join(f"{key}={value}" for key, value in event.data.items())
            yield f"  {iso(event.wall_ns)}  {event.kind:<14}{str(words)[:200]}"
        yield from (f"  damaged: {line}" for line in reader.damage)


def _section(title: str) -> Sequence[str]:
    return ("", title)


def _step(step: StepResult) -> Iterator[str]:
    asked = f", asked for by {step.asked_by}" if step.asked_by else ""
    again = f" (attempt {step.attempt}{asked})" if step.attempt > 1 else ""
    whose = f" [{step.step}: {step.package}]" if step.package else ""
    yield f"  {step.verdict:<14}{step.name}{whose}{again}" + (f"  {step.reason}" if step.reason else "")
    yield from (f"    {_measurement(one)}" for one in step.measurements)


def _measurement(one: Measurement) -> str:
    value = "no value" if one.value is None else f"{one.value:.6g} {one.unit}".rstrip()
    low, high = ("" if bound is None else f"{bound:.6g}" for bound in (one.low, one.high))
    band = f"  [{low} .. {high}] {one.limit}".rstrip() if low or high else ""
    margin = f"  margin {one.margin:.3g}" if one.margin is not None else ""
    source = f"  ({one.provenance})" if one.provenance else ""
    return f"{one.verdict:<14}{one.name:<36}{value:>16}{band}{margin}{excused_text(one)}{source}" + (
        f"  {one.reason}" if one.reason else ""
    )


def _took(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return (
        f" ({hours} h {minutes} min)" if hours else f" ({minutes} min {rest:.0f} s)" if minutes else f" ({rest:.1f} s)"
    )


def _clock(result: Result) -> str:
    clock = result.clock
    words: list[str] = [] if clock.mode == "real" and not clock.is_simulated else [clock.mode]
    words += ["simulated devices: says nothing about a rack"] if clock.is_simulated else []
    words += [f"{clock.speed:g} times real time"] if clock.speed is not None and clock.speed != 1.0 else []
    words += [f"seed {clock.seed}"] if clock.seed is not None else []
    return ", ".join(words)
