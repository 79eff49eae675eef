"""What other packages add by entry points. One that fails is named, and stops only what needs it.

The same holds for a name that two packages add: whichever was chosen, somebody would run what he did not mean. It is
nobody's then, and who needs it is told both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points
from typing import Any, Generic, TypeVar

from harness.utf8 import utf8

T = TypeVar("T")


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
        return f"the {self.what} is added by {' and by '.join(self.packages)}: none of them is used, uninstall one"


_broken: dict[tuple[str, str, str], Broken] = {}
_clashes: dict[tuple[str, str], Clash] = {}


def installed(group: str, take: Callable[[Any], T]) -> list[Installed[T]]:
    """`take` of what the entry point names, of every entry point that can be loaded, in the order of names.

    Code of others runs here for the first time: whatever it does, sys.exit included, it is only named. A person's
    Ctrl-C is none of its doings and goes on.
    """
    found = []
    for entry in sorted(entries(group), key=lambda each: each.name):
        package = _package(entry)
        try:
            found.append(Installed(entry.name, package, take(entry.load())))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            _broken[group, entry.name, package] = Broken(group, entry.name, package, _why(error))
    return found


def by_name(group: str, kind: str, found: Iterable[tuple[str, T, str]]) -> dict[str, T]:
    """What (name, thing, package) triples add, by name; a name that stands for two things is left out: see `clash`."""
    things: dict[str, list[tuple[T, str]]] = {}
    for name, thing, package in found:
        given = things.setdefault(name, [])
        if all(thing != other for other, _ in given):
            given.append((thing, package))
    for name, given in things.items():
        if len(given) > 1:
            _clashes[group, name] = Clash(f"{kind} {name!r}", tuple(package for _, package in given))
    return {name: given[0][0] for name, given in things.items() if len(given) == 1}


def clash(group: str, name: str) -> Clash | None:
    """Who adds a name of which `by_name` has found several; None where it is nobody's, or one package's."""
    return _clashes.get((group, name))


def broken(*groups: str) -> list[Broken]:
    """What could not be loaded so far, of some groups or of all."""
    return [each for (group, *_), each in _broken.items() if not groups or group in groups]


def unusable(*groups: str) -> Iterator[Broken | Clash]:
    """What of other packages could not be loaded, or is added twice, of some groups or of all."""
    yield from broken(*groups)
    yield from (each for (group, _), each in _clashes.items() if not groups or group in groups)


def entries(group: str) -> list[EntryPoint]:
    """The entry points of a group; a package whose list of them cannot be read is named, and takes no other with it."""
    try:
        return list(entry_points(group=group))
    except Exception:  # one of them is no list of entry points: which one is found by asking one by one
        found: dict[tuple[str, str], EntryPoint] = {}
        for package in distributions():
            try:
                for entry in package.entry_points.select(group=group):
                    found.setdefault((str(package.name), entry.name), entry)
            except Exception as error:
                name = _named(package)
                _broken[group, "", name] = Broken(group, "entry_points.txt", name, _why(error))
        return list(found.values())


def _named(package: Distribution) -> str:
    try:
        return f"{package.name} {package.version}"
    except Exception:
        return str(getattr(package, "_path", "of an unknown name"))


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value


def _why(error: BaseException) -> str:
    try:
        text = f"{type(error).__name__}: {error}"
    except KeyboardInterrupt:
        raise
    except BaseException:  # code of others, too
        text = type(error).__name__
    return " ".join(utf8(text).split())
