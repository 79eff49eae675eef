"""What other packages add by entry points. One that fails is named, and stops only what needs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from harness.utf8 import utf8

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Broken:
    """An entry point that could not be loaded."""

    group: str
    entry: str
    package: str
    why: str

    def __str__(self) -> str:
        return f"the package {self.package} (entry point {self.entry!r} of {self.group}) cannot be loaded: {self.why}"


_broken: dict[tuple[str, str], Broken] = {}


def installed(group: str, take: Callable[[Any], T]) -> dict[str, T]:
    """Name -> `take` of what the entry point names, of every entry point that can be loaded, in the order of names.

    Code of others runs here for the first time: whatever it does, sys.exit included, it is only named. A person's
    Ctrl-C is none of its doings and goes on.
    """
    found = {}
    for entry in sorted(entry_points(group=group), key=lambda each: each.name):
        try:
            found[entry.name] = take(entry.load())
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            _broken[group, entry.name] = Broken(group, entry.name, _package(entry), _why(error))
    return found


def broken(*groups: str) -> list[Broken]:
    """What could not be loaded so far, of some groups or of all."""
    return [each for (group, _), each in _broken.items() if not groups or group in groups]


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value


def _why(error: BaseException) -> str:
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:
        text = type(error).__name__
    return " ".join(utf8(text).split())
