"""`harness ctl`: control a run from another terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from harness.cli.inputs import data_option, records_folder
from harness.cli.terminal import say

ACTIONS = ("status", "pause", "continue", "skip", "retry", "abort", "reset-trip")


@click.command(short_help="Control a run that goes on.")
@click.argument("action", type=click.Choice(ACTIONS))
@click.argument("name", required=False, default="")
@click.option("--run", "run_id", metavar="RUN", help="Which run, when several go on: its id or a part of it.")
@click.option("--yes", is_flag=True, help="Do not ask before abort.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@data_option
def ctl(action: str, name: str, run_id: str | None, *, yes: bool, as_json: bool, data: str | None) -> int:
    """Control a run from another terminal: what ACTION asks is in the run's record, with who and when.

    pause holds the steps where they are (their clocks stop, interlocks stay live), continue lets them go on, skip ends
    the present step (the run can then no longer PASS), retry begins it again, abort makes the rack safe, reset-trip
    NAME lets a trip go whose cause is gone.
    """
    from harness.engine.control import ask
    from harness.errors import ConfigError, RunError

    if (action == "reset-trip") != bool(name):
        raise ConfigError(
            "reset-trip needs the name of the interlock" if not name else f"{action} takes no name",
            hint="`harness ctl status` lists the trips",
        )
    path = _find(data, run_id)
    if action == "abort" and not yes and not as_json:
        click.confirm("Abort the run and make the rack safe?", abort=True)
    answer = ask(path, {"do": action, "name": name})
    if as_json:
        say(json.dumps(answer))
        return 0 if answer.get("ok") else 6
    if not answer.get("ok"):
        raise RunError(str(answer.get("said", "refused")))
    if answer.get("said"):
        say(str(answer["said"]))
    if action == "status":
        _show(answer["status"])
    return 0


def _find(data: str | None, wanted: str | None) -> Path:
    from harness.engine.control import live_runs
    from harness.engine.lock import runtime_dir
    from harness.errors import RunError

    runs = live_runs(runtime_dir(records_folder(data)))
    fitting = [(path, status) for path, status in runs if wanted is None or wanted in status["run"]]
    if len(fitting) == 1:
        return fitting[0][0]
    if not fitting:
        raise RunError(
            "no run goes on here" if wanted is None else f"no run {wanted!r} goes on here",
            hint="`harness ctl` reaches runs of the same user, runtime folder and data folder",
        )
    names = ", ".join(status["run"] for _, status in fitting)
    raise RunError(f"{len(fitting)} runs go on: {names}", hint="name one with --run")


def _show(status: dict[str, Any]) -> None:
    held = " (held)" if status["is_paused"] else ""
    say(f"{status['run']}  {status['plan']} on {status['station']}, serial {status['serial']}{held}")
    if status["reason"]:
        say(f"{status['verdict']}: {status['reason']}")
    elif status["held_after"]:
        say(f"held after {status['held_after']}: retry, skip, continue or abort")
    elif status["step"]:
        where = f"{status['steps_done'] + 1} of {status['steps']}"
        text = f", {status['text']}" if status["text"] else ""
        say(f"step {where}: {status['step']}, {100 * status['progress']:.0f} %, {status['step_s']:.0f} s{text}")
    for trip in status["trips"]:
        say(f"tripped: {trip}")
