"""`harness plan`: the plans that are installed: what there is, what they say, and a copy to change."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.inputs import BUILT_IN_STATION, find_station, settings, station_option, tell_broken
from harness.errors import ConfigError
from harness.project.installed import find_plan, known_plans, known_stations

if TYPE_CHECKING:
    from harness.project.model import Project, StationProject


@click.group(short_help="List, show and copy installed plans.")
def plan() -> None:
    """List, show and copy the plans that are installed; `harness check` and `harness run` take their names too."""


@plan.command("list")
def list_() -> int:
    """Every installed plan, with how many steps it has and how long it takes at least, and every installed station."""
    from harness.cli.ui.terminal import say

    widest = max(map(len, [*known_plans(), *known_stations()]), default=0)
    for name, about in _plans():
        say(f"{name:<{widest + 2}}{about}")
    for name, path in known_stations().items():
        say(f"{name:<{widest + 2}}station: {_title(path)}")
    tell_broken()
    return 0


@plan.command()
@click.argument("name")
@click.option("--file", "is_file", is_flag=True, help="The text of the file instead, of a station too.")
@station_option
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="Parameters of the plan; repeatable.")
@click.option("--parameters", "sku", metavar="FILE", help="Values of its parameters for one kind of rack.")
def show(name: str, is_file: bool, station: str | None, pairs: tuple[str, ...], sku: str | None) -> int:
    """The steps of the plan NAME (a file, or an installed one) as a tree, with what they will take.

    Time, energy and the most power need `uut:` in the plan; what the rack or a person decides counts as nothing (`+`).
    """
    from harness.cli.ui.plan_tree import tree
    from harness.cli.ui.terminal import say
    from harness.project.forecast import forecast
    from harness.project.plan import load_project
    from harness.project.station import load_station

    if is_file:
        say(_read(_file(name)).decode("utf-8", "backslashreplace").rstrip("\n"))
        return 0
    on = load_station(find_station(station, simulate=True))
    project = load_project(find_plan(name), on, settings(pairs), sku=Path(sku) if sku else None)
    say(f"{project.plan.title or project.plan.plan}  on station {on.station.station}")
    for line in tree(forecast(project), shutil.get_terminal_size((100, 40)).columns):
        say(line)
    for title, why in project.left_out.items():
        say(f"left out: {title} ({why})")
    return 0


@plan.command()
@click.argument("name")
@click.argument("folder", default=".", type=click.Path(file_okay=False))
def copy(name: str, folder: str) -> int:
    """Copy the plan (or station) NAME, its limit sets and what it includes into FOLDER. Overwrites nothing."""
    from harness.cli.ui.terminal import say

    source, target = _file(name), Path(folder)
    parts = [Path(source.name), *_limit_files(source), *_included(source, source.parent)]
    parts = list(dict.fromkeys(parts))
    there = [part for part in parts if (target / part).exists()]
    if there:
        raise ConfigError(f"{target / there[0]} is there already", hint="name another folder, nothing was copied")
    texts = {part: _read(source.parent / part) for part in parts}  # all of them, before the first is written
    for part, text in texts.items():
        try:
            (target / part).parent.mkdir(parents=True, exist_ok=True)
            (target / part).write_bytes(text)
        except OSError as error:
            raise ConfigError(f"cannot write {target / part}: {error.strerror}") from error
        say(f"copied {target / part}")
    return 0


def _file(name: str) -> Path:
    """The file of an installed plan or station; ConfigError with what there is."""
    station = known_stations().get(name)
    return station if station is not None and name not in known_plans() else find_plan(name)


def _read(path: Path) -> bytes:
    from harness.schema.regular import read_regular
    from harness.schema.source import MAX_BYTES
    from harness.utf8 import utf8

    return read_regular(path, MAX_BYTES, utf8(str(path)))


def _included(path: Path, base: Path, depth: int = 0) -> list[Path]:
    """The sequence files that a plan or sequence includes, from the plan's folder."""
    from harness.schema.sequence import MAX_DEPTH
    from harness.schema.source import read_source

    found: list[Path] = []
    for name in _includes(read_source(path).data) if depth <= MAX_DEPTH else ():
        inner = (path.parent / name).resolve()
        if inner.is_relative_to(base.resolve()) and inner.is_file():
            found += [inner.relative_to(base.resolve()), *_included(inner, base, depth + 1)]
    return found


def _includes(data: object) -> Iterator[str]:
    """Every `include` in plain data."""
    if isinstance(data, dict):
        if isinstance(data.get("include"), str):
            yield data["include"]
        for value in data.values():
            yield from _includes(value)
    elif isinstance(data, list):
        for value in data:
            yield from _includes(value)


def _limit_files(path: Path) -> list[Path]:
    """The limit sets of a plan, with those that they extend, from its folder."""
    from harness.schema.plan import Plan
    from harness.schema.source import read_source, validate_part

    found, _ = validate_part(read_source(path), Plan)
    files = [Path(each) for each in (found.limit_files if found is not None else ())]
    for each in files:  # grows while it is gone through
        if (path.parent / each).is_file():
            data = read_source(path.parent / each).data
            extended = data.get("extends") if isinstance(data, dict) else None
            if isinstance(extended, str) and extended and each.parent / extended not in files:
                files.append(each.parent / extended)
    return files


def _title(path: Path) -> str:
    from harness.schema.problems import ProblemsError
    from harness.schema.source import read_source

    try:
        data = read_source(path).data
    except ProblemsError as error:
        return f"cannot be used: {str(error).splitlines()[0]}"
    title = data.get("title") if isinstance(data, dict) else None
    return str(title or path.stem)


def _plans() -> Iterator[tuple[str, str]]:
    """(name, what it is) of every plan, judged on the built-in station; one that does not fit it is listed too."""
    on = _built_in()
    for name, path in known_plans().items():
        project = _project(path, on)
        yield name, f"{_title(path)}{f': {_measure(project)}' if project is not None else ''}"


def _built_in() -> StationProject | None:
    from harness.project.station import load_station
    from harness.schema.problems import ProblemsError

    path = known_stations().get(BUILT_IN_STATION)
    try:
        return load_station(path) if path is not None else None
    except ProblemsError:
        return None


def _project(path: Path, on: StationProject | None) -> Project | None:
    from harness.project.plan import load_project
    from harness.schema.problems import ProblemsError

    try:
        return load_project(path, on, {}) if on is not None else None
    except ProblemsError:
        return None


def _measure(project: Project) -> str:
    from harness.cli.ui.time_left import clock_text
    from harness.engine.record_size import planned_total

    return f"{len(project.steps)} steps, {clock_text(planned_total(project))} at least"
