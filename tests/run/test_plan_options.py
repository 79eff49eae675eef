"""Rows of outlets, a run that begins at a step, and values of a kind of rack."""

from __future__ import annotations

import pytest

from harness.record.verification import verify
from tests.keys.run_bench import check_bench, run_bench
from tests.run.plan_language import LONG, SHORT, files


def switched(*outlets):
    """A plan that switches these on, and what it told the PDU until the rack was made safe."""
    return files({"step": "power_on", "name": "it", "outlets": outlets[0] if len(outlets) == 1 else list(outlets)})


@pytest.mark.parametrize(
    ("outlets", "rows"),
    [
        (["pdu.outlet[2]"], [2]),
        (["pdu.outlet[1-2]"], [1, 2]),
        (["pdu.outlet[2,1]"], [2, 1]),
        (["pdu.outlet[2]", "pdu.outlet[1]"], [2, 1]),
        (["pdu.outlet[1-2]", "pdu.outlet[1]"], [1, 2]),
    ],
)
def test_rows_and_lists_of_outlets_are_switched_in_their_order(outlets, rows, tmp_path):
    ran = run_bench(tmp_path, switched(*outlets))
    on = [event.text for event in ran.events if event.kind == "intent" and event.text.endswith(" on")]
    assert on == [f"pdu: outlet[{row}] on" for row in rows]


@pytest.mark.parametrize(
    ("outlets", "said"),
    [
        ("pdu.outlet[1-3]", "HX-1307 unknown control 'pdu.outlet[3]'"),
        ("pdu.outlet[0-1]", "HX-1307 unknown control 'pdu.outlet[0]'"),
        ("pdu.outlet[2-1]", "HX-1206 'pdu.outlet[2-1]' is not a control, rows are written like"),
        ("pdu.outlet[1-]", "HX-1206 'pdu.outlet[1-]' is not a control, rows are written like"),
        ("pdu.outlet[1-9999999]", "HX-1206"),
        (["pdu.outlet[1]", "pdu.outlt[2]"], "HX-1307 unknown control 'pdu.outlt[2]'"),
    ],
)
def test_rows_that_are_not_there_are_one_line(outlets, said, tmp_path):
    shown = check_bench("plan.yaml")(tmp_path, files({"step": "power_on", "outlets": outlets}))
    lines = [line for line in shown.splitlines() if line.startswith("plan.yaml:") and "HX-" in line]
    assert len(lines) == 1, shown
    assert said in lines[0]


def begun(at, **more):
    """A run that begins at a step."""
    return files({"group": "cold", "steps": [SHORT, LONG]}, {**SHORT, "name": "after"}, begin_at=at, **more)


@pytest.mark.parametrize("at", ["cold / long", "steps/cold/long", "cold/long"])
def test_a_run_that_begins_at_a_step_is_an_engineering_run(at, tmp_path):
    ran = run_bench(tmp_path, begun(at))
    assert [each.name for each in ran.result.steps] == ["cold / long", "after", "end"]
    assert ran.result.left_out == {"steps/cold/short": "the run began at steps/cold/long"}
    assert ran.result.engineering == ("it began at steps/cold/long",)
    assert ran.result.word != "PASS"
    assert verify(ran.outcome.folder) == []


def test_a_run_that_hides_where_it_began_is_found_out(tmp_path):
    ran = run_bench(tmp_path, begun("after"))
    record = ran.outcome.folder / "result.json"
    text = record.read_text()
    for old, new in (('"begun_at": "steps/after"', '"begun_at": ""'), ('"it began at steps/after"', "")):
        assert old in text
        text = text.replace(old, new)
    record.write_text(text)
    assert any("an ENGINEERING RUN by the journal" in each for each in verify(ran.outcome.folder))


def test_the_set_up_is_always_carried_out(tmp_path):
    ran = run_bench(tmp_path, begun("after", plan__setup=[{**SHORT, "name": "first"}]))
    assert [each.name for each in ran.result.steps] == ["first", "after", "end"]


def test_a_step_that_is_not_there_is_one_line(tmp_path):
    ran = run_bench(tmp_path, begun("cold / lnog"))
    assert "HX-1357 the plan has no such step, did you mean 'cold / long'?" in ran.error


SKU = {"schema": 1, "sku": "big", "parameters": {"time": "7 s"}}
TIMED = {"plan__parameters": {"time": {"default": "5 s", "max": "8 s"}}}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"tmie": "7 s"}, "sku.yaml:1:52: HX-1331 tmie: the plan has no such parameter, did you mean 'time'?"),
        ({"time": "7 kPa"}, "sku.yaml:1:52: HX-1332 time: 7 kPa is a pressure, a time like 8 s is needed"),
    ],
)
def test_what_is_wrong_in_a_file_of_parameters_has_its_place_there(values, said, tmp_path):
    sku = {**SKU, "parameters": values}
    ran = run_bench(tmp_path, files({**SHORT, "for": "${time}"}, sku=sku, **TIMED))
    assert said in ran.error, ran.error
    assert ran.error.count("HX-") == 1


BOUNDED = [("7 s", {}, 0), ("9 s", {}, 1), ("9 s", {"time": "6 s"}, 0)]


@pytest.mark.parametrize(("values", "settings", "reasons"), BOUNDED)
def test_values_of_a_kind_of_rack_are_judged_by_the_bounds_of_the_plan(values, settings, reasons, tmp_path):
    sku = {**SKU, "parameters": {"time": values}}
    ran = run_bench(tmp_path, files({**SHORT, "for": "${time}"}, sku=sku, set=settings, **TIMED))
    assert len(ran.result.engineering) == reasons
    assert ran.result.changes == [f"time {settings.get('time', values)}, plan 5 s"]
    assert {each.role for each in ran.result.inputs} >= {"parameters"}
    assert verify(ran.outcome.folder) == []
