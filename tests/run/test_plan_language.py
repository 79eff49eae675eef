"""Groups, passes, values, branches, included files, conditions and retries: carried out, resumed, shown, refused."""

from __future__ import annotations

import json

import pytest

from harness.record.verification import verify
from tests.keys.plans import LOOK, flow, leak
from tests.keys.rack import FILES
from tests.keys.rows import changed, parsed
from tests.keys.run_bench import check_bench, run_bench

SEQUENCE = {
    "schema": 1,
    "sequence": "point",
    "title": "point",
    "parameters": {"flow": {"type": "flow"}},
    "steps": [
        {"step": "set", "name": "set", "control": "cdu.setpoint", "to": "${flow}"},
        {"step": "hold", "name": "wait", "for": "5 s"},
    ],
}
LONG, SHORT = {"step": "hold", "name": "long", "for": "9 s"}, {"step": "hold", "name": "short", "for": "4 s"}
BAD = {"step": "check", "name": "bad", "on_fail": "continue", "conditions": [{"signal": "cdu.leak", "equals": "wet"}]}
FAST = {"signal": "cdu.flow", "min": "150 L/min"}
SET_Q = {"step": "set", "control": "cdu.setpoint", "to": "${q}"}
CONSTRUCTS = {
    "group": ([{"group": "cold", "steps": [SHORT, LONG]}], "cold / long", ["cold / short", "cold / long"]),
    "repeat": (
        [{"repeat": 3, "name": "cycle", "steps": [LONG]}],
        "cycle 2 / long",
        ["cycle 1 / long", "cycle 2 / long", "cycle 3 / long"],
    ),
    "sweep": (
        [{"sweep": {"flow": ["60 L/min", "80 L/min"]}, "name": "curve",
          "steps": [{"include": "sequence.yaml", "with": {"flow": "${flow}"}}]}],
        "curve (flow=80 L/min) / point / wait",
        [f"curve (flow={q} L/min) / point / {step}" for q in (60, 80) for step in ("set", "wait")],
    ),
    "include": (
        [{"include": "sequence.yaml", "with": {"flow": "70 L/min"}}],
        "point / wait",
        ["point / set", "point / wait"],
    ),
    "parallel": (
        [{"parallel": "both", "steps": [LONG, {"group": "two", "steps": [SHORT, {**SHORT, "name": "shorter"}]}]}],
        "both / long",
        ["both / long", "both / two / short", "both / two / shorter"],
    ),
    "until": (
        [{"repeat": {"at_most": 4, "until": FAST}, "name": "fill", "steps": [LONG]}],
        "fill 2 / long",
        ["fill 1 / long", "fill 2 / long", "fill / until"],
    ),
    "when": (
        [BAD, {"group": "mend", "when": {"step": "bad", "verdict": "FAIL"}, "steps": [LONG]}],
        "mend / long",
        ["bad", "mend / long"],
    ),
}  # fmt: skip


def files(*entries, **more):
    """The small rack with a plan of these entries."""
    base = {name: parsed(text) for name, text in FILES.items()} | {"sequence": SEQUENCE}
    base = changed(base, "plan/steps", [*json.loads(json.dumps(entries)), LOOK])
    for place, value in more.items():
        base = changed(base, place.replace("__", "/"), value)
    return base


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_each_construct_is_carried_out_shown_and_resumed_in_its_middle(name, tmp_path_factory):
    entries, dies_in, wanted = CONSTRUCTS[name]
    more = {"wire": [flow(100), flow(160, "", 12)], "screen": True}
    whole = run_bench(tmp_path_factory.mktemp("whole"), files(*entries, **more))
    assert not whole.error
    assert sorted(each.name for each in whole.result.steps) == sorted([*wanted, "end"])
    paths = [each.path for each in whole.result.steps]
    assert len(set(paths)) == len(paths)
    assert all(path.startswith("steps/") for path in paths)
    assert verify(whole.outcome.folder) == []
    died = run_bench(tmp_path_factory.mktemp("died"), files(*entries, **more, die=[dies_in, 2]))
    assert not died.error
    assert died.result.verdict is whole.result.verdict
    again = [each.name for each in died.result.steps if each.attempt > 1]
    assert dies_in in again
    done = {path for path, each in zip(paths, whole.result.steps, strict=True) if each.name not in again}
    assert done <= {each.path for each in died.result.steps}
    assert name == "until" or died.result.left_out == whole.result.left_out  # it takes a pass more: time was lost
    assert verify(died.outcome.folder) == []


def test_what_runs_beside_each_other_is_on_the_screen_together(tmp_path):
    ran = run_bench(tmp_path, files({"parallel": "both", "steps": [LONG, {**LONG, "name": "other"}]}, screen=True))
    begun = [event.mono for event in ran.events if event.kind == "step"]
    assert begun[0] == begun[1]
    assert not ran.error


def test_branches_that_measure_keep_their_measurements_apart(tmp_path):
    branches = [
        {"step": "measure", "name": f"m{k}", "signal": "cdu.flow", "over": f"{k} s", "limit": {"min": "1 L/min"}}
        for k in (2, 5, 9)
    ]
    ran = run_bench(tmp_path, files({"parallel": "all", "steps": branches}))
    found = {each.name: [one.name for one in each.measurements] for each in ran.result.steps}
    assert found == {f"all / m{k}": [f"all / m{k}"] for k in (2, 5, 9)} | {"end": found["end"]}


def test_a_branch_that_fails_lets_the_others_end_their_step_and_no_more(tmp_path):
    failing = {"step": "check", "name": "fails", "conditions": [{"signal": "cdu.leak", "equals": "wet"}]}
    branches = [failing, {"group": "other", "steps": [LONG, SHORT]}]
    ran = run_bench(tmp_path, files({"parallel": "both", "steps": branches}))
    verdicts = {each.name: str(each.verdict) for each in ran.result.steps}
    assert verdicts == {
        "both / fails": "FAIL",
        "both / other / long": "PASS",
        "both / other / short": "SKIPPED",
        "end": "SKIPPED",
    }
    assert ran.result.verdict == "FAIL"


def test_skip_and_retry_are_refused_where_nobody_can_say_which_step_is_meant(tmp_path):
    asked = [["both / long", 2, "skip", ""]]
    ran = run_bench(tmp_path, files({"parallel": "both", "steps": [LONG, SHORT]}, ask=asked))
    assert [str(each.verdict) for each in ran.result.steps] == ["PASS"] * 3
    assert any("there is no skip beside each other" in event.text for event in ran.events)


def test_a_retry_hides_nothing(tmp_path):
    judged = {"step": "check", "name": "it", "conditions": [{"signal": "cdu.leak", "equals": "dry"}]}
    wet = [leak(2), leak(0, "", 8)]
    ran = run_bench(tmp_path, files({**judged, "retry": {"times": 2, "wait": "6 s"}}, wire=wet))
    assert [(each.attempt, str(each.verdict), each.asked_by) for each in ran.result.steps[:-1]] == [
        (1, "FAIL", ""),
        (2, "FAIL", "the plan"),
        (3, "PASS", "the plan"),
    ]
    assert ran.result.verdict == "PASS"
    assert "it at attempt 3 of 3, asked for by the plan" in ran.result.reason
    assert verify(ran.outcome.folder) == []


def test_a_repeat_that_never_gets_there_is_no_pass(tmp_path):
    until = {"repeat": {"at_most": 2, "until": {"signal": "cdu.flow", "min": "300 L/min"}}, "steps": [SHORT]}
    ran = run_bench(tmp_path, files(until))
    assert ran.result.verdict == "FAIL"
    assert "until" in ran.result.reason


def test_what_a_condition_leaves_out_is_said_and_no_proof_is_missing(tmp_path):
    ran = run_bench(tmp_path, files(BAD, {**LONG, "when": {"step": "bad", "verdict": "PASS"}}, SHORT))
    assert ran.result.left_out == {"long": "bad is FAIL"}
    record = ran.outcome.folder / "result.json"
    record.write_text(record.read_text().replace('"bad is FAIL"', '"nobody wanted it"'))
    assert any(
        "was left out (bad is FAIL), which result.json does not say" in each for each in verify(ran.outcome.folder)
    )


DEEP = SHORT
for _ in range(9):
    DEEP = {"group": "g", "steps": [DEEP]}
MISTAKES = {
    "no step at all": ({"sequence": []}, "HX-1206 this is no step, an entry has one of step, group, repeat"),
    "two at once": ({"group": "a", "repeat": 2, "steps": [SHORT]}, "this is group and repeat at once"),
    "no step in a group": ({"group": "a", "steps": [{"hold": 1}]}, "HX-1353 this is no step"),
    "an empty group": ({"group": "a", "steps": []}, "HX-1208"),
    "a wrong key inside": ({"repeat": 2, "steps": [{**SHORT, "watsh": 1}]}, "HX-1203 unknown key 'watsh'"),
    "an unknown signal inside": (
        {"repeat": 2, "steps": [{"step": "measure", "signal": "cdu.flaw", "limit": {"min": "1 L/min"}}]},
        "HX-1306 unknown signal 'cdu.flaw'",
    ),
    "a value that does not fit": (
        {
            "sweep": {"q": ["60 L/min", "9000 L/min"]},
            "steps": [SET_Q],
        },
        "(q = 9000 L/min)",
    ),
    "rows of different length": (
        {"sweep": {"a": [1, 2], "b": [1]}, "steps": [SHORT]},
        "names that go together need as many values: a has 2, b has 1",
    ),
    "a value nobody gives": ({"include": "sequence.yaml"}, "HX-1355 point needs a value for 'flow'"),
    "a value of another type": ({"include": "sequence.yaml", "with": {"flow": "3 kPa"}}, "is pressure, flow is needed"),
    "a value nobody takes": (
        {"include": "sequence.yaml", "with": {"flow": "3 L/min", "flaw": 1}},
        "HX-1355 point has no parameter 'flaw', did you mean 'flow'?",
    ),
    "a file elsewhere": ({"include": "../plan.yaml"}, "HX-1341 '../plan.yaml' lies outside the plan's folder"),
    "a file that is none": ({"include": "plan.yaml"}, "HX-1353 'plan.yaml' includes itself"),
    "a step that comes later": ({**SHORT, "when": {"step": "end", "verdict": "PASS"}}, "HX-1356 no step 'end' stands"),
    "a parameter that is none": ({**SHORT, "when": {"parameter": "x", "equals": 1}}, "HX-1356 unknown parameter 'x'"),
    "a branch beside": (
        {"parallel": "p", "steps": [SHORT, {**LONG, "when": {"step": "short", "verdict": "PASS"}}]},
        "HX-1356 no step 'short' stands before this",
    ),
    "too deep": (DEEP, "HX-1353 constructs stand more than 8 deep"),
    "too many": ({"repeat": 1000, "steps": [{"repeat": 3, "steps": [SHORT]}]}, "the plan has more than 2000 steps"),
    "for in until": (
        {"repeat": {"at_most": 2, "until": {"signal": "cdu.flow", "min": "1 L/min", "for": "2 s"}}, "steps": [SHORT]},
        "`for` has no meaning here",
    ),
    "one name twice": ({"group": "a", "steps": [SHORT, SHORT]}, "HX-1354 two steps bear the name 'a / short'"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_a_construct_is_one_line_with_its_place(name, tmp_path):
    entry, wanted = MISTAKES[name]
    said = check_bench("plan.yaml")(tmp_path, files(entry))
    lines = [line for line in said.splitlines() if "HX-" in line]
    assert len(lines) == 1, said
    assert wanted in lines[0]
    assert lines[0].split(":")[1].isdigit()
    assert "Traceback" not in said


def test_a_sequence_that_is_wrong_is_told_with_its_own_file(tmp_path):
    wrong = {**SEQUENCE, "steps": [{"step": "hold", "for": "5 kPa"}]}
    said = check_bench("plan.yaml")(
        tmp_path, files({"include": "sequence.yaml", "with": {"flow": "3 L/min"}}, sequence=wrong)
    )
    assert [line for line in said.splitlines() if line.startswith("sequence.yaml:") or "/sequence.yaml:" in line], said


def test_the_files_that_are_included_stand_in_the_record(tmp_path):
    ran = run_bench(tmp_path, files({"include": "sequence.yaml", "with": {"flow": "60 L/min"}}))
    assert "sequence.yaml" in [each.name for each in ran.result.inputs]


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
    assert ran.result.left_out == {"cold / short": "the run began at steps/cold/long"}
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
