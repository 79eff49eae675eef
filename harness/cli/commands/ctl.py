"""`harness ctl`: control a run from another terminal."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.inputs import data_option, records_folder
from harness.cli.ui.aside import aside
from harness.cli.ui.terminal import say

if TYPE_CHECKING:
    from harness.safety.lock import Holder

ACTIONS = ("status", "pause", "continue", "skip", "retry", "abort", "reset-trip", "note")
_TAKES = {
    "reset-trip": ("the name of the interlock", "`harness ctl status` lists the trips"),
    "note": ("your words", 'write it like `harness ctl note "hose 3 was changed"`'),
}
_WITHIN_S = 5.0
_TEXTS = ("run", "station", "plan", "serial", "verdict", "reason", "step", "held_after", "text")
_NUMBERS = ("held_s", "step_s", "progress", "attempt", "steps_done", "steps")


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
    the present step (the run can then no longer PASS), retry begins it again (a FAIL counts all the same unless the
    plan allows more attempts), abort makes the rack safe, reset-trip NAME lets a trip go whose cause is gone, note
    TEXT puts your words into the record. Everybody may see the status of every run of this machine; a run obeys its
    own user and root. With --data or $HARNESS_DATA only runs count whose records are in that folder; one named by --run
    is found wherever its record is.
    """
    from harness.errors import ConfigError

    if action in _TAKES and not name:
        raise ConfigError(f"{action} needs {_TAKES[action][0]}", hint=_TAKES[action][1])
    if name and action not in _TAKES:
        raise ConfigError(f"{action} takes no name", hint=f"{' and '.join(_TAKES)} take one")
    found = _find(data, run_id)
    if action == "status":
        return _show_all(found, as_json=as_json)
    holder = _one(found)
    if action == "abort" and not yes and not as_json:
        click.confirm("Abort the run and make the rack safe?", abort=True)
    return _command(holder, {"do": action, "name": name}, as_json=as_json)


def _find(data: str | None, wanted: str | None) -> list[Holder]:
    from harness.errors import RunError
    from harness.safety.lock import runs_on_this_machine

    records = _records(data, wanted)
    every = [holder for holder in runs_on_this_machine() if wanted is None or wanted in holder.run]
    found = [holder for holder in every if records is None or os.path.isdir(records / holder.run)]
    if not found:
        where = "here" if records is None else f"whose record is in {records.parent}"
        elsewhere = (
            f"; {', '.join(holder.run for holder in every)} goes on elsewhere: name it with --run" if every else ""
        )
        raise RunError(
            f"no run goes on {where}" if wanted is None else f"no run {wanted!r} goes on {where}",
            hint=f"`harness ctl` reaches the runs in real time of this machine{elsewhere}",
        )
    return found


def _records(data: str | None, wanted: str | None) -> Path | None:
    """The folder that runs must have their records in: the one that is named, here or in the environment.

    None: any. Who names a run by `--run` means it wherever its record is, unless `--data` says where.
    """
    if data is None and (wanted is not None or not os.environ.get("HARNESS_DATA")):
        return None
    return records_folder(data) / "runs"


def _one(found: list[Holder]) -> Holder:
    """The run that a command is meant for: the only one that would obey, else the only one at all."""
    from harness.errors import RunError
    from harness.safety.names import may_command

    for fitting in ([each for each in found if may_command(each.peer)], found):
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            names = "; ".join(_in_a_line(each) for each in fitting)
            raise RunError(f"{len(fitting)} runs go on: {names}", hint="name one with --run")
    raise AssertionError("nobody was found")


def _in_a_line(holder: Holder) -> str:
    said = holder.said
    plan = f"{said['plan']}, " if said.get("plan") else ""
    doing = "its guardian acts" if holder.doing == "guardian" else said.get("step") or "starts"
    return f"{holder.run} ({plan}{doing}; {holder.who})" if said else f"{holder.run}: {holder}"


def _command(holder: Holder, command: dict[str, str], *, as_json: bool) -> int:
    from harness.errors import RunError

    answer = _ask(holder, command)
    if as_json:
        say(json.dumps(answer))
        return 0 if answer["ok"] else 6
    if not answer["ok"]:
        raise RunError(answer["said"] or "refused")
    if answer["said"]:
        say(answer["said"])
    return 0


def _show_all(found: list[Holder], *, as_json: bool) -> int:
    """The status of every run that was found; 6 when none of them answers."""
    from harness.errors import RunError

    code = 6
    for holder in found:
        try:
            answer = _ask(holder, {"do": "status"})
        except RunError as error:
            aside(str(error))
            continue
        if not answer["status"]:
            said = answer["said"] or f"{holder.who} does not answer like a run"
            aside(f"{holder.run}: {said}")
            continue
        code = 0
        if as_json:
            say(json.dumps(answer))
        else:
            _show(answer["status"], holder)
    return code


def _ask(holder: Holder, command: dict[str, str]) -> dict[str, Any]:
    """A run's answer, as far as it has the shape of one. RunError when nobody answers, or somebody who is no run."""
    from harness.errors import RunError
    from harness.safety.names import ask

    found = ask(holder.name, command, _WITHIN_S)
    if found is None:
        raise RunError(f"{holder.run} has ended")
    peer, answer = found
    if answer is None and not holder.said:
        raise RunError(f"{holder.run}: {holder}", hint=holder.hint)
    shaped = _shaped(answer)
    if shaped is None or peer.uid != holder.peer.uid:
        raise RunError(f"{holder.run}: {peer} does not answer like a run", hint="ask that user what it is")
    return shaped


def _shaped(answer: dict[str, Any] | None) -> dict[str, Any] | None:
    """An answer with what is known of it, every text on one line; None when it is none of a run."""
    if answer is None or not isinstance(answer.get("ok"), bool) or not isinstance(answer.get("said", ""), str):
        return None
    status = answer.get("status")
    if not _is_status(status) and (status is not None or answer["ok"]):
        return None
    shown = {key: _plain(value) for key, value in status.items()} if status else None
    return {"ok": answer["ok"], "said": _plain(answer.get("said", "")), "status": shown}


def _is_status(status: Any) -> bool:
    return (
        isinstance(status, dict)
        and all(isinstance(status.get(key), str) for key in _TEXTS)
        and all(isinstance(status.get(key), int | float) for key in _NUMBERS)
        and isinstance(status.get("is_paused"), bool)
        and isinstance(status.get("trips"), list)
    )


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(char if char.isprintable() else "?" for char in value[:500])
    if isinstance(value, list):
        return [_plain(item) for item in value[:100]]
    return value if isinstance(value, int | float | bool) else None


def _show(status: dict[str, Any], holder: Holder) -> None:
    from harness.safety.names import may_command

    held = " (held)" if status["is_paused"] else ""
    owner = "" if may_command(holder.peer) else f", of {holder.peer.user}"
    say(f"{status['run']}  {status['plan']} on {status['station']}, serial {status['serial']}{owner}{held}")
    if status.get("engineering"):
        say(f"ENGINEERING RUN, no certificate: {'; '.join(map(str, status['engineering']))}")
    if status["reason"]:
        say(f"{status['verdict']}: {status['reason']}")
    elif status["held_after"]:
        say(f"held after {status['held_after']}: retry, skip, continue or abort")
    elif status["step"]:
        where = f"{status['steps_done'] + 1} of {status['steps']}"
        text = f", {status['text']}" if status["text"] else ""
        again = f", attempt {status['attempt']}" if status["attempt"] > 1 else ""
        say(f"step {where}: {status['step']}{again}, {100 * status['progress']:.0f} %, {status['step_s']:.0f} s{text}")
    for trip in status["trips"]:
        say(f"tripped: {trip}")
