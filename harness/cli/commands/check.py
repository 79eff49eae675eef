"""`harness check`: every mistake of every file at once, without contacting anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.inputs import find_station, settings, station_option, tell_broken
from harness.cli.ui.aside import aside
from harness.errors import HarnessError
from harness.limits.verdict import EXIT_USAGE
from harness.project.installed import known_plans, known_stations

if TYPE_CHECKING:
    from harness.project.model import Project


@click.command()
@click.argument("files", nargs=-1, required=True)
@station_option
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="Parameters of the plans; repeatable.")
@click.option("--parameters", "sku", metavar="FILE", help="Values of the plans' parameters for one kind of rack.")
def check(files: tuple[str, ...], station: str | None, pairs: tuple[str, ...], sku: str | None) -> int:
    """Check FILE... (plans and the files that they name, stations, profiles); the first key says which it is.

    A plan is checked against its station: --station, or where `harness run` would look, or the simulated rack.
    """
    from harness.cli.ui.terminal import say
    from harness.schema.problems import Problem, Problems, ProblemsError

    found = Problems()
    fine: list[str] = []
    reported: list[Problem] = []
    values = settings(pairs)
    for name in dict.fromkeys(files):
        try:
            fine.append(f"{name}: ok, {_check_one(name, station, values, reported, Path(sku) if sku else None)}")
        except ProblemsError as error:
            found.extend(error)
        except HarnessError as error:
            found.add(Problem(name, 0, 0, error.code, error.message, error.hint))
    tell_broken()
    for problem in [*found.found, *reported]:
        aside(str(problem))
    for line in fine:
        for each in line.split("\n"):
            say(each)
    return EXIT_USAGE if found else 0


def _unused(project: Project) -> list[str]:
    """Parameters that stand nowhere in the plan: what is given for them only goes into the record."""
    return [f"the parameter {name} is used nowhere" for name in project.plan.parameters if name not in project.used]


def _check_bays(path: Path, bays: list[str], reported: list[Any]) -> str:
    """Check every bay of a line; no two may reach one device."""
    for bay in bays:
        _check_one(f"{path}@{bay}", None, {}, reported)
    return f"station file of a line of {len(bays)} bays: {', '.join(bays)}"


def _check_one(
    name: str, station: str | None, values: dict[str, Any], reported: list[Any], sku: Path | None = None
) -> str:
    """Check one file; returns what it is, and adds to `reported` what is worth a word. ProblemsError: all mistakes."""
    from harness.cli.ui.contents import of_limits, of_plan, of_station
    from harness.project.bays import bays_of, split_bay
    from harness.project.plan_files import models_of_steps
    from harness.schema.migrate import kind_of
    from harness.schema.problems import Problems
    from harness.schema.source import read_source, validate
    from harness.simulator import binding_problems, refuse, station_problems

    path = Path(name)
    if not split_bay(path)[0].exists():
        path = known_plans().get(name) or known_stations().get(name) or path
    source = read_source(split_bay(path)[0])
    kind = kind_of(source)
    if kind == "plan":
        from harness.project.checks.coverage import little_evidence, no_evidence
        from harness.project.checks.guarded import worth_a_word
        from harness.project.checks.secrets import secret_problems
        from harness.project.checks.stillness import watched_signals
        from harness.project.gates import open_gates
        from harness.project.plan import load_project
        from harness.project.station import load_station

        on = load_station(find_station(station, simulate=True))
        refuse(station_problems(on))
        project = load_project(path, on, values, sku=sku)
        reported += [*worth_a_word(on, project.interlocks, watched_signals(project)), *secret_problems(on)]
        count = sum(1 for _ in project.steps)
        engineering = f"; ENGINEERING RUN: {'; '.join(project.engineering)}" if project.engineering else ""
        without = [f"left out: {path.partition('/')[2]} ({why})" for path, why in project.left_out.items()]
        said = [*without, *no_evidence(project), *open_gates(project), *little_evidence(project), *_unused(project)]
        notes = (f"note: {each}" for each in said)
        head = f"plan {project.plan.plan}, {count} steps on station {on.station.station}{engineering}"
        return "\n  ".join([head, *of_plan(project), *notes])
    if kind == "station":
        from harness.project.checks.guarded import worth_a_word
        from harness.project.checks.interlocks import check_expired
        from harness.project.checks.secrets import secret_problems
        from harness.project.station import load_station

        if (bays := bays_of(source)) and not split_bay(path)[1]:
            return _check_bays(path, bays, reported)
        on = load_station(path)
        late = Problems()
        late.extend(station_problems(on))
        check_expired(on.source, on.station.bypass, on.station.longest_bypass, late)
        late.raise_if_any()
        reported += [*worth_a_word(on, on.station.interlocks), *secret_problems(on)]
        head = f"station {on.station.station}, {len(on.station.devices)} devices, {len(on.catalog.signals)} signals"
        return "\n  ".join([head, *of_station(on)])
    if kind == "profile":
        from harness.device.registry import load_profile

        profile, source = load_profile(path)
        refuse(binding_problems(profile, source))
        return f"profile {profile.profile}"
    if (model := models_of_steps().get(kind)) is not None:
        validate(source, model)
        return f"{kind} {source.data[kind]}; what it names is checked with the plan around it"
    if kind == "sku":
        from harness.schema.sku import SkuFile

        kind_of_rack = validate(source, SkuFile)
        names = ", ".join(kind_of_rack.parameters)
        about = f" ({kind_of_rack.title})" if kind_of_rack.title else ""
        return f"parameters of {kind_of_rack.sku}{about}: {names}; they are checked with a plan (--parameters)"
    if kind == "sequence":
        from harness.schema.sequence import SequenceFile

        sequence = validate(source, SequenceFile)
        takes = ", ".join(f"{key} ({each.type or each.default})" for key, each in sequence.parameters.items())
        return (
            f"sequence {sequence.sequence}, takes {takes or 'nothing'}; its steps are checked with the plan around it"
        )
    from harness.schema.conditions import LimitSet

    limits = validate(source, LimitSet)
    head = f"limit set {limits.limit_set} {limits.version}, {len(limits.limits)} limits"
    return "\n  ".join([head, *of_limits(limits)])
