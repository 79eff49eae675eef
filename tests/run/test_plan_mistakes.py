"""What is wrong with a plan of groups, passes and values: one line with its place, before anything is contacted."""

from __future__ import annotations

import pytest

from tests.keys.plans import LOOK
from tests.keys.run_bench import check_bench, run_bench
from tests.run.plan_language import FAST, LONG, POWER, SEQUENCE, SET, SET_Q, SHORT, files


def test_a_branch_that_fails_leaves_nothing_that_puts_power_on(tmp_path):
    failing = {"step": "check", "name": "fails", "conditions": [{"signal": "cdu.leak", "equals": "wet"}]}
    ran = run_bench(
        tmp_path, files({"parallel": "both", "steps": [failing, {"group": "other", "steps": [LONG, POWER]}]})
    )
    assert "HX-1363 power goes on beside both / fails, whether that FAILs or not" in ran.error


@pytest.mark.parametrize(
    ("branches", "said"),
    [
        ([POWER, {**LOOK, "name": "fails"}], "HX-1363 power goes on beside both / fails"),
        ([POWER, {"group": "a", "steps": [SHORT, {**POWER, "name": "again"}]}], "HX-1363 pdu.outlet[1] is set in two"),
        ([{**SET, "name": "a"}, {**SET, "name": "b"}], "HX-1363 cdu.setpoint is set in two branches at once"),
        ([{**SET, "name": "a"}, LONG], ""),
        ([POWER, LONG], ""),
    ],
)
def test_what_may_not_stand_beside_each_other_is_refused(branches, said, tmp_path):
    ran = run_bench(tmp_path, files({"parallel": "both", "steps": branches}))
    assert said in ran.error if said else not ran.error


RETRIED = {**LOOK, "name": "it", "retry": {"times": 1}}
NO_PLACE = {
    "parallel": {"parallel": "p", "steps": [SHORT, LONG]},
    "until": {"repeat": {"at_most": 2, "until": FAST}, "steps": [SHORT]},
    "retry": RETRIED,
    "when of a verdict": {**SHORT, "when": {"step": "end", "verdict": "PASS"}},
}


@pytest.mark.parametrize("what", NO_PLACE)
def test_what_is_decided_in_a_run_has_no_place_in_cleanup(what, tmp_path):
    ran = run_bench(tmp_path, files(plan__cleanup=[NO_PLACE[what]]))
    assert f"HX-1353 cleanup comes when the run is over: {what} has no place there" in ran.error


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({**POWER, "outlets": []}, "at least 1 entry"),
        ({**SHORT, "when": {"step": "end", "verdict": []}}, "at least 1 entry"),
        ({**LOOK, "name": "it", "retry": {"times": 1, "on": []}}, "HX-1208"),
        ({"include": "x" * 300 + ".yaml"}, "HX-1342 no such file"),
    ],
)
def test_what_means_nothing_is_one_line(entry, said, tmp_path):
    ran = run_bench(tmp_path, files(entry))
    assert said in ran.error
    assert ran.error.count("HX-") == 1, ran.error


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
