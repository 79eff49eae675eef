"""A plan with its limit sets, loaded and checked against a station."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.project.beginning import first_step
from harness.project.checks.beside import check_beside
from harness.project.checks.coverage import check_coverage
from harness.project.checks.guarded import check_guarded
from harness.project.checks.interlocks import check_bypasses, check_expired, check_interlocks, check_names
from harness.project.checks.parts import attempt, check_reference, parts, validated
from harness.project.checks.silence import check_silence
from harness.project.expand import Layout
from harness.project.gates import check_gates
from harness.project.given import given
from harness.project.limit_sets import load_limits
from harness.project.model import SECTIONS, Project, StationProject
from harness.project.planned import planned
from harness.project.references import references
from harness.project.step import StepDefinition, refuse_installed
from harness.schema.document import Source
from harness.schema.engineering import bypassed_by, check_comparable, reasons, replaced
from harness.schema.plan import Plan
from harness.schema.problems import Problems
from harness.schema.source import read_source, substitute
from harness.schema.station import Derived, Interlock


def load_project(
    path: Path | str,
    on: StationProject,
    settings: Mapping[str, Any] | None = None,
    own_steps: Sequence[StepDefinition] = (),
    *,
    sku: Path | None = None,
    begin_at: str = "",
) -> Project:
    """Load a plan and its limit sets, and check them against a station; ProblemsError with everything wrong.

    `settings` replace its parameters, and before them those of the file `sku`. `own_steps` are known beside the
    installed ones; ConfigError for one under the name of another. `begin_at`: path or name of the first step.
    """
    refuse_installed(own_steps)
    found = Problems()
    raw = read_source(path)
    own_values = given(raw, settings or {}, sku, on, found)
    values = {**_defaults(raw), **own_values.values}
    source, _ = substitute(raw, values, own_values.origins, leaving=SECTIONS)
    on.hashes[raw.name], on.files[raw.name] = raw.sha256, Path(path)
    head = validated(found, source, Plan)
    limits, is_whole = load_limits(source, Path(path).parent, on, found)
    for name, derived in parts(source, ("derived",), Derived, head, found).items():
        attempt(found, source, ("derived", name), "HX-1303", lambda n=name, d=derived: on.catalog.add_derived(n, d))
    own = {each.name: each for each in own_steps}
    layout = Layout(on, Path(path).parent, own_values.origins, found)
    for section in SECTIONS:
        layout.section(section, source, values)
    known = limits if is_whole else None
    laid = (planned(each, layout.base, on, limits, known, own, found) for each in layout.laid)
    steps = [step for step in laid if step is not None]
    first = first_step(begin_at, steps, found) if begin_at else None
    titles = sorted({name for step in steps for name in step.names} | layout.unused_names)
    for loc, kind, text in references(Plan, source.data):
        if loc[0] in ("show", "interlocks"):
            check_reference(on.catalog, limits, source, loc, kind, text, found)
    added: dict[int, Interlock] = parts(source, ("interlocks",), Interlock, head, found)
    written = [*on.station.interlocks, *added.values()]
    bypassed = [*on.station.bypass, *(head.bypass if head is not None else ())]
    interlocks = [each for each in written if each.name not in {bypass.interlock for bypass in bypassed}]
    check_interlocks(on.catalog, source, on.station, added, titles, found)
    check_silence(on.catalog, on.source, on.station, added.values(), found)
    check_names(source, on.station, added, found)
    check_guarded(on, steps, written, interlocks, found)
    check_gates(steps, found)
    check_beside(on, steps, found)
    check_expired(on.source, on.station.bypass, on.station.longest_bypass, found)
    engineering: tuple[str, ...] = ()
    if head is not None:
        check_coverage(source, head, steps, on.station.coverage_floor, found)
        check_bypasses(source, head.bypass, [each.name for each in written], found)
        check_expired(source, head.bypass, on.station.longest_bypass, found)
        check_comparable(head.parameters, values, own_values.origins, found)
        engineering = reasons(head.parameters, values, bypassed, first.path if first is not None else "")
    found.raise_if_any()
    if head is None:
        raise ConfigError(f"{path} could not be loaded")
    used = frozenset(source.parameters.values()) | layout.used
    return Project(
        head,
        source,
        on,
        steps,
        limits,
        interlocks,
        dict(values),
        replaced(head.parameters, values),
        bypassed_by(bypassed),
        engineering,
        layout.left_out,
        used,
        first.path if first is not None else "",
    )


def _defaults(source: Source) -> dict[str, Any]:
    """The plan's own values of its parameters."""
    declared = source.data.get("parameters") if isinstance(source.data, dict) else None
    found = declared.items() if isinstance(declared, dict) else ()
    return {name: body["default"] for name, body in found if isinstance(body, dict) and "default" in body}
