"""A workload that is broken off: by a trip, by Ctrl-C, by the death of the run. Nothing of it is left, nobody waits."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from harness.record.index import list_runs
from tests.integration.cli_tools import spoken
from tests.keys.rack import FILES, ON
from tests.keys.rows import changed, parsed
from tests.keys.run_bench import Ran, run_bench, step
from tests.processes import own_number, running, soon

STUBBORN = "trap '' TERM HUP INT; sleep {n} & (trap '' TERM; sleep {n}) & while :; do sleep {n}; done"
"""A program that obeys no signal, with children that do not either."""


def on_station(number: str, **keys: Any) -> dict[str, Any]:
    """A workload on the station that would run for ever."""
    command = ["sh", "-c", STUBBORN.format(n=number)]
    given = {"step": "workload", "name": "it", "driver": "command", "command": command, "grace": "1 s"}
    return {**given, **({} if {"for", "within"} & set(keys) else {"within": "100 s"}), **keys}


def run_it(folder: Path, *steps: dict[str, Any], **more: Any) -> Ran:
    """These steps on the small rack, its outlets on, in real time."""
    files = {name: parsed(text) for name, text in FILES.items()}
    return run_bench(folder, changed({**files, "rate": 1.0, **more}, "plan/steps", [ON, *steps]))


def test_a_program_that_obeys_no_signal_is_killed_after_its_grace(tmp_path: Path) -> None:
    number = own_number()
    ran = run_it(tmp_path, on_station(number, **{"for": "1 s"}))
    assert step(ran, "it").verdict == "PASS", step(ran, "it").reason
    assert not running(number)


def test_a_program_that_hangs_is_the_stations_own_fault(tmp_path: Path) -> None:
    number = own_number()
    ran = run_it(tmp_path, on_station(number, within="1 s"))
    assert (step(ran, "it").verdict, step(ran, "it").reason) == ("ERROR", "station: it did not end within 1 s")
    assert not running(number)


def test_a_trip_does_not_wait_for_the_workload_and_leaves_none(tmp_path: Path) -> None:
    number = own_number()
    ran = run_it(tmp_path, on_station(number), wire=[["it", 1, "pdu", "holding/1", 20000]])
    assert str(ran.result.verdict) == "TRIPPED"
    stop = next(each.mono for each in ran.events if each.kind == "stop")
    off = next(each.mono for each in ran.events if each.kind == "intent" and each.mono >= stop)
    assert off - stop < 1.0
    assert not running(number)
    about = json.loads((ran.outcome.folder / "workloads/001/workload.json").read_text())
    assert about["command"][0] == "sh"


PLAN = """\
schema: 1
plan: broken-off
steps:
  - {step: workload, name: it, driver: command, within: 100 s, command: [sh, -c, "SCRIPT"], grace: 1 s}
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_the_run_no_process_is_left(number: signal.Signals, tmp_path: Path) -> None:
    word = own_number()
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN.replace("SCRIPT", STUBBORN.format(n=word)))
    with spoken("run", str(plan), "--simulate", data=tmp_path) as run:
        run.wait_for("it: started")
        assert soon(lambda: len([line for line in running(word) if line.startswith("sleep")]) >= 2, 15)
        began = time.monotonic()
        run.send(number)
        assert run.end(60) == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
        assert time.monotonic() - began < 30
    # a run that is dead says nothing: its stdin is closed, and after the grace everything is killed
    assert soon(lambda: not running(word), 5 if number == signal.SIGKILL else 0.5), running(word)
    if number != signal.SIGKILL:
        (last,) = list_runs(tmp_path)
        assert json.loads((last.path / "result.json").read_text())["verdict"] == "ABORTED"


def test_real_programs_are_refused_where_time_is_not_real(tmp_path: Path) -> None:
    files = {name: parsed(text) for name, text in FILES.items()}
    ran = run_bench(tmp_path, changed(files, "plan/steps", [on_station(own_number())]))
    assert step(ran, "it").verdict == "ERROR"
    assert "they know only real time" in step(ran, "it").reason
