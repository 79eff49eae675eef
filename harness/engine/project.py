"""Everything a run needs from files, loaded and checked against each other before anything is contacted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.device.address import parse_address
from harness.device.registry import ancestors, find_profile, load_profile, no_profile
from harness.engine.catalog import Catalog, did_you_mean
from harness.engine.checks import attempt, check_conditions, check_reference, keys_of, parts, right, validated
from harness.engine.dead_man_checks import check_dead_men
from harness.engine.evidence_checks import check_coverage
from harness.engine.freeze import mover_problems
from harness.engine.gates import check_gates
from harness.engine.guard_checks import check_guarded
from harness.engine.interlock_checks import check_bypasses, check_expired, check_interlocks, check_names
from harness.engine.references import references
from harness.engine.safe_state_checks import actions_at, check_safe_state
from harness.engine.silence_checks import check_silence
from harness.engine.step import GROUP as STEPS
from harness.engine.step import Params, StepDefinition, known_steps
from harness.engine.switch_checks import check_addresses, check_lines, check_other_ends, check_switches
from harness.errors import ConfigError
from harness.plugins import broken, clash
from harness.schema.conditions import Limit, LimitSet
from harness.schema.document import Source
from harness.schema.engineering import bypassed_by, check_comparable, reasons, replaced
from harness.schema.plan import Parameter, Plan, StepEntry
from harness.schema.problems import Problem, Problems, ProblemsError
from harness.schema.source import read_source, substitute, validate
from harness.schema.station import Derived, DeviceEntry, Interlock, SafeAction, SafeSequence, Station

_COMMON = ("step", "name", "attempts", "on_fail")
SECTIONS = ("setup", "steps", "cleanup")


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of a plan, checked: its definition and parameters."""

    section: str
    index: int
    title: str
    entry: StepEntry
    definition: StepDefinition
    params: Params


@dataclass(frozen=True, slots=True)
class NamedLimit:
    """A limit and the set it comes from."""

    name: str
    limit: Limit
    source: str


@dataclass(slots=True)
class StationProject:
    """A station, its profiles and what they offer."""

    station: Station
    source: Source
    catalog: Catalog
    hashes: dict[str, str] = field(default_factory=dict)
    """sha256 of every file that was read, by the name used for it."""
    files: dict[str, Path] = field(default_factory=dict)
    """Where each of them was read, by the same name."""

    @property
    def base(self) -> Path:
        """The folder of the station file: credentials are found there."""
        return self.source.path.parent if self.source.path else Path.cwd()

    @property
    def stays_on(self) -> dict[str, str]:
        """The switches that no sequence puts off (`device.control`), and why."""
        return {
            f"{device}.{point.name}": reason
            for reference, reason in self.station.stays_on.items()
            for device, point in self.catalog.find_controls(reference)
        }

    def switched_off_by(self, sequence: str) -> set[str]:
        """What a safe-state sequence sets to off, by `device.control`."""
        return {
            f"{device}.{point.name}"
            for action in self.station.actions_of(sequence)
            if action.set is not None and action.to == "off"
            for device, point in self.catalog.find_controls(action.set)
        }


@dataclass(slots=True)
class Project:
    """A plan on a station."""

    plan: Plan
    source: Source
    on: StationProject
    steps: list[PlannedStep]
    limits: dict[str, NamedLimit]
    interlocks: list[Interlock]
    parameters: dict[str, Any]
    replaced: dict[str, Any] = field(default_factory=dict)
    """The plan's own value of each parameter that was given another one."""
    bypassed: dict[str, str] = field(default_factory=dict)
    """Interlocks that are left out -> by whom, until when and why."""
    engineering: tuple[str, ...] = ()
    """Why a run of it can prove nothing to a customer; empty: it may have the certificate of the plan."""

    def attempts_of(self, step: PlannedStep) -> int:
        """How often a step may be done before its FAIL counts."""
        return step.entry.attempts or self.plan.attempts

    @property
    def catalog(self) -> Catalog:
        """Signals and controls."""
        return self.on.catalog


# --- the station -----------------------------------------------------------------------------------------------------


def load_station(path: Path | str, *, only_to_make_safe: bool = False) -> StationProject:
    """Load a station and its profiles; ProblemsError with everything that is wrong in any of them.

    With `only_to_make_safe` what may stand in it counts, not whether it is wise: a mistake in an interlock must not
    keep anybody from switching off.
    """
    found = Problems()
    source = read_source(path)
    whole: Station | None = validated(found, source, Station)
    station = whole or _right_parts(source)
    on = StationProject(station, source, Catalog())
    on.hashes[source.name], on.files[source.name] = source.sha256, Path(path)
    for name, entry in station.devices.items():
        _load_device(on, name, found)
        try:
            where = parse_address(entry.address)
        except ValueError as error:
            found.add(source.problem(("devices", name, "address"), "HX-1301", str(error)))
            continue
        profile = on.catalog.profiles.get(name)
        if profile is not None and where.protocol != profile.protocol:
            message = f"the profile {entry.profile} speaks {profile.protocol}, this address is {where.scheme}"
            found.add(source.problem(("devices", name, "address"), "HX-1302", message))
    on.catalog.unknown = keys_of(source, "devices") - on.catalog.expansions.keys()
    for name, derived in station.derived.items():
        attempt(found, source, ("derived", name), "HX-1303", lambda n=name, d=derived: on.catalog.add_derived(n, d))
    for loc, kind, text in references(Station, source.data):
        if loc[0] != "derived":
            check_reference(on.catalog, {}, source, loc, kind, text, found)
    for loc, code, message in mover_problems(on.catalog, station.moves_with):
        found.add(source.problem(loc, code, message))
    if only_to_make_safe:
        found.raise_if_any()
        return on
    interlocks: dict[int, Interlock] = parts(source, ("interlocks",), Interlock, whole, Problems())
    check_interlocks(on.catalog, source, on.station, interlocks, (), found)
    check_silence(on.catalog, source, on.station, interlocks.values(), found)
    if whole is not None:
        check_bypasses(source, station.bypass, [each.name for each in station.interlocks], found)
    check_safe_state(on.catalog, source, station, found, is_whole=whole is not None)
    if whole is not None and not on.catalog.unknown:
        check_switches(on, found)
        check_addresses(on, found)
        check_other_ends(source, station, found)
        check_lines(on, found)
        check_dead_men(on.catalog, source, station, found)
    found.raise_if_any()
    return on


def _right_parts(source: Source) -> Station:
    """What is right of a station that is not, so that its other mistakes are found too; it is never used further."""
    told = Problems()  # the mistakes of the parts have been told with the whole
    return Station.model_construct(
        schema_version=1,
        station="",
        devices=right(source, ("devices",), DeviceEntry, told),
        derived=right(source, ("derived",), Derived, told),
        interlocks=tuple(right(source, ("interlocks",), Interlock, told).values()),
        safe_state={name: _right_sequence(source, name) for name in keys_of(source, "safe_state")},
    )


def _right_sequence(source: Source, name: str) -> SafeSequence:
    told = Problems()
    whole: SafeSequence | None = validated(told, source, SafeSequence, ("safe_state", name))
    if whole is not None:
        return whole
    actions = tuple(right(source, actions_at(source, name), SafeAction, told).values())
    return SafeSequence.model_construct(kind="heat", on_live_parts=False, actions=actions)


def _load_device(on: StationProject, name: str, found: Problems) -> None:
    entry = on.station.devices[name]
    path = find_profile(entry.profile, on.base)
    loc = ("devices", name, "profile")
    if path is None:
        found.add(on.source.problem(loc, "HX-1304", no_profile(entry.profile)))
        return
    try:
        profile, source = load_profile(path)
    except ProblemsError as error:
        for problem in error.problems:
            found.add(problem)
        return
    on.hashes[entry.profile], on.files[entry.profile] = source.sha256, path
    for parent, where in ancestors(path, source).items():
        on.hashes[parent], on.files[parent] = read_source(where).sha256, where
    unknown = [group for group in entry.counts if group not in profile.repeat]
    if unknown:
        hint = did_you_mean(unknown[0], profile.repeat)
        found.add(on.source.problem(("devices", name, "counts"), "HX-1305", f"no repetition {unknown[0]!r}{hint}"))
    on.catalog.add_device(name, entry, profile)


# --- the plan --------------------------------------------------------------------------------------------------------


def load_project(path: Path | str, on: StationProject, settings: Mapping[str, Any] | None = None) -> Project:
    """Load a plan and its limit sets, and check them against a station; ProblemsError with everything wrong."""
    found = Problems()
    raw = read_source(path)
    values = _parameter_values(raw, settings or {}, found)
    source, _ = substitute(raw, values, settings or {})
    on.hashes[raw.name], on.files[raw.name] = raw.sha256, Path(path)
    head = validated(found, source, Plan)
    limits, is_whole = _load_limits(source, Path(path).parent, on, found)
    for name, derived in parts(source, ("derived",), Derived, head, found).items():
        attempt(found, source, ("derived", name), "HX-1303", lambda n=name, d=derived: on.catalog.add_derived(n, d))
    steps = _load_steps(source, on, limits, found, are_limits_known=is_whole)
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
    own = replaced(head.parameters, values)
    left_out = bypassed_by(bypassed)
    return Project(head, source, on, steps, limits, interlocks, dict(values), own, left_out, engineering)


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
    source: Source, on: StationProject, limits: Mapping[str, NamedLimit], found: Problems, *, are_limits_known: bool
) -> list[PlannedStep]:
    steps: list[PlannedStep] = []
    known = known_steps()
    for section in SECTIONS:
        entries = source.data.get(section) if isinstance(source.data, dict) else None
        for index, raw in enumerate(entries if isinstance(entries, list) else []):
            loc = (section, index)
            name = raw.get("step") if isinstance(raw, dict) else None
            if not isinstance(name, str):
                continue  # said by the plan's own model
            definition = known.get(name)
            if definition is None:
                twice = clash(STEPS, name)
                message = str(twice) if twice is not None else f"unknown step {name!r}{did_you_mean(name, known)}"
                hint = "; ".join(map(str, broken(STEPS)))
                found.add(source.problem((*loc, "step"), "HX-1351", message, hint))
                continue
            for place, kind, text in references(definition.params, raw, loc):
                if kind == "limit" and not are_limits_known:
                    continue  # what is wrong with the limit set has been said
                check_reference(on.catalog, limits, source, place, kind, text, found)
            params = validated(found, source, definition.params, loc, _COMMON)
            if params is None:
                continue
            check_conditions(on.catalog, source, params, loc, found)
            check = getattr(params, "check_against", None)
            if check is not None:
                attempt(found, source, loc, "HX-1352", lambda c=check: c(on.catalog, limits))
            try:
                entry = StepEntry.model_validate(raw)
            except ValueError:
                continue  # said by the plan's own model
            steps.append(PlannedStep(section, index, entry.title, entry, definition, params))
    return steps
