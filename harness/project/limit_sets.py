"""The limit sets that a plan names, with those that they extend."""

from __future__ import annotations

from pathlib import Path

from harness.project.model import NamedLimit, StationProject
from harness.schema.conditions import LimitSet
from harness.schema.document import Loc, Source
from harness.schema.problems import Problems, ProblemsError
from harness.schema.regular import is_regular
from harness.schema.source import read_source, validate


def load_limits(source: Source, base: Path, on: StationProject, found: Problems) -> tuple[dict[str, NamedLimit], bool]:
    """The limits of a plan's limit sets by name, and whether all of them could be read. `base`: the plan's folder."""
    named = source.data.get("limits") if isinstance(source.data, dict) else None
    names = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    limits: dict[str, NamedLimit] = {}
    is_whole = True
    for name in [each for each in names if isinstance(each, str)]:  # of anything else the plan's own model tells
        one = _load(name, source, ("limits",), base, on, found, ())
        is_whole = is_whole and one is not None
        for key, limit in (one or {}).items():
            if key in limits:
                found.add(source.problem(("limits",), "HX-1343", f"limit {key!r} stands in two limit sets"))
            limits[key] = limit
    return limits, is_whole and all(isinstance(each, str) for each in names)


def _load(
    name: str, source: Source, loc: Loc, base: Path, on: StationProject, found: Problems, around: tuple[Path, ...]
) -> dict[str, NamedLimit] | None:
    """One limit set with what it extends; None when it cannot be read. `around`: those that extend each other to it."""
    here = source.path.parent if around and source.path is not None else base
    path = (here / name).resolve()
    if not path.is_relative_to(base.resolve()):
        found.add(source.problem(loc, "HX-1341", f"{name!r} lies outside the plan's folder"))
        return None
    if not is_regular(path):
        beside = "limit set" if around else "plan"
        found.add(source.problem(loc, "HX-1342", f"no such file {name!r} beside the {beside}"))
        return None
    if path in around:
        found.add(source.problem(loc, "HX-1344", f"{name!r} extends itself"))
        return None
    try:
        part = read_source(path)
        limit_set = validate(part, LimitSet)
    except ProblemsError as error:
        found.extend(error)
        return None
    # shown relative to the plan, as the plan names it
    shown = path.relative_to(base.resolve()).as_posix() if around else name
    on.hashes[shown], on.files[shown], on.roles[shown] = part.sha256, path, "limits"
    limits: dict[str, NamedLimit] | None = {}
    if limit_set.extends:
        limits = _load(limit_set.extends, part, ("extends",), base, on, found, (*around, path))
    own = {
        key: NamedLimit(key, limit, f"{limit_set.limit_set} {limit_set.version}")
        for key, limit in limit_set.limits.items()
    }
    return None if limits is None else {**limits, **own}
