"""A plan with its limit sets, loaded and checked against a station."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.plugins import names, why_not
from harness.project.catalog import did_you_mean
from harness.project.checks.coverage import check_coverage
from harness.project.checks.guarded import check_guarded
from harness.project.checks.interlocks import check_bypasses, check_expired, check_interlocks, check_names
from harness.project.checks.parts import attempt, check_conditions, check_reference, parts, validated
from harness.project.checks.silence import check_silence
from harness.project.gates import check_gates
from harness.project.input_files import load_input_files
from harness.project.model import SECTIONS, NamedLimit, PlannedStep, Project, StationProject
from harness.project.references import references
from harness.project.step import GROUP as STEPS
from harness.project.step import StepDefinition, find_step, package_of_step, refuse_installed, says_what_it_is
from harness.schema.conditions import LimitSet
from harness.schema.document import Source
from harness.schema.engineering import bypassed_by, check_comparable, reasons, replaced
from harness.schema.plan import Parameter, Plan, StepEntry
from harness.schema.problems import Problem, Problems, ProblemsError
from harness.schema.source import read_source, substitute, validate
from harness.schema.station import Derived, Interlock

NOT_INSTALLED = "not installed, given by the program that ran the plan"
"""Stands for the package of a step that is none's."""
_COMMON = ("step", "name", "attempts", "on_fail")


def load_project(
    path: Path | str,
    on: StationProject,
    settings: Mapping[str, Any] | None = None,
    own_steps: Sequence[StepDefinition] = (),
) -> Project:
    """Load a plan and its limit sets, and check them against a station; ProblemsError with everything wrong.

    `own_steps` are known beside the installed ones; ConfigError for one under the name of another.
    """
    refuse_installed(own_steps)
    found = Problems()
    raw = read_source(path)
    values = _parameter_values(raw, settings or {}, found)
    source, _ = substitute(raw, values, settings or {})
    on.hashes[raw.name], on.files[raw.name] = raw.sha256, Path(path)
    head = validated(found, source, Plan)
    limits, is_whole = _load_limits(source, Path(path).parent, on, found)
    for name, derived in parts(source, ("derived",), Derived, head, found).items():
        attempt(found, source, ("derived", name), "HX-1303", lambda n=name, d=derived: on.catalog.add_derived(n, d))
    own = {each.name: each for each in own_steps}
    steps = _load_steps(source, on, limits, own, found, are_limits_known=is_whole)
    titles = [step.title for step in steps]
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
    check_guarded(source, on, steps, written, interlocks, found)
    check_gates(source, steps, found)
    check_expired(on.source, on.station.bypass, on.station.longest_bypass, found)
    engineering: tuple[str, ...] = ()
    if head is not None:
        check_coverage(source, head, steps, on.station.coverage_floor, found)
        check_bypasses(source, head.bypass, [each.name for each in written], found)
        check_expired(source, head.bypass, on.station.longest_bypass, found)
        check_comparable(head.parameters, values, source, found)
        engineering = reasons(head.parameters, values, bypassed)
    found.raise_if_any()
    if head is None:
        raise ConfigError(f"{path} could not be loaded")
    given = replaced(head.parameters, values)
    left_out = bypassed_by(bypassed)
    return Project(head, source, on, steps, limits, interlocks, dict(values), given, left_out, engineering)


def _parameter_values(source: Source, settings: Mapping[str, Any], found: Problems) -> dict[str, Any]:
    declared = source.data.get("parameters") if isinstance(source.data, dict) else None
    values: dict[str, Any] = {}
    if isinstance(declared, dict):
        for name, body in declared.items():
            if isinstance(body, dict) and "default" in body:
                values[name] = body["default"]
                if set(body) - set(Parameter.model_fields):
                    continue
    for name, value in settings.items():
        if name not in values:
            message = f"--set {name}: the plan has no such parameter{did_you_mean(name, values)}"
            found.add(Problem(source.name, 0, 0, "HX-1331", message))
        else:
            values[name] = value
    return values


def _load_limits(source: Source, base: Path, on: StationProject, found: Problems) -> tuple[dict[str, NamedLimit], bool]:
    """The limits of the plan's limit sets, and whether all of them could be read."""
    named = source.data.get("limits") if isinstance(source.data, dict) else None
    names = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    files = [each for each in names if isinstance(each, str)]  # of anything else the plan's own model tells
    limits: dict[str, NamedLimit] = {}
    read = 0
    for name in files:
        path = (base / name).resolve()
        if not path.is_relative_to(base.resolve()):
            found.add(source.problem(("limits",), "HX-1341", f"{name!r} lies outside the plan's folder"))
            continue
        if not path.is_file():
            found.add(source.problem(("limits",), "HX-1342", f"no such file {name!r} beside the plan"))
            continue
        try:
            # shown relative to the plan, as the plan names it
            part = read_source(path)
            limit_set = validate(part, LimitSet)
        except ProblemsError as error:
            for problem in error.problems:
                found.add(problem)
            continue
        on.hashes[name], on.files[name] = part.sha256, path
        for key, limit in limit_set.limits.items():
            if key in limits:
                found.add(source.problem(("limits",), "HX-1343", f"limit {key!r} stands in two limit sets"))
            limits[key] = NamedLimit(key, limit, f"{limit_set.limit_set} {limit_set.version}")
        read += 1
    return limits, read == len(names)


def _load_steps(
    source: Source,
    on: StationProject,
    limits: Mapping[str, NamedLimit],
    own: Mapping[str, StepDefinition],
    found: Problems,
    *,
    are_limits_known: bool,
) -> list[PlannedStep]:
    steps: list[PlannedStep] = []
    for section in SECTIONS:
        entries = source.data.get(section) if isinstance(source.data, dict) else None
        for index, raw in enumerate(entries if isinstance(entries, list) else []):
            loc = (section, index)
            name = raw.get("step") if isinstance(raw, dict) else None
            if not isinstance(name, str):
                continue  # said by the plan's own model
            definition = own.get(name) or find_step(name)
            if definition is None:
                known = [*own, *names(STEPS)]
                message = why_not(STEPS, name) or f"unknown step {name!r}{did_you_mean(name, known)}"
                found.add(source.problem((*loc, "step"), "HX-1351", message))
                continue
            for place, kind, text in references(definition.params, raw, loc):
                if kind == "limit" and not are_limits_known:
                    continue  # what is wrong with the limit set has been said
                check_reference(on.catalog, limits, source, place, kind, text, found)
            params = validated(found, source, definition.params, loc, _COMMON)
            if params is None or not load_input_files(params, source, loc, on, found):
                continue
            check_conditions(on.catalog, source, params, loc, found)
            attempt(found, source, loc, "HX-1352", lambda p=params: says_what_it_is(p, on.catalog, limits))
            try:
                entry = StepEntry.model_validate(raw)
            except ValueError:
                continue  # said by the plan's own model
            package = NOT_INSTALLED if name in own else package_of_step(name)
            steps.append(PlannedStep(section, index, entry.title, entry, definition, params, package))
    return steps
