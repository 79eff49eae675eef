"""What a run has set and not set back is named at its end: on the screen, in the report, in the record."""

from __future__ import annotations

from typing import Any

import pytest

from harness.cli.ui.verdict_block import few, plain_block, result_json
from harness.device.confirm import Outcome
from harness.device.points import ControlPoint
from harness.device.setting import Setting
from harness.engine.still_set import StillSet
from harness.schema.profiles.modbus import ModbusControl
from tests.keys.rack import FILES
from tests.keys.rows import changed, parsed
from tests.keys.run_bench import run_bench
from tests.keys.test_power_step_keys import HOLDS, REDUNDANT
from tests.keys.test_provoking_keys import ASKED, LEAK, PUMPS, WALK

POWER, TRIP = "holding/1", ["it", 4, "pdu", "holding/1", 20000]
PUMP = "cdu.pump off (set by step 'it', before: on)"


def played(folder, plan: dict[str, Any], *more: list[Any]):
    """A plan of the small rack, in the middle of whose step the power trips the interlock."""
    files = {name: parsed(text) for name, text in FILES.items()}
    for place, value in {**plan, "wire": [*plan.get("wire", []), *more]}.items():
        files = changed(files, place, value)
    ran = run_bench(folder, files)
    assert not ran.error, ran.error
    return ran


@pytest.mark.parametrize(
    ("plan", "line"),
    [
        (HOLDS, PUMP),
        (WALK, PUMP),
        (PUMPS, PUMP),
        (LEAK, "load.fan 20 % (set by step 'it', before: 0 %)"),
        (ASKED, "by hand: Wet it! (asked for by step 'it')"),
    ],
    ids=["hold_up", "alarm_walk", "pump_failover", "leak_interlock_proof", "by hand"],
)
def test_after_a_trip_what_a_step_provoked_is_named_everywhere(plan, line, tmp_path):
    second = 14 if plan is PUMPS else 8 if plan is HOLDS else 2
    ran = played(tmp_path, plan, ["it", second, *TRIP[2:]])
    assert ran.result.verdict == "TRIPPED", ran.result.reason
    assert list(ran.result.still_set) == [line]
    assert line in ran.report.partition("Still set")[2]
    assert f"still   set: {line}" in plain_block(ran.outcome)
    assert result_json(ran.outcome)["still_set"] == [line]
    assert [each.text for each in ran.events if each.text.startswith("still set")] == [f"still set: {line}"]


@pytest.mark.parametrize("plan", [HOLDS, WALK, REDUNDANT])
def test_a_run_that_gives_back_leaves_nothing(plan, tmp_path):
    ran = played(tmp_path, plan)
    assert ran.result.still_set == ()
    assert "Still set" not in ran.report
    assert "set: " not in plain_block(ran.outcome)


def test_what_could_not_be_set_back_is_named(tmp_path):
    """The cooling unit does not obey any more: the pump stays off although nothing tripped."""
    ran = played(tmp_path, HOLDS, ["it", 9, "cdu", "stuck", True])
    assert ran.result.verdict == "ERROR", ran.result.reason
    assert list(ran.result.still_set) == [PUMP.replace("pump", "pump may be")]


def test_the_screen_names_some_and_counts_the_rest():
    assert few(["a", "b"], most=2) == ["a", "b"]
    assert few(["a", "b", "c", "d"], most=2) == ["a", "b", "and 2 more: see `harness report`"]


# --- what counts as set back

WORDS = ModbusControl.model_validate({"address": 1, "commands": {"off": 0, "on": 1}, "confirm": {"signal": "test"}})
BLIND = ModbusControl.model_validate({"address": 1, "commands": {"off": 0, "on": 1}})
VOLTS = ModbusControl.model_validate(
    {"address": 1, "unit": "V", "confirm": {"signal": "volts", "tolerance": "0.01 V"}, "range": [40, 60]}
)
KEY = ("psu", "test")


def lines(control, *settings, was=None, covered=()):
    still = StillSet()
    point = ControlPoint("test", control)
    for setting, outcome in settings:
        still.commanded(KEY, point, setting, "it", outcome)
    return still.lines({KEY: (point, was)} if was is not None else {}, covered)


ON, OFF = Setting(word="on"), Setting(word="off")
DONE = Outcome("test", is_confirmed=True)
SILENT, REFUSED = Outcome("test", is_confirmed=False, error="no answer"), Outcome("test", False, None, "refused: busy")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ([(ON, DONE)], "on"),
        ([(ON, None)], "on"),
        ([(ON, SILENT)], "on"),
        ([(ON, REFUSED)], ""),
        ([(ON, DONE), (OFF, DONE)], ""),
        ([(ON, DONE), (OFF, SILENT)], "may be on"),
        ([(ON, DONE), (OFF, REFUSED)], "on"),
        ([(ON, DONE), (OFF, None)], "may be on"),
        ([(OFF, DONE), (ON, None)], "may be on"),
        ([(ON, DONE), (OFF, None), (OFF, DONE)], ""),
    ],
)
def test_a_word_is_back_when_that_is_confirmed(settings, named):
    line = [f"psu.test {named} (set by step 'it', before: off)"] if named else []
    assert lines(WORDS, *settings, was=OFF) == line
    assert lines(WORDS, *settings, was=OFF, covered={KEY}) == []


def test_where_nobody_knows_how_it_was_another_word_than_the_first_is_back():
    said = Outcome("test", is_confirmed=False, error="no confirming signal")
    assert lines(BLIND, (ON, said)) == ["psu.test on (set by step 'it', before: not known)"]
    assert lines(BLIND, (ON, said), (OFF, said)) == []


@pytest.mark.parametrize(("volts", "is_named"), [(50.009, False), (50.02, True)])
def test_a_number_is_back_within_its_tolerance(volts, is_named):
    assert bool(lines(VOLTS, (Setting(52.0), DONE), (Setting(volts), DONE), was=Setting(50.0))) is is_named


def test_a_number_that_never_could_be_read_is_over():
    assert lines(VOLTS, (Setting(50.0), DONE)) == []
