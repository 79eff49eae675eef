"""`harness run`: the whole main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.inputs import (
    check_serial,
    data_folder,
    data_option,
    find_station,
    need_simulate,
    settings,
    simulation_options,
    station_option,
    tell_broken,
)
from harness.cli.ui.aside import aside
from harness.errors import ConfigError
from harness.project.installed import find_plan

if TYPE_CHECKING:
    from harness.project.model import StationProject
    from harness.record.index import RunSummary

SIMULATED_SERIAL = "RACK-0001"


@click.command()
@click.argument("plan")
@station_option
@simulation_options
@click.option("--virtual", is_flag=True, help="With --simulate: the clock jumps; a day takes minutes.")
@click.option("--speed", type=click.FloatRange(0.1, 1000.0), default=None, help="With --simulate: N times real time.")
@click.option("--serial", metavar="SN", help=f"Serial number of the rack; {SIMULATED_SERIAL} with --simulate.")
@click.option("--operator", default="", metavar="ID", help="Who runs it; goes into the record.")
@click.option(
    "--set", "pairs", multiple=True, metavar="NAME=VALUE", help="Replace a parameter of the plan; repeatable."
)
@click.option("--parameters", "sku", metavar="FILE", help="Values for this kind of rack; --set counts before them.")
@click.option("--from", "begin_at", default="", metavar="STEP", help="Begin at a step: an engineering run.")
@click.option("--resume", "resumed", metavar="RUN", help="Go on with an interrupted run (its id, or `last`).")
@click.option("--hold-on-fail", is_flag=True, help="Hold after a failed step: `harness ctl` retry, skip or continue.")
@data_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, the result last.")
def run(
    plan: str,
    station: str | None,
    simulate: bool,
    faults: tuple[str, ...],
    seed: int | None,
    virtual: bool,
    speed: float | None,
    serial: str | None,
    operator: str,
    pairs: tuple[str, ...],
    sku: str | None,
    begin_at: str,
    resumed: str | None,
    hold_on_fail: bool,
    data: str | None,
    as_json: bool,
) -> int:
    """Carry out PLAN (a file, or an installed plan like `smoke`) on a rack.

    The safe state is applied and the record sealed whatever happens; the exit code is the verdict.
    """
    need_simulate(simulate=simulate, fault=faults, virtual=virtual, speed=speed, seed=seed)
    if virtual and speed is not None:
        raise ConfigError("--virtual and --speed exclude each other", hint="virtual time runs as fast as it can")
    plan_path = find_plan(plan)
    station_path = find_station(station, simulate=simulate)
    values = settings(pairs)
    if serial is not None:
        check_serial(serial)
    folder = data_folder(data)
    again = _find_interrupted(folder, resumed)
    if again is not None and serial is None:
        serial = check_serial(again.serial)
    unit = serial if serial is not None else _ask_serial(simulate=simulate, as_json=as_json)

    from harness.cli.run_screens import RunRequest, conduct
    from harness.project.plan import load_project
    from harness.project.station import load_station
    from harness.session import check_operator

    check_operator(operator)

    on = load_station(station_path)
    project = load_project(plan_path, on, values, sku=Path(sku) if sku else None, begin_at=begin_at)
    tell_broken()
    if not simulate:
        _refuse_missing_secrets(on)
    rate = float("inf") if virtual else speed or 1.0
    return conduct(
        RunRequest(
            project=project,
            serial=unit,
            operator=operator,
            data_dir=folder,
            is_simulated=simulate,
            rate=rate,
            seed=seed,
            faults=faults,
            as_json=as_json,
            resume=again.path if again is not None else None,
            hold_on_fail=hold_on_fail,
        )
    )


def _refuse_missing_secrets(on: StationProject) -> None:
    """ProblemsError before anything is contacted, when a secret of the station is missing or wrong."""
    from harness.project.checks.secrets import secret_problems
    from harness.schema.problems import Problems

    found = Problems()
    found.extend(secret_problems(on))
    found.raise_if_any()


def _find_interrupted(data: Path, wanted: str | None) -> RunSummary | None:
    if wanted is None:
        return None
    from harness.record.index import find_run, summarise

    return summarise(find_run(data, wanted))


def _ask_serial(*, simulate: bool, as_json: bool) -> str:
    if simulate:
        return SIMULATED_SERIAL
    from harness.cli.ui.terminal import can_ask

    if as_json or not can_ask():
        raise ConfigError("no serial number, and no terminal to ask for it", hint="give it with --serial SN")
    while True:
        try:
            return check_serial(click.prompt("Serial number of the rack", type=str).strip())
        except ConfigError as error:
            aside(str(error))
        except UnicodeDecodeError:
            aside("that is no UTF-8: set the terminal, or the scanner, to UTF-8")
