"""`harness ctl` from a second terminal, against `harness run` with a simulator of its own."""

from __future__ import annotations

import json
import os

import pytest

from harness.record.index import list_runs
from harness.telemetry.reading import open_for_reading
from tests.chaos.killing import yard
from tests.chaos.stops import _start, _wait_for_step
from tests.integration import forked
from tests.integration.guarded_tools import OUTLETS, until


def ctl(place, *arguments):
    """(exit code, output) of `harness ctl`."""
    work = forked.command("ctl", *arguments, "--data", place.folder / "data")
    code, out, errors = forked.run(work, place.env, timeout=30)
    return code, out + errors


def test_ctl_from_a_second_terminal(tmp_path):
    with yard(tmp_path) as place:
        code, said = ctl(place, "status")
        assert code == 6
        assert "no run goes on" in said
        process = _start(place, place.plan)
        try:
            _wait_for_step(process)
            until(lambda: place.outlets_on() == OUTLETS, 20)
            until(lambda: json.loads(ctl(place, "status", "--json")[1])["status"]["step"] == "hold", 20)
            assert ctl(place, "pause")[0] == 0
            answer = json.loads(ctl(place, "status", "--json")[1])
            assert answer["status"]["is_paused"]
            assert ctl(place, "reset-trip")[0] == 2
            assert ctl(place, "reset-trip", "leak")[0] == 6
            assert ctl(place, "continue")[0] == 0
            assert ctl(place, "abort", "--yes")[0] == 0
            process.communicate(timeout=30)
        finally:
            process.kill()
            process.communicate()
        assert process.returncode == 130
        assert place.outlets_on() == 0
        (last,) = list_runs(place.folder / "data")
        assert last.verdict == "ABORTED"
        with open_for_reading(last.path / "journal.db") as reader:
            reported = [(each.data["command"], each.data["done"]) for each in reader.events("operator")]
        assert reported == [("pause", True), ("reset-trip", False), ("continue", True), ("abort", True)]


@pytest.mark.parametrize("action", ["explode", ""])
def test_unknown_actions_are_refused(tmp_path, action):
    code, _, _ = forked.run(forked.command("ctl", *([action] if action else []), "--data", tmp_path), dict(os.environ))
    assert code == 2
