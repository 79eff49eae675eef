"""`harness verify RUN`: is the record what was sealed, and does its verdict follow from what was measured?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import TelemetryError
from harness.events import EventKind
from harness.limits.verdict import Verdict
from harness.record import engineering, manifest
from harness.record.aftermath import aftermath
from harness.record.attempts import latest
from harness.record.claim import is_running
from harness.record.result import Measurement, Result, StepResult, measurement_event
from harness.telemetry.reading import JournalReader, open_for_reading

_COMPARED = ("step", "attempt", "name", "signal", "value", "unit", "low", "high", "verdict")


def verify(folder: Path) -> list[str]:
    """Problems of a record in words; an empty list means that it stands.

    Missing, altered and extra files; damage inside the journal; measurements of result.json that the journal does not
    hold, or holds otherwise; a verdict that does not follow; an engineering run that does not say that it is one.
    """
    if is_running(folder):
        return ["RUNNING: the run goes on, its record is sealed at its end"]
    problems = manifest.check(folder)
    if not (folder / manifest.MANIFEST).exists():
        problems.append(f"INTERRUPTED: {aftermath(folder)}")
    try:
        result = Result.from_bytes(manifest.read_file(folder / manifest.RESULT))
    except (OSError, TelemetryError) as error:
        return [*problems, f"result.json cannot be read: {error}"]
    if result.header.run != folder.name:
        problems.append(f"result.json is of run {result.header.run}, the folder of {folder.name}")
    problems += _against_copies(result, folder)
    problems += engineering.against_files(result, folder)
    with open_for_reading(folder / manifest.JOURNAL) as reader:
        problems += [f"journal: {line}" for line in reader.check()]
        if reader.is_open:
            problems += _against_journal(result, reader)
            problems += engineering.against_journal(result, reader)
    problems += _against_itself(result)
    return problems


def _against_copies(result: Result, folder: Path) -> Iterator[str]:
    """The copies of plan, limits and profiles in the record must be the files that result.json names."""
    kept = [name for name in manifest.evidence(folder) if not name.startswith((manifest.RESULT, manifest.JOURNAL))]
    digests = {}
    for name in kept:
        try:
            _, digests[name] = manifest.file_digest(folder / name)
        except OSError as error:
            yield f"{name} cannot be read: {error}"
    owners: dict[str, str] = {}
    for file in result.inputs:
        what = f"the {file.role} file {file.name} that the run was made from"
        if not file.kept_as:  # written before copies had names: any of them may be it
            if file.sha256 not in digests.values():
                yield f"the record holds no copy of {what}"
        elif file.kept_as in owners:
            yield f"{file.kept_as} is said to be the copy of both {owners[file.kept_as]} and {file.name}"
        elif digests.get(file.kept_as) != file.sha256:
            yield f"{file.kept_as} is {'not' if file.kept_as in digests else 'missing, the copy of'} {what}"
        owners[file.kept_as] = file.name
    if result.inputs and all(file.kept_as for file in result.inputs):
        strangers = [name for name in kept if name.startswith(manifest.INPUTS) and name not in owners]
        yield from (f"{name} is no file that result.json names" for name in strangers)


def _against_journal(result: Result, reader: JournalReader) -> Iterator[str]:
    begun = reader.meta.get("hashes")
    if isinstance(begun, Mapping):
        named = {file.name: file.sha256 for file in result.inputs}
        for name in sorted({*begun, *named}):
            if begun.get(name) != named.get(name):
                yield f"{name}: result.json names another file than the journal, which was begun with the run's own"
    journalled: dict[Any, list[Mapping[str, Any]]] = {}
    for event in reader.events(EventKind.MEASUREMENT):
        journalled.setdefault(event.data.get("name"), []).append(event.data)
    for step in result.steps:
        for measurement in step.measurements:
            stated = measurement_event(step.name, step.attempt, measurement)
            alike = journalled.get(measurement.name, [])
            if not any(_agree(stated, found) for found in alike):
                where = f"step {step.name!r}, measurement {measurement.name!r}"
                if alike:
                    shown = alike[-1]
                    yield (
                        f"{where}: result.json says {measurement.value} {measurement.verdict}, "
                        f"the journal {shown.get('value')} {shown.get('verdict')}"
                    )
                else:
                    yield f"{where} is not in the journal"
    without = {event.data.get("path"): event.data.get("reason") for event in reader.events(EventKind.LEFT_OUT)}
    for name, why in without.items():
        if result.left_out.get(str(name)) != why:
            yield f"step {name!r} was left out ({why}), which result.json does not say"
    said = [event.data.get("verdict") for event in reader.events(EventKind.VERDICT)]
    if said and said[-1] != result.verdict:
        yield f"result.json says {result.verdict}, the journal {said[-1]}"


def _agree(stated: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    return {"name", "value", "verdict"} <= found.keys() and all(
        stated[key] == found[key] for key in _COMPARED if key in found
    )


def _against_itself(result: Result) -> Iterator[str]:
    for step in result.steps:
        for measurement in step.measurements:
            yield from _within(step.name, measurement)
    if result.verdict is Verdict.PASS:
        yield from _pass_follows(result)


def _pass_follows(result: Result) -> Iterator[str]:
    if not result.steps:
        yield "PASS does not follow: no step was executed"
    elif not any(one.is_judged for step in last_attempts(result) for one in step.measurements):
        yield "PASS does not follow: nothing was judged"
    for step in last_attempts(result):
        if step.verdict is not Verdict.PASS:
            yield f"PASS does not follow: step {step.name!r} is {step.verdict}"
        for measurement in step.measurements:
            if measurement.verdict is not Verdict.PASS:
                yield f"PASS does not follow: {measurement.name!r} of step {step.name!r} is {measurement.verdict}"
    if not result.safe_state.confirmed:
        yield "PASS does not follow: the safe state is not confirmed"
    for interlock in result.interlocks:
        if interlock.is_tripped:
            yield f"PASS does not follow: interlock {interlock.name!r} tripped"
    required = result.coverage_required
    for device in result.coverage:
        # a run that ended before the first poll was due lacks nothing
        share = device.received / device.expected * (device.good or 0.0) if device.expected else 1.0
        if required is not None and share < required:
            yield f"PASS does not follow: {device.device} has {share:.2%} of its data, {required:.2%} are needed"


def _within(step: str, measurement: Measurement) -> Iterator[str]:
    if measurement.verdict is not Verdict.PASS:
        return
    value, low, high = measurement.value, measurement.low, measurement.high
    if value is None:
        yield f"step {step!r}: {measurement.name!r} is PASS without a value"
    elif (low is not None and value < low) or (high is not None and value > high):
        yield f"step {step!r}: {measurement.name!r} is PASS with {value} outside {low} to {high}"


def last_attempts(result: Result) -> list[StepResult]:
    """The attempt of each step that counts."""
    return latest(result.steps)
