"""A station file with its profiles, loaded and checked."""

from __future__ import annotations

from pathlib import Path

from harness.device.address import parse_address
from harness.device.registry import ancestors, find_profile, load_profile, no_profile
from harness.errors import ConfigError
from harness.project.bays import of_bay, split_bay
from harness.project.catalog import Catalog, did_you_mean
from harness.project.checks.dead_men import check_dead_men
from harness.project.checks.interlocks import check_bypasses, check_interlocks
from harness.project.checks.parts import attempt, check_reference, keys_of, parts, right, validated
from harness.project.checks.safe_state import actions_at, check_safe_state
from harness.project.checks.silence import check_silence
from harness.project.checks.stillness import mover_problems
from harness.project.checks.switches import check_addresses, check_lines, check_other_ends, check_switches
from harness.project.left_out import without
from harness.project.model import StationProject
from harness.project.references import references
from harness.schema.document import Source
from harness.schema.problems import Problems, ProblemsError
from harness.schema.source import read_source
from harness.schema.station import Derived, DeviceEntry, Interlock, SafeAction, SafeSequence, Station


def load_station(path: Path | str, *, only_to_make_safe: bool = False) -> StationProject:
    """Load a station (`FILE`, or `FILE@BAY`) and its profiles; ProblemsError with everything that is wrong in them.

    With `only_to_make_safe` what may stand in it counts, not whether it is wise: a mistake in an interlock must not
    keep anybody from switching off.
    """
    found = Problems()
    file, bay = split_bay(path)
    source = of_bay(read_source(file), bay, found)
    if found:
        found.raise_if_any()  # nothing else can be told before it is known which bay is meant
    whole: Station | None = validated(found, source, Station)
    station = whole or _right_parts(source)
    on = StationProject(station, source, Catalog())
    on.hashes[source.name], on.files[source.name] = source.sha256, file
    if only_to_make_safe and (broken := _broken(station, on.base)):
        station = on.station = without(station, broken)
        on.left_out = broken
    for name, entry in station.devices.items():
        _load_device(on, name, found, ours_wins=only_to_make_safe)
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
        if loc[0] != "derived" and not on.left_out:  # what names a device that is left out has no other mistake
            check_reference(on.catalog, {}, source, loc, kind, text, found)
    for name, bound in station.accuracy.items():
        attempt(found, source, ("accuracy", name), "HX-1244", lambda n=name, b=bound: on.catalog.add_accuracy(n, b))
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


def _broken(station: Station, base: Path) -> dict[str, str]:
    """Devices whose protocol or profile cannot be used as things are installed, each with why."""
    found = {}
    for name, entry in station.devices.items():
        try:
            path = find_profile(entry.profile, base, ours_wins=True)
            if path is None:
                raise ConfigError(no_profile(entry.profile))
            load_profile(path, ours_wins=True)
            parse_address(entry.address)
        except (ConfigError, ValueError) as error:
            found[name] = str(error)
    return found


def _right_parts(source: Source) -> Station:
    """What is right of a station that is not, so that its other mistakes are found too; it is never used further."""
    ignored = Problems()  # the mistakes of the parts have been reported with the whole
    return Station.model_construct(
        schema_version=1,
        station="",
        devices=right(source, ("devices",), DeviceEntry, ignored),
        derived=right(source, ("derived",), Derived, ignored),
        interlocks=tuple(right(source, ("interlocks",), Interlock, ignored).values()),
        safe_state={name: _right_sequence(source, name) for name in keys_of(source, "safe_state")},
    )


def _right_sequence(source: Source, name: str) -> SafeSequence:
    ignored = Problems()
    whole: SafeSequence | None = validated(ignored, source, SafeSequence, ("safe_state", name))
    if whole is not None:
        return whole
    actions = tuple(right(source, actions_at(source, name), SafeAction, ignored).values())
    return SafeSequence.model_construct(kind="heat", on_live_parts=False, actions=actions)


def _load_device(on: StationProject, name: str, found: Problems, *, ours_wins: bool) -> None:
    entry = on.station.devices[name]
    path = find_profile(entry.profile, on.base, ours_wins=ours_wins)
    loc = ("devices", name, "profile")
    if path is None:
        found.add(on.source.problem(loc, "HX-1304", no_profile(entry.profile)))
        return
    try:
        profile, source = load_profile(path, ours_wins=ours_wins)
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
