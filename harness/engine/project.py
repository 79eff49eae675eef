"""Everything a run needs from files, loaded and checked against each other before anything is contacted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.device.address import parse_address
from harness.device.device import resolve_setting
from harness.device.registry import ancestors, find_profile, known_profiles, load_profile
from harness.engine.catalog import Catalog, did_you_mean
from harness.engine.references import references
from harness.engine.step import Params, StepDefinition, known_steps
from harness.errors import ConfigError
from harness.limits.check import compile_check
from harness.schema.conditions import Condition, Limit, LimitSet
from harness.schema.document import Source
from harness.schema.fields import LocatedError
from harness.schema.plan import Parameter, Plan, StepEntry
from harness.schema.problems import Problem, Problems, ProblemsError
from harness.schema.source import read_source, substitute, validate, validate_part
from harness.schema.station import Derived, DeviceEntry, Interlock, SafeAction, Station

_COMMON = ("step", "name", "on_fail")
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

    @property
    def base(self) -> Path:
        """The folder of the station file: credentials are found there."""
        return self.source.path.parent if self.source.path else Path.cwd()


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

    @property
    def catalog(self) -> Catalog:
        """Signals and controls."""
        return self.on.catalog


# --- the station -----------------------------------------------------------------------------------------------------


def load_station(path: Path | str) -> StationProject:
    """Load a station and its profiles; ProblemsError with everything that is wrong in any of them."""
    found = Problems()
    source = read_source(path)
    whole: Station | None = _validated(found, source, Station)
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
    on.catalog.unknown = _keys(source, "devices") - on.catalog.expansions.keys()
    for name, derived in station.derived.items():
        _attempt(found, source, ("derived", name), "HX-1303", lambda n=name, d=derived: on.catalog.add_derived(n, d))
    for loc, kind, text in references(Station, source.data):
        if loc[0] != "derived":
            _check_reference(on.catalog, {}, source, loc, kind, text, found)
    interlocks: dict[int, Interlock] = _parts(source, ("interlocks",), Interlock, whole, Problems())
    _check_interlocks(on, source, interlocks, ("interlocks",), (), found)
    if station.safe_state and "default" not in station.safe_state:
        hint = "name the sequence that ends every run `default`"
        found.add(source.problem(("safe_state",), "HX-1322", "there is no sequence 'default'", hint))
    for name, sequence in station.sequences.items():
        place = _actions_at(source, name)
        actions = dict(enumerate(sequence.actions)) if whole else _right(source, place, SafeAction, Problems())
        for index, action in actions.items():
            _check_action(on.catalog, source, (*place, index), action, found)
        if name == "default":
            _check_order(on.catalog, source, place, actions, found)
    _check_kinds(source, station, found)
    found.raise_if_any()
    return on


def _right_parts(source: Source) -> Station:
    """What is right of a station that is not, so that its other mistakes are found too; it is never used further."""
    told = Problems()  # the mistakes of the parts have been told with the whole
    return Station.model_construct(
        schema_version=1,
        station="",
        devices=_right(source, ("devices",), DeviceEntry, told),
        derived=_right(source, ("derived",), Derived, told),
        interlocks=tuple(_right(source, ("interlocks",), Interlock, told).values()),
        safe_state={
            name: tuple(_right(source, _actions_at(source, name), SafeAction, told).values())
            for name in _keys(source, "safe_state")
        },
    )


def _actions_at(source: Source, sequence: str) -> tuple[str, ...]:
    """Where the actions of a safe-state sequence stand: in a plain list, or under `actions`."""
    raw = source.data.get("safe_state") if isinstance(source.data, dict) else None
    is_plain = isinstance(raw, dict) and isinstance(raw.get(sequence), list)
    return ("safe_state", sequence) if is_plain else ("safe_state", sequence, "actions")


def _check_kinds(source: Source, station: Station, found: Problems) -> None:
    """`default` takes the heat off, and there is one calm end at most."""
    kinds = {name: sequence.kind for name, sequence in station.sequences.items()}
    if kinds.get("default", "heat") != "heat":
        message = "the sequence 'default' is of kind heat: it is what every stop can count on"
        found.add(source.problem(("safe_state", "default", "kind"), "HX-1324", message))
    ends = [name for name, kind in kinds.items() if kind == "end"]
    for name in ends[1:]:
        message = f"{ends[0]!r} is of kind end already: a run has one calm end"
        found.add(source.problem(("safe_state", name, "kind"), "HX-1324", message))


def _keys(source: Source, section: str) -> set[str]:
    raw = source.data.get(section) if isinstance(source.data, dict) else None
    return set(raw) if isinstance(raw, dict) else set()


def _load_device(on: StationProject, name: str, found: Problems) -> None:
    entry = on.station.devices[name]
    path = find_profile(entry.profile, on.base)
    loc = ("devices", name, "profile")
    if path is None:
        hint = did_you_mean(entry.profile, known_profiles())
        found.add(on.source.problem(loc, "HX-1304", f"unknown profile {entry.profile!r}{hint}"))
        return
    try:
        profile, source = load_profile(path)
    except ProblemsError as error:
        for problem in error.problems:
            found.add(problem)
        return
    on.hashes[entry.profile], on.files[f"profiles/{entry.profile}"] = source.sha256, path
    for parent, where in ancestors(path, source).items():
        on.hashes[parent], on.files[f"profiles/{parent}"] = read_source(where).sha256, where
    unknown = [group for group in entry.counts if group not in profile.repeat]
    if unknown:
        hint = did_you_mean(unknown[0], profile.repeat)
        found.add(on.source.problem(("devices", name, "counts"), "HX-1305", f"no repetition {unknown[0]!r}{hint}"))
    on.catalog.add_device(name, entry, profile)


def _check_interlocks(
    on: StationProject,
    source: Source,
    interlocks: Mapping[int, Interlock],
    where: tuple[str | int, ...],
    titles: Sequence[str],
    found: Problems,
) -> None:
    seen: set[str] = set()
    for index, interlock in interlocks.items():
        loc = (*where, index)
        if interlock.name in seen:
            found.add(source.problem(loc, "HX-1311", f"two interlocks are named {interlock.name!r}"))
        seen.add(interlock.name)
        for signal in interlock.all_signals:
            info = on.catalog.signals.get(signal)
            if info is not None and (interlock.quantities() or interlock.words):
                _attempt(found, source, loc, "HX-1312", lambda i=interlock, s=info: compile_check(i, s))
        armed = interlock.armed_when
        if armed is not None and (info := on.catalog.signals.get(armed.signal)) is not None:
            _attempt(found, source, (*loc, "armed_when"), "HX-1312", lambda a=armed, s=info: compile_check(a, s))
        if interlock.on_trip not in on.station.safe_state:
            hint = did_you_mean(interlock.on_trip, on.station.safe_state)
            message = f"on_trip names {interlock.on_trip!r}, which is no safe_state sequence of the station{hint}"
            found.add(source.problem((*loc, "on_trip"), "HX-1313", message))
        for title in interlock.armed_in:
            if titles and title not in titles:
                hint = did_you_mean(title, titles)
                found.add(source.problem((*loc, "armed_in"), "HX-1314", f"no step is named {title!r}{hint}"))


def _check_action(
    catalog: Catalog, source: Source, loc: tuple[str | int, ...], action: SafeAction, found: Problems
) -> None:
    if action.set is not None and action.to is not None:
        for _, point in catalog.find_controls(action.set)[:1]:
            to = action.to
            _attempt(found, source, (*loc, "to"), "HX-1321", lambda p=point, t=to: resolve_setting(p, t))
    for key in ("until", "confirm_by"):
        condition = getattr(action, key)
        info = catalog.signals.get(condition.signal) if condition is not None else None
        if info is not None:
            _attempt(found, source, (*loc, key), "HX-1312", lambda c=condition, s=info: compile_check(c, s))


def _check_order(
    catalog: Catalog, source: Source, place: tuple[str, ...], actions: Mapping[int, SafeAction], found: Problems
) -> None:
    """Heat goes off before coolant: what ends every run must not stop a coolant unit while something may be on."""
    off: dict[int, list[str]] = {}
    for index, action in actions.items():
        if action.set is not None and action.to == "off":
            off[index] = [device for device, _ in catalog.find_controls(action.set)]
    hot = [
        index
        for index in off
        if any(point.spec.energises for _, point in catalog.find_controls(actions[index].set or ""))
    ]
    for index, devices in off.items():
        classes = {catalog.profiles[device].class_ for device in devices if device in catalog.profiles}
        if "cdu" in classes and hot and index < max(hot):
            message = f"{actions[index].set} stops the coolant before {actions[max(hot)].set} takes the heat off"
            hint = "put what takes the heat off first"
            found.add(source.problem((*place, index), "HX-1323", message, hint))


# --- the plan --------------------------------------------------------------------------------------------------------


def load_project(path: Path | str, on: StationProject, settings: Mapping[str, Any] | None = None) -> Project:
    """Load a plan and its limit sets, and check them against a station; ProblemsError with everything wrong."""
    found = Problems()
    raw = read_source(path)
    values = _parameter_values(raw, settings or {}, found)
    source, _ = substitute(raw, values)
    on.hashes[raw.name], on.files[raw.name] = raw.sha256, Path(path)
    head = _validated(found, source, Plan)
    limits = _load_limits(source, Path(path).parent, on, found)
    for name, derived in _parts(source, ("derived",), Derived, head, found).items():
        _attempt(found, source, ("derived", name), "HX-1303", lambda n=name, d=derived: on.catalog.add_derived(n, d))
    steps = _load_steps(source, on, limits, found)
    titles = [step.title for step in steps]
    for loc, kind, text in references(Plan, source.data):
        if loc[0] in ("show", "interlocks"):
            _check_reference(on.catalog, limits, source, loc, kind, text, found)
    added: dict[int, Interlock] = _parts(source, ("interlocks",), Interlock, head, found)
    interlocks = [*on.station.interlocks, *added.values()]
    _check_interlocks(on, source, added, ("interlocks",), titles, found)
    _check_names(source, on.station, added, found)
    _check_guarded(source, on, steps, interlocks, found)
    found.raise_if_any()
    if head is None:
        raise ConfigError(f"{path} could not be loaded")
    return Project(head, source, on, steps, limits, interlocks, dict(values))


def _parts(source: Source, loc: tuple[str], model: Any, head: Plan | Station | None, found: Problems) -> dict[Any, Any]:
    """The entries of a section by their key or index; where the file as a whole is wrong, those that are right."""
    if head is not None:
        whole = getattr(head, loc[0])
        return dict(whole) if isinstance(whole, dict) else dict(enumerate(whole))
    return _right(source, loc, model, found)


def _right(source: Source, loc: tuple[str, ...], model: Any, found: Problems) -> dict[Any, Any]:
    """The entries at a place of the file that are right, by key or index."""
    raw = source.data
    for key in loc:
        raw = raw.get(key) if isinstance(raw, dict) else None
    entries = raw.items() if isinstance(raw, dict) else enumerate(raw if isinstance(raw, list) else [])
    parts = {name: _validated(found, source, model, (*loc, name)) for name, _ in entries}
    return {name: part for name, part in parts.items() if part is not None}


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


def _load_limits(source: Source, base: Path, on: StationProject, found: Problems) -> dict[str, NamedLimit]:
    named = source.data.get("limits") if isinstance(source.data, dict) else None
    files = [named] if isinstance(named, str) else [each for each in named or [] if isinstance(each, str)]
    limits: dict[str, NamedLimit] = {}
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
    return limits


def _load_steps(
    source: Source, on: StationProject, limits: Mapping[str, NamedLimit], found: Problems
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
                message = f"unknown step {name!r}{did_you_mean(name, known)}"
                found.add(source.problem((*loc, "step"), "HX-1351", message))
                continue
            for place, kind, text in references(definition.params, raw, loc):
                _check_reference(on.catalog, limits, source, place, kind, text, found)
            params = _validated(found, source, definition.params, loc, _COMMON)
            if params is None:
                continue
            _check_conditions(on.catalog, source, params, loc, found)
            check = getattr(params, "check_against", None)
            if check is not None:
                _attempt(found, source, loc, "HX-1352", lambda c=check: c(on.catalog, limits))
            try:
                entry = StepEntry.model_validate(raw)
            except ValueError:
                continue  # said by the plan's own model
            steps.append(PlannedStep(section, index, entry.title, entry, definition, params))
    return steps


def _check_conditions(
    catalog: Catalog, source: Source, params: Any, loc: tuple[str | int, ...], found: Problems
) -> None:
    for name, info in type(params).model_fields.items():
        value = getattr(params, name)
        key = info.alias or name
        items = list(enumerate(value)) if isinstance(value, tuple) else [(None, value)]
        if isinstance(params, Condition):
            items = []
        for index, item in items:
            if isinstance(item, Condition):
                place = (*loc, key) if index is None else (*loc, key, index)
                _check_condition(catalog, source, item, place, found)
    if isinstance(params, Condition):
        _check_condition(catalog, source, params, loc, found)


def _check_condition(
    catalog: Catalog, source: Source, condition: Condition, loc: tuple[str | int, ...], found: Problems
) -> None:
    for name in catalog.find_signals(condition.signal)[:1]:
        info = catalog.signals[name]
        try:
            compile_check(condition, info)
        except ValueError as error:
            inner = error.loc if isinstance(error, LocatedError) else ("signal",)
            found.add(source.problem((*loc, *inner), "HX-1312", str(error)))


def _check_names(source: Source, station: Station, added: Mapping[int, Interlock], found: Problems) -> None:
    taken = {interlock.name for interlock in station.interlocks}
    for index, interlock in added.items():
        if interlock.name in taken:
            message = (
                f"the station has an interlock {interlock.name!r} already; a plan adds interlocks, it replaces none"
            )
            found.add(source.problem(("interlocks", index, "name"), "HX-1315", message))


def _check_guarded(
    source: Source, on: StationProject, steps: Sequence[PlannedStep], interlocks: Sequence[Interlock], found: Problems
) -> None:
    """A plan must not energise what no interlock would switch off."""
    covered: set[str] = set()
    for interlock in interlocks:
        if interlock.armed_in:
            continue  # it watches some steps only; what is on stays on between and after them
        for action in on.station.actions_of(interlock.on_trip):
            if action.set is not None and action.to == "off":
                covered.update(f"{device}.{point.name}" for device, point in on.catalog.find_controls(action.set))
    for step in steps:
        energised = getattr(step.params, "energises", None)
        for reference in energised() if energised is not None else ():
            for device, point in on.catalog.find_controls(reference):
                if point.spec.energises and f"{device}.{point.name}" not in covered:
                    message = f"{device}.{point.name} is energised, but no interlock would switch it off"
                    hint = "add an interlock whose on_trip sequence sets it to off"
                    found.add(source.problem((step.section, step.index), "HX-1361", message, hint))
                    return


# --- shared ----------------------------------------------------------------------------------------------------------


def _validated(
    found: Problems, source: Source, model: Any, loc: tuple[str | int, ...] = (), omit: Sequence[str] = ()
) -> Any:
    """The model of a part, None when that part is wrong; mistakes of other parts do not hide what it says."""
    part, problems = validate_part(source, model, loc_prefix=loc, omit=omit)
    found.extend([*source.problems, *problems])
    return part


def _attempt(found: Problems, source: Source, loc: tuple[str | int, ...], code: str, work: Any) -> None:
    try:
        work()
    except ValueError as error:
        inner = error.loc if isinstance(error, LocatedError) else ()
        found.add(source.problem((*loc, *inner), code, str(error)))


def _check_reference(
    catalog: Catalog,
    limits: Mapping[str, NamedLimit],
    source: Source,
    loc: tuple[str | int, ...],
    kind: str,
    text: str,
    found: Problems,
) -> None:
    if text.partition(".")[0] in catalog.unknown:
        return  # what is wrong with the device has been said
    if kind == "signal" and not catalog.find_signals(text):
        found.add(source.problem(loc, "HX-1306", catalog.signal_problem(text)))
    elif kind == "control" and not catalog.find_controls(text):
        found.add(source.problem(loc, "HX-1307", catalog.control_problem(text)))
    elif kind == "limit" and text not in limits:
        hint = did_you_mean(text, limits) or ("; the plan names no limit set" if not limits else "")
        found.add(source.problem(loc, "HX-1308", f"unknown limit {text!r}{hint}"))
