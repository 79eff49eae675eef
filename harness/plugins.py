"""The registry: what this package and others add by entry points, found by name and imported when it is needed.

One that cannot be imported is named, and stops only what needs it. A name that two packages add is nobody's: whichever
was chosen, somebody would run what he did not mean; who needs it is told both. So a built-in name cannot be taken over.
What makes a rack safe asks with `ours_wins`: a package that was installed meanwhile must not keep anybody from
switching off.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from harness.utf8 import utf8

if TYPE_CHECKING:  # the guardian imports this module, and needs none of it
    from importlib.metadata import Distribution, EntryPoint

T = TypeVar("T")
OURS = "rack-harness"
"""The distribution whose names are built in."""
GROUPS = {
    "harness.drivers": "profile",
    "harness.protocols": "protocol",
    "harness.steps": "step",
    "harness.simulators": "simulator",
    "harness.plans": "plan",
    "harness.exporters": "exporter",
    "harness.workloads": "workload driver",
}
"""Every group of entry points, and what one thing of it is called."""
ONE_EACH = ("harness.protocols", "harness.steps", "harness.exporters", "harness.simulators", "harness.workloads")
"""Groups whose entry points have the names of what they add; an entry point of the others names a folder of things."""


@dataclass(frozen=True, slots=True)
class Installed(Generic[T]):
    """What an entry point gave."""

    entry: str
    package: str
    value: T


@dataclass(frozen=True, slots=True)
class Broken:
    """An entry point that could not be loaded."""

    group: str
    entry: str
    package: str
    why: str

    def __str__(self) -> str:
        return f"the package {self.package} (entry point {self.entry!r} of {self.group}) cannot be loaded: {self.why}"


@dataclass(frozen=True, slots=True)
class Clash:
    """A name that more than one package adds."""

    what: str
    """The kind of thing and its name: `step 'measure'`."""
    packages: tuple[str, ...]

    def __str__(self) -> str:
        built_in = ": a built-in name, uninstall the other" if any(map(is_ours, self.packages)) else ", uninstall one"
        return f"the {self.what} is added by {' and by '.join(self.packages)}: none of them is used{built_in}"


_broken: dict[tuple[str, str, str], Broken] = {}
_clashes: dict[tuple[str, str], Clash] = {}
"""(group, what) -> those that `by_name` has found."""


def is_ours(package: str) -> bool:
    """Whether a package (`name version`) is this one."""
    return package.partition(" ")[0] == OURS


def installed(group: str, take: Callable[[Any], T], *, among: Iterable[EntryPoint] | None = None) -> list[Installed[T]]:
    """`take` of what the entry point names, of every entry point that can be loaded, in the order of names.

    `among` are some of the group's entry points; None: all. Code of others runs here for the first time: whatever it
    does, sys.exit included, it is only named. A person's Ctrl-C is none of its doings and goes on.
    """
    loaded = []
    for entry in sorted(entries(group) if among is None else among, key=lambda each: each.name):
        package = package_of(entry)
        try:
            with nullcontext() if is_ours(package) else redirect_stdout(sys.stderr):  # what is printed is no answer
                loaded.append(Installed(entry.name, package, take(entry.load())))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            _broken[group, entry.name, package] = Broken(group, entry.name, package, _why(error))
    return loaded


def find(group: str, name: str, take: Callable[[Any], T], *, ours_wins: bool = False) -> T | None:
    """`take` of the one thing that an entry point of this name gives; None, and why says `why_not`."""
    owners = [entry for entry in entries(group) if entry.name == name and not is_several(entry)]
    if clashes_of(group).get(name) is not None:
        owners = [entry for entry in owners if ours_wins and is_ours(package_of(entry))]
    return next((one.value for one in installed(group, take, among=owners)), None)


def why_not(group: str, name: str) -> str:
    """Why there is nothing usable under a name: who both add it, or what is broken; '' when nobody adds it."""
    if (clash := clash_of(group, name)) is not None:
        return str(clash)
    return "; ".join(f"{GROUPS[group]} {name!r} cannot be used: {each}" for each in broken(group) if each.entry == name)


def names(group: str) -> list[str]:
    """The names of a group's entry points; nothing is imported."""
    return sorted({entry.name for entry in entries(group)})


def is_several(entry: EntryPoint) -> bool:
    """Whether an entry point of others names a function that returns several things: its attribute has another name."""
    return entry.group == "harness.steps" and entry.attr != entry.name and not is_ours(package_of(entry))


def owner_of(group: str, name: str) -> str:
    """The package that adds a name, `name version`; '' when nobody does."""
    return next((package_of(entry) for entry in entries(group) if entry.name == name), "")


@cache
def built_in(group: str) -> tuple[str, ...]:
    """Those of this package."""
    return tuple(sorted({entry.name for entry in entries(group) if is_ours(package_of(entry))}))


@cache
def clashes_of(group: str) -> dict[str, Clash]:
    """The names of a group's entry points that several packages add; nothing is imported."""
    owners: dict[str, dict[str, None]] = {}
    for entry in entries(group):
        if not is_several(entry):
            owners.setdefault(entry.name, {})[package_of(entry)] = None
    return {name: Clash(f"{GROUPS[group]} {name!r}", tuple(who)) for name, who in owners.items() if len(who) > 1}


def by_name(group: str, kind: str, given: Iterable[tuple[str, T, str]]) -> dict[str, T]:
    """What (name, thing, package) triples add, by name; a name that stands for two things is left out.

    For what one entry point adds many of: files in a folder. See `clash_of`.
    """
    things: dict[str, list[tuple[T, str]]] = {}
    for name, thing, package in given:
        known = things.setdefault(name, [])
        if all(thing != other for other, _ in known):
            known.append((thing, package))
    for name, known in things.items():
        if len(known) > 1:
            clash = Clash(f"{kind} {name!r}", tuple(package for _, package in known))
            _clashes[group, clash.what] = clash
    return {name: known[0][0] for name, known in things.items() if len(known) == 1}


def clash_of(group: str, name: str, kind: str = "") -> Clash | None:
    """Who adds a name of which several do; None where it is nobody's, or one package's. `kind`: as in `by_name`."""
    found = _clashes.get((group, f"{kind or GROUPS[group]} {name!r}"))
    return found or (clashes_of(group).get(name) if group in ONE_EACH else None)


def broken(*groups: str) -> list[Broken]:
    """What could not be loaded so far, of some groups or of all."""
    return [each for (group, *_), each in _broken.items() if not groups or group in groups]


def unusable(*groups: str) -> Iterator[Broken | Clash]:
    """What of other packages could not be loaded, or is added twice, of some groups or of all."""
    yield from broken(*groups)
    found = dict(_clashes)
    for group in ONE_EACH:
        found |= {(group, each.what): each for each in clashes_of(group).values()}
    yield from (each for (group, _), each in found.items() if not groups or group in groups)


def entries(group: str) -> list[EntryPoint]:
    """The entry points of a group; a package whose list of them cannot be read is named, and takes no other with it."""
    return list(_entries(group))


@cache
def _entries(group: str) -> tuple[EntryPoint, ...]:
    found = []
    for entry in _listed(group):
        if entry.pattern.match(entry.value) is not None:
            found.append(entry)
        else:
            name = package_of(entry)
            why = f"{entry.value!r} is no module:attribute"
            _broken[group, entry.name, name] = Broken(group, entry.name, name, why)
    return tuple(found)


def _listed(group: str) -> list[EntryPoint]:
    """The entry points of a group, without what an interrupted pip has left behind (`~ame-1.0.dist-info`)."""
    from importlib.metadata import distributions, entry_points

    try:
        listed = list(entry_points(group=group))
    except Exception:  # one of them is no list of entry points: which one is found by asking one by one
        found: dict[tuple[str, str], EntryPoint] = {}
        for package in distributions():
            try:
                for entry in package.entry_points.select(group=group):
                    found.setdefault((_named(package), entry.name), entry)
            except Exception as error:
                name = _named(package)
                _broken[group, "", name] = Broken(group, "entry_points.txt", name, _why(error))
        listed = list(found.values())
    return [entry for entry in listed if not _folder(entry.dist).startswith("~")]


def _folder(package: Distribution | None) -> str:
    """The name of the folder that says what a package is."""
    return str(getattr(getattr(package, "_path", None), "name", ""))


@cache
def _named(package: Distribution) -> str:
    try:
        name, version = package.name, package.version
    except Exception:  # it does not say, or not in UTF-8
        name = version = ""
    return f"{name} {version}" if name and version else utf8(_folder(package)) or "of an unknown name"


def package_of(entry: EntryPoint) -> str:
    """The package that adds an entry point, `name version`."""
    return _named(entry.dist) if entry.dist is not None else entry.value


def _why(error: BaseException) -> str:
    try:
        text = f"{type(error).__name__}: {error}"
    except KeyboardInterrupt:
        raise
    except BaseException:  # code of others, too
        text = type(error).__name__
    return " ".join(utf8(text).split())
