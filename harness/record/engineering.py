"""Whether a record that claims a certificate may have one: asked again of its files, parameters and journal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import HarnessError
from harness.record.result import Result
from harness.schema.document import Source
from harness.schema.engineering import bypassed_by, reasons, replaced
from harness.schema.fields import Model
from harness.schema.plan import Parameter
from harness.schema.source import read_source, substitute, validate_part
from harness.schema.station import Bypass
from harness.telemetry.reading import JournalReader

M = TypeVar("M", bound=Model)


def against_files(result: Result, folder: Path) -> Iterator[str]:
    """What the record says of its parameters and bypasses, against the copies of plan and station inside it."""
    copies = {file.role: folder / file.kept_as for file in result.inputs if file.kept_as}
    if not {"plan", "station"} <= copies.keys():
        return  # written before copies had names; a copy that is gone is reported with the files
    try:
        plan, station = (read_source(copies[role]) for role in ("plan", "station"))
    except (HarnessError, OSError):
        return  # reported with the files
    plan, _ = substitute(plan, result.parameters)
    declared = _parts(plan, "parameters", Parameter)
    bypassed = [*_parts(station, "bypass", Bypass).values(), *_parts(plan, "bypass", Bypass).values()]
    if None in declared.values() or None in bypassed:
        yield "whether it is an engineering run cannot be worked out: the copy of plan or station is not understood"
        return
    known = {name: part for name, part in declared.items() if part is not None}
    left_out = [each for each in bypassed if each is not None]
    made = set(reasons(known, result.parameters, left_out, result.begun_at))
    yield from _differing(result.engineering, made, "its own plan, station and parameters")
    rows = {lock.name: lock.bypassed for lock in result.interlocks if lock.bypassed}
    own_rows = bypassed_by(left_out)
    for name in sorted(rows.keys() | own_rows.keys()):
        if rows.get(name) != own_rows.get(name):
            said = f"{rows.get(name) or 'not bypassed'} in result.json, {own_rows.get(name) or 'not'} by its own files"
            yield f"interlock {name!r} is {said}"
    if set(result.parameters) != set(known):
        yield "result.json names other parameters than the plan has"
    own = replaced(known, result.parameters)
    if result.replaced != _as_json(own):
        yield f"result.json says that {_named(result.replaced)} replaced the plan's own, its own plan {_named(own)}"


def against_journal(result: Result, reader: JournalReader) -> Iterator[str]:
    """The same against what the journal was begun with."""
    begun = reader.meta.get("parameters")
    if isinstance(begun, Mapping) and dict(begun) != _as_json(result.parameters):
        yield "result.json names other parameters than the journal, which was begun with the run's own"
    known = reader.meta.get("engineering")
    if isinstance(known, list):
        yield from _differing(result.engineering, set(map(str, known)), "the journal")


def _differing(said: tuple[str, ...], made: set[str], by: str) -> Iterator[str]:
    for why in sorted(made.difference(said)):
        yield f"an ENGINEERING RUN by {by}, which result.json does not say: {why}"
    for why in sorted(set(said).difference(made)):
        yield f"result.json says an engineering run, {by} does not: {why}"


def _parts(source: Source, section: str, model: type[M]) -> dict[Any, M | None]:
    """The entries of a section by key or place; None for one that cannot be understood."""
    raw = source.data.get(section) if isinstance(source.data, dict) else None
    keys = list(raw) if isinstance(raw, dict) else list(range(len(raw))) if isinstance(raw, list) else []
    return {key: validate_part(source, model, loc_prefix=(section, key))[0] for key in keys}


def _named(names: Mapping[str, Any]) -> str:
    return ", ".join(names) or "nothing"


def _as_json(values: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(values, default=str))
