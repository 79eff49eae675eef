"""Where profiles come from: folders named by entry points, and files next to the station file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from harness.device.answers import check_answers
from harness.device.dead_man import dead_man_problems
from harness.device.idle_keys import idle_keys
from harness.device.points import expand, profile_problems
from harness.device.protocol import Protocol, protocol
from harness.device.third_party import third_party
from harness.errors import ConfigError
from harness.plugins import broken, by_name, clash_of, installed, is_ours
from harness.schema.document import Source
from harness.schema.identity import Identity
from harness.schema.problems import Problem, ProblemsError, did_you_mean
from harness.schema.profile import Profile
from harness.schema.source import read_source, validate

GROUP = "harness.drivers"
MAX_EXTENDS = 3
"""How many profiles deep one may extend another."""
OF_ITS_OWN = ("verified_on", "judged_by")
"""Keys that `extends` does not hand on."""


@cache
def known_profiles() -> Mapping[str, Path]:
    """Every installed profile by name, e.g. `pdu/apc_rpdu2`.

    An entry point of the group is a function that returns a folder with `<class>/<vendor_model>/profile.yaml`.
    """
    return by_name(GROUP, "profile", _profiles())


@cache
def built_in_profiles() -> Mapping[str, Path]:
    """Every profile that came with this package, whatever others add under its name."""
    return {name: path for name, path, package in _profiles() if is_ours(package)}


def _profiles() -> Iterator[tuple[str, Path, str]]:
    for one in installed(GROUP, lambda root: Path(root()).resolve()):
        for path in sorted(one.value.glob("*/*/profile.yaml")):
            yield f"{path.parent.parent.name}/{path.parent.name}", path, one.package


def no_profile(name: str) -> str:
    """Why there is no profile of a name, and which is near."""
    twice = clash_of(GROUP, name)
    if twice is not None:
        return str(twice)
    why = "".join(f"; {each}" for each in broken(GROUP))
    hint = did_you_mean(name, known_profiles())
    return f"no profile {name!r}{f', {hint}' if hint else ''}{why}"


def find_profile(name: str, base: Path, *, ours_wins: bool = False) -> Path | None:
    """The file of a profile: an installed one by name, or `something.yaml` inside the station file's folder.

    With `ours_wins` a built-in profile is that, also where another package adds one of its name.
    """
    if name.endswith((".yaml", ".yml")):
        path = (base / name).resolve()
        return path if path.is_relative_to(base.resolve()) and path.is_file() else None
    found = known_profiles().get(name)
    return built_in_profiles().get(name) if found is None and ours_wins else found


@cache
def _identities() -> Mapping[str, Identity]:
    """How the devices of each installed profile are known; those that cannot be read are left out."""
    found = {}
    for name, path in known_profiles().items():
        with suppress(ProblemsError):
            found[name] = load_profile(path)[0].identity
    return found


def matching_profiles(sys_object_id: str, sys_description: str) -> list[str]:
    """Names of installed SNMP profiles that a device with these system texts may be, the closest first."""
    found: list[tuple[int, int, str]] = []
    oid = sys_object_id.strip(".") + "."
    for name, rule in _identities().items():
        said = any(word in sys_description for word in rule.sys_description)
        if rule.sys_description and not said:
            continue
        longest = max((len(each) for each in rule.sys_object_id if oid.startswith(each.strip(".") + ".")), default=0)
        if longest or (said and not rule.sys_object_id):
            found.append((-longest, -int(said), name))
    return [name for *_, name in sorted(found)]


def load_profile(path: Path, *, ours_wins: bool = False) -> tuple[Profile, Source]:
    """Load and check one profile; ProblemsError with every mistake. For `ours_wins` see `find_profile`."""
    return _load(path, (), ours_wins=ours_wins)


def _load(path: Path, extended_by: tuple[Path, ...], *, ours_wins: bool) -> tuple[Profile, Source]:
    source = _inherited(read_source(path), (*extended_by, path), ours_wins=ours_wins)
    spoken = _protocol_of(source)
    try:
        with nullcontext() if spoken.is_ours else third_party(spoken.failed, KeyboardInterrupt):
            profile, problems = _checked(source, spoken)
    except ProblemsError:
        raise
    except ConfigError as error:
        raise ProblemsError([source.problem(("protocol",), "HX-1205", error.message)]) from error
    if problems:
        raise ProblemsError(problems)
    return profile, source


def _checked(source: Source, spoken: Protocol) -> tuple[Profile, list[Problem]]:
    """The profile, and what its model alone does not find; the model and the checks may be code of others."""
    profile: Profile = validate(source, spoken.part("profile"))
    points = expand(profile)
    if not spoken.is_ours:
        check_answers(profile, points)
    found = profile_problems(profile, points) + dead_man_problems(profile, points) + idle_keys(profile)
    if not spoken.fitting:
        found += [
            (("identity", key), f"{key} is what an SNMP agent says of itself; this profile speaks {profile.protocol}")
            for key in ("sys_object_id", "sys_description")
            if getattr(profile.identity, key)
        ]
    if spoken.problems:
        found += spoken.part("problems")(profile, points)
    return profile, [_at(source, loc, message) for loc, message in found]


def _protocol_of(source: Source) -> Protocol:
    """The protocol that a profile names; ProblemsError when there is none of the name."""
    name = source.data.get("protocol") if isinstance(source.data, dict) else None
    if name is None:
        validate(source, Profile)
    try:
        return protocol(str(name))
    except ConfigError as error:
        raise ProblemsError([source.problem(("protocol",), "HX-1205", error.message, error.hint)]) from error


def _inherited(source: Source, chain: tuple[Path, ...], *, ours_wins: bool) -> Source:
    """The source with what it `extends` merged under it. Positions are those of the extending file.

    Who judged the other profile did not judge this one: `OF_ITS_OWN` stays there.

    What is wrong in the other profile is reported there: it must be right on its own. `chain` ends with this file.
    """
    name = source.data.get("extends") if isinstance(source.data, dict) else None
    if not name or not isinstance(name, str):
        return source
    where = find_profile(name, chain[-1].parent, ours_wins=ours_wins)
    if where is None or where in chain or len(chain) > MAX_EXTENDS:
        reason = f"there is nothing to extend: {no_profile(name)}"
        if where is not None:
            reason = f"{name!r} cannot be extended: at most {MAX_EXTENDS} profiles deep, and never in a circle"
        raise ProblemsError([source.problem(("extends",), "HX-1401", reason)])
    _, parent = _load(where, chain, ours_wins=ours_wins)
    source.check()
    inherited = {key: value for key, value in parent.data.items() if key not in OF_ITS_OWN}
    return replace(source, data=merged(inherited, source.data))


def ancestors(path: Path, source: Source) -> dict[str, Path]:
    """The profiles that a right one (loaded from `path`) extends, by name, the nearest first."""
    found: dict[str, Path] = {}
    name = source.data.get("extends")
    while name and len(found) < MAX_EXTENDS and (where := find_profile(name, path.parent)) is not None:
        found[name], path = where, where
        name = read_source(path).data.get("extends")
    return found


def merged(under: Any, over: Any) -> Any:
    """Mappings are merged key by key, `null` takes a key away, everything else is replaced."""
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    result = {key: value for key, value in under.items() if key not in over or over[key] is not None}
    for key, value in over.items():
        if value is not None:
            result[key] = merged(under.get(key), value)
    return result


def _at(source: Source, loc: tuple[str | int, ...], message: str) -> Problem:
    return source.problem(loc, "HX-1401", message)
