"""What records say of runs that were killed, and what a resume believes of the clock: real processes, `kill -9`."""

from __future__ import annotations

import itertools
import os
import signal
import time
from pathlib import Path

import pytest

from harness.record.index import list_runs
from harness.record.result import Result
from harness.record.verification import verify
from harness.telemetry.reading import open_for_reading
from tests.chaos.killing import yard
from tests.integration import forked
from tests.integration.guarded_tools import OUTLETS, ROOT, guardian_log, said, until

SOAK = """
schema: 1
plan: soaked
coverage: 10 %
steps:
  - {step: power_on, outlets: pdu.outlet, stagger: 50 ms}
  - {step: set, name: flow, control: cdu.flow_setpoint, to: 35 L/min}
  - step: soak
    for: 10 s
    on_interruption: credit
    longest_gap: 60 s
    watch:
      - {signal: cdu.supply_temperature, max: 90 degC}
"""
OTHER_CLOCK = """
import os, sys, time
if "harness.engine.context" in sys.modules:
    sys.modules["harness.engine.context"].CHECKPOINT_EVERY_S = 1.0
_ns, _s, _by = time.time_ns, time.time, float(os.environ.get("CLOCK_STEPPED_BY", "0"))
time.time_ns = lambda: _ns() + int(_by * 1e9)
time.time = lambda: _s() + _by
"""


def harness(place, *arguments):
    """Output of a command of the harness, both channels."""
    _, out, errors = forked.run(forked.command(*arguments, "--data", place.folder / "data"), place.env)
    return out + errors


def set_clock(place, stepped):
    """Let processes that are started from now on see another wall clock, and note every second how far a soak is."""
    lie = place.folder / "clock"
    lie.mkdir(exist_ok=True)
    (lie / "sitecustomize.py").write_text(OTHER_CLOCK)
    place.env |= {"PYTHONPATH": f"{lie}{os.pathsep}{ROOT}", "CLOCK_STEPPED_BY": str(stepped)}


def start(place, **more):
    """Start a run and wait until its outlets are on in the truth."""
    process = place.run(**more)
    folder = Path(said(process)["folder"])
    until(lambda: place.outlets_on() == OUTLETS, 60)
    return process, folder


def reported(place):
    """What `runs`, `report` and `verify` say of the one run."""
    return [harness(place, "runs"), harness(place, "report", "last"), harness(place, "verify", "last")]


def test_a_run_is_running_and_then_made_safe_by_its_guardian(tmp_path):
    with yard(tmp_path) as place:
        process, folder = start(place)
        assert all("RUNNING" in text and "INTERRUPTED" not in text for text in reported(place)), reported(place)
        process.kill()
        process.wait()
        until(lambda: place.outlets_on() == 0, 20)
        place.await_guardian(folder)
        for text in reported(place):
            assert "INTERRUPTED" in text, text
            assert "its guardian took over at 20" in text, text
            assert "made the rack safe: confirmed at 20" in text, text
            assert "sequence default" in text, text
        assert place.outlets_on() == 0


def test_a_run_whose_guardian_died_too_says_that_nobody_made_it_safe(tmp_path):
    with yard(tmp_path) as place:
        process, folder = start(place)
        guardian = next(int(line["pid"]) for line in guardian_log(folder) if line["kind"] == "start")
        os.kill(guardian, signal.SIGKILL)
        process.kill()
        process.wait()
        time.sleep(1.0)
        is_live = place.outlets_on() > 0
        for text in reported(place):
            assert "INTERRUPTED" in text, text
            assert ("look at the rack" in text) == is_live, text
        assert is_live, "both were killed at once: nobody was left"


def test_an_outlet_that_cannot_be_switched_off_is_told(tmp_path):
    with yard(tmp_path) as place:
        process, _ = start(place)
        place.ask("inject outlet_stuck:2")
        process.kill()
        process.wait()
        until(lambda: place.outlets_on() == 1, 20)
        until(lambda: "NOT CONFIRMED" in harness(place, "runs"), 30)
        for text in reported(place):
            assert "NOT CONFIRMED" in text, text
            assert "outlet[2]" in text, text
            assert "look at the rack" in text, text


@pytest.mark.parametrize(("stepped", "credited"), [(0.0, True), (-7200.0, False)])
def test_a_soak_is_credited_only_for_a_gap_that_is_proved(tmp_path, stepped, credited):
    with yard(tmp_path) as place:
        place.plan.write_text(SOAK)
        set_clock(place, 0.0)
        process, folder = start(place)
        until(lambda: reached(folder) >= 5.0, 60)
        process.kill()
        process.wait()
        place.await_guardian(folder)
        set_clock(place, stepped)
        second = place.run(resume=folder)
        said(second)
        ended = said(second)
        assert ended["verdict"] == "PASS", ended
        result = Result.from_bytes((folder / "result.json").read_bytes())
        words = "\n".join(event.text for event in result.events)
        assert ("of the soak are credited" in words) == credited, words
        assert ("unknown time" in words) == (not credited), words
        assert ("unknown time" in " ".join(result.notes)) == (not credited)
        assert result.started < result.ended
        assert "its guardian took over" in words
        assert verify(folder) == []
        with open_for_reading(folder / "journal.db") as reader:
            stamps, _, _ = reader.series("cdu.supply_temperature")
            begun = [event.mono for event in reader.events("step") if event.data["kind"] == "soak"]
            over = [event.mono for event in reader.events("step end") if event.data["kind"] == "soak"]
        assert (over[-1] - begun[-1] >= 10.0) == (not credited)
        steps = [b - a for a, b in itertools.pairwise(stamps)]
        assert min(steps) > 50_000_000, "readings stand as far apart as they were taken"
        assert [one.verdict for one in list_runs(place.folder / "data")] == ["PASS"]


def reached(folder: Path) -> float:
    """How far the soak says that it is in its newest checkpoint, seconds; with the time since then."""
    with open_for_reading(folder / "journal.db") as reader:
        frames = [frame.frame.mono for frame in reader.frames()]
        begun = [event.mono for event in reader.events("step") if event.data.get("kind") == "soak"]
    return frames[-1] - begun[-1] if begun and frames else 0.0


def test_a_start_with_a_clock_of_1970_is_said_and_is_still_the_last_run(tmp_path):
    with yard(tmp_path) as place:
        place.plan.write_text(SOAK.replace("10 s", "1 s"))
        first = place.run()
        said(first)
        assert said(first)["verdict"] == "PASS"
        set_clock(place, 121 - time.time())
        second = place.run()
        folder = Path(said(second)["folder"])
        assert said(second)["verdict"] == "PASS"
        assert folder.name.startswith("1970-01-01")
        words = [event.text for event in Result.from_bytes((folder / "result.json").read_bytes()).events]
        assert any("the system's clock says 1970-01-01" in text and "set the clock" in text for text in words)
        assert harness(place, "verify", "last").startswith(folder.name)
