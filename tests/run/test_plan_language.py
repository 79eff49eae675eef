"""Groups, passes, values, branches, included files, conditions and retries: carried out, resumed, shown."""

from __future__ import annotations

import pytest

from harness.record.verification import verify
from tests.keys.plans import flow, leak
from tests.keys.run_bench import run_bench
from tests.run.plan_language import BAD, FAST, LONG, SHORT, files

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


def test_what_failed_and_was_done_again_does_not_stop_a_run_that_goes_on(tmp_path):
    judged = {"step": "check", "name": "it", "conditions": [{"signal": "cdu.leak", "equals": "dry"}]}
    entries = [{**judged, "retry": {"times": 2, "wait": "6 s"}}, LONG]
    ran = run_bench(tmp_path, files(*entries, wire=[leak(2), leak(0, "", 4)], later=[], die=["long", 2]))
    assert ran.result.verdict == "PASS", ran.result.reason
    assert [(each.name, each.attempt) for each in ran.result.steps] == [
        ("it", 1), ("it", 2), ("long", 1), ("long", 2), ("end", 1)
    ]  # fmt: skip
    assert verify(ran.outcome.folder) == []


def test_a_pass_that_had_begun_is_carried_out_when_the_run_goes_on(tmp_path):
    fill = {"repeat": {"at_most": 4, "until": FAST}, "name": "fill", "steps": [LONG, SHORT]}
    more = {"wire": [flow(100)], "later": [flow(160)], "die": ["fill 2 / long", 2]}
    ran = run_bench(tmp_path, files(fill, **more))
    names = [each.name for each in ran.result.steps]
    assert names == ["fill 1 / long", "fill 1 / short", "fill 2 / long", "fill 2 / long", "fill 2 / short", *names[5:]]
    assert names[5:] == ["fill / until", "end"]


@pytest.mark.parametrize("name", ["cold", "cold / long", "long", "steps", "lnog"])
def test_an_interlock_is_armed_in_a_step_or_in_all_of_a_group(name, tmp_path):
    added = [{"name": "little", "signal": "cdu.flow", "min": "50 L/min", "armed_in": [name]}]
    group = {"group": "cold", "steps": [SHORT, LONG]}
    ran = run_bench(tmp_path, files(group, plan__interlocks=added, wire=[flow(10, "cold / long", 2)]))
    if name in ("steps", "lnog"):
        assert f"no step is named {name!r}" in ran.error, ran.error
    else:
        assert ran.result.verdict == "TRIPPED"


def test_names_with_a_slash_are_no_place_of_a_path(tmp_path):
    same = [{**SHORT, "name": "a/b"}, {"group": "a", "steps": [{**LONG, "name": "b"}]}]
    ran = run_bench(
        tmp_path, files(*same, {"sweep": {"q": ["1 L/min"]}, "name": "w", "steps": [{**SHORT, "name": "c"}]})
    )
    assert [each.path for each in ran.result.steps][:3] == ["steps/a_b", "steps/a/b", "steps/w/q=1 L_min/c"]


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
    assert ran.result.left_out == {"steps/long": "bad is FAIL"}
    record = ran.outcome.folder / "result.json"
    record.write_text(record.read_text().replace('"bad is FAIL"', '"nobody wanted it"'))
    assert any(
        "was left out (bad is FAIL), which result.json does not say" in each for each in verify(ran.outcome.folder)
    )


def test_the_files_that_are_included_stand_in_the_record(tmp_path):
    ran = run_bench(tmp_path, files({"include": "sequence.yaml", "with": {"flow": "60 L/min"}}))
    assert "sequence.yaml" in [each.name for each in ran.result.inputs]
