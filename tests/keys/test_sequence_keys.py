"""Keys of what stands in a list of steps: which steps are carried out, with which values, how often, in which order."""

from __future__ import annotations

from typing import Any

from harness.schema.sequence import (
    Earlier,
    GroupEntry,
    IncludeEntry,
    OfParameter,
    ParallelEntry,
    RepeatEntry,
    RepeatUntil,
    Retry,
    SequenceFile,
    SequenceParameter,
    StepEntry,
    SweepEntry,
)
from tests.keys.commands import line
from tests.keys.plans import FIRST, SECOND, flow, leak, steps
from tests.keys.rack import FILES
from tests.keys.rows import Case, Has, Row, Table, every_row
from tests.keys.run_bench import Ran, check_bench, error, run_bench, verdict

SEQUENCE = """
schema: 1
sequence: wait
parameters:
  time: {default: 5 s}
steps:
  - {step: hold, name: it, for: "${time}"}
"""
WITH = {**FILES, "sequence": SEQUENCE}
HOLD = {"step": "hold", "name": "it", "for": "5 s"}
OTHER = {"step": "hold", "name": "other", "for": "5 s"}
GO = {"step": "set", "name": "go", "control": "cdu.setpoint", "to": "100 L/min"}
BAD = {"step": "check", "name": "bad", "on_fail": "continue", "conditions": [{"signal": "cdu.leak", "equals": "wet"}]}
MODE = {"plan/parameters": {"mode": {"default": "dry"}, "time": {"default": "60 s"}}}


def names(ran: Ran) -> Any:
    """The steps that were carried out, in order, but for the last one."""
    return ran.error or [each.name for each in ran.result.steps[:-1]]


def seconds(ran: Ran) -> Any:
    """How long each of them took."""
    return ran.error or [_length(each) for each in ran.result.steps[:-1]]


def _length(step: Any) -> int:
    return round(_second(step.ended) - _second(step.started))


def _second(stamp: str) -> float:
    hours, minutes, rest = stamp[11:].rstrip("Z").split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(rest)


def length(ran: Ran) -> Any:
    """From the begin of the first step to the begin of the last, seconds."""
    return ran.error or round(_second(ran.result.steps[-1].started) - _second(ran.result.steps[0].started))


def attempts(ran: Ran) -> Any:
    """(verdict, asked by) of each attempt of the first step."""
    return ran.error or [(str(each.verdict), each.asked_by) for each in ran.result.steps if each.name == "it"]


def whole(entry: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A plan that begins with this entry."""
    return {**steps(entry), **more}


def wet(**retry: Any) -> dict[str, Any]:
    """A step that fails as long as the cooling unit is wet: for 8 s."""
    judged = {"step": "check", "name": "it", "conditions": [{"signal": "cdu.leak", "equals": "dry"}]}
    return {**steps({**judged, "retry": {"times": 1, "wait": "10 s", **retry}}), "wire": [leak(2), leak(0, "", 8)]}


def left_out(ran: Ran) -> Any:
    """What was left out."""
    return ran.error or list(ran.result.left_out)


GROUP = {"group": "cold", "steps": [HOLD]}
REPEAT = {"repeat": 2, "name": "cycle", "steps": [HOLD]}
SWEEP = {"sweep": {"time": ["5 s", "7 s"]}, "name": "times", "steps": [{**HOLD, "for": "${time}"}]}
PARALLEL = {"parallel": "both", "steps": [HOLD, {"group": "slow", "steps": [{**HOLD, "for": "9 s"}]}]}
INCLUDE = {"include": "sequence.yaml", "name": "short"}
UNTIL = {"repeat": {"at_most": 3, "until": {"signal": "cdu.flow", "min": "150 L/min"}}, "steps": [HOLD]}
RISES = {"wire": [flow(100), flow(160, "", 6)]}
AFTER = steps(BAD, {**HOLD, "when": {"step": "bad", "verdict": "PASS"}})
OF_MODE = {**MODE, **steps({**HOLD, "when": {"parameter": "mode", "equals": "dry"}})}
OF_SEVERAL = {**MODE, **steps({**HOLD, "when": {"parameter": "mode", "one_of": ["dry", "wet"]}})}
NOT_NOW = {"parameter": "mode", "equals": "wet"}
DRIED = [("FAIL", ""), ("PASS", "the plan")]
NEEDS = {"sequence/parameters/time": {"type": "time"}, **whole({**INCLUDE, "with": {"time": "5 s"}})}
STRANGER = whole({"include": "sequence.yaml", "with": {"x": 1}})
CHECK_SEQUENCE = check_bench("sequence.yaml")

TABLES = [
    Table(
        GroupEntry,
        FIRST,
        FILES,
        run_bench,
        [
            Row("group", "hot", names, ["cold / it"], ["hot / it"], whole(GROUP)),
            Row("steps", [OTHER], names, ["cold / it"], ["cold / other"], whole(GROUP)),
            Row("when", NOT_NOW, left_out, [], ["steps/cold"], whole(GROUP, **MODE)),
        ],
    ),
    Table(
        RepeatEntry,
        FIRST,
        FILES,
        run_bench,
        [
            Row("repeat", 1, names, ["cycle 1 / it", "cycle 2 / it"], ["cycle 1 / it"], whole(REPEAT)),
            Row("name", "turn", names, ["cycle 1 / it", "cycle 2 / it"], ["turn 1 / it", "turn 2 / it"], whole(REPEAT)),
            Row(
                "steps",
                [OTHER],
                names,
                ["cycle 1 / it", "cycle 2 / it"],
                ["cycle 1 / other", "cycle 2 / other"],
                whole(REPEAT),
            ),
            Row("when", NOT_NOW, left_out, [], ["steps/cycle"], whole(REPEAT, **MODE)),
        ],
    ),
    Table(
        RepeatUntil,
        f"{FIRST}/repeat",
        FILES,
        run_bench,
        [
            Row("at_most", 1, verdict, "PASS", "FAIL", {**whole(UNTIL), **RISES}),
            Row(
                "until",
                {"signal": "cdu.flow", "min": "90 L/min"},
                names,
                ["pass 1 / it", "pass 2 / it", "until"],
                ["pass 1 / it", "until"],
                {**whole(UNTIL), **RISES},
            ),
        ],
    ),
    Table(
        SweepEntry,
        FIRST,
        FILES,
        run_bench,
        [
            Row("sweep", {"time": ["3 s"]}, seconds, [5, 7], [3], whole(SWEEP)),
            Row(
                "name",
                "waits",
                names,
                ["times (time=5 s) / it", "times (time=7 s) / it"],
                ["waits (time=5 s) / it", "waits (time=7 s) / it"],
                whole(SWEEP),
            ),
            Row("steps", [OTHER], seconds, [5, 7], [5, 5], whole(SWEEP)),
            Row(
                "when",
                NOT_NOW,
                left_out,
                [],
                ["steps/times"],
                whole(SWEEP, **{"plan/parameters": {"mode": {"default": "dry"}}}),
            ),
        ],
    ),
    Table(
        ParallelEntry,
        FIRST,
        FILES,
        run_bench,
        [
            Row("parallel", "two", names, Has("both / slow / it"), Has("two / slow / it"), whole(PARALLEL)),
            Row("steps", [HOLD], length, 9, 5, whole(PARALLEL)),
            Row("when", NOT_NOW, left_out, [], ["steps/both"], whole(PARALLEL, **MODE)),
        ],
    ),
    Table(
        IncludeEntry,
        FIRST,
        WITH,
        run_bench,
        [
            Row("include", "other.yaml", error, "", Has("HX-1342 no such file 'other.yaml'"), whole(INCLUDE)),
            Row("with", {"time": "7 s"}, seconds, [5], [7], whole(INCLUDE)),
            Row("name", "long", names, ["short / it"], ["long / it"], whole(INCLUDE)),
            Row("when", NOT_NOW, left_out, [], ["steps/short"], whole(INCLUDE, **MODE)),
        ],
    ),
    Table(
        StepEntry,
        FIRST,
        FILES,
        run_bench,
        [
            Row("when", NOT_NOW, left_out, [], ["steps/it"], whole(HOLD, **MODE)),
            Row(
                "retry",
                {"times": 2, "wait": "10 s"},
                attempts,
                [("FAIL", ""), ("FAIL", "the plan")],
                DRIED,
                wet(wait="1 s"),
            ),
        ],
    ),
    Table(
        Retry,
        f"{FIRST}/retry",
        FILES,
        run_bench,
        [
            Row("times", 9, verdict, "FAIL", "PASS", wet(wait="2 s")),
            Row("wait", "1 s", verdict, "PASS", "FAIL", wet()),
            Row("on", ["INCONCLUSIVE"], attempts, DRIED, [("FAIL", "")], wet()),
        ],
    ),
    Table(
        Earlier,
        f"{SECOND}/when",
        FILES,
        run_bench,
        [
            Row("step", "nobody", error, "", Has("HX-1356 no step 'nobody' stands before this"), AFTER),
            Row("verdict", ["FAIL", "INCONCLUSIVE"], names, ["bad"], ["bad", "it"], AFTER),
        ],
    ),
    Table(
        OfParameter,
        f"{FIRST}/when",
        FILES,
        run_bench,
        [
            Row("parameter", "time", left_out, [], ["steps/it"], OF_MODE),
            Row("equals", "wet", left_out, [], ["steps/it"], OF_MODE),
            Row("one_of", ["wet"], left_out, [], ["steps/it"], OF_SEVERAL),
        ],
    ),
    Table(
        SequenceFile,
        "sequence",
        WITH,
        run_bench,
        [
            Row("schema", 2, error, "", Has("HX-1209 this file is of schema 2, this harness reads 1"), whole(INCLUDE)),
            Row("sequence", "rest", error, Has("wait has no"), Has("rest has no parameter 'x'"), STRANGER),
            Row("title", "Rest", names, ["it"], ["Rest / it"], whole({"include": "sequence.yaml"})),
            Row("parameters", {"time": {"default": "7 s"}}, seconds, [5], [7], whole(INCLUDE)),
            Row("steps", [OTHER], names, ["short / it"], ["short / other"], whole(INCLUDE)),
        ],
    ),
    Table(
        SequenceParameter,
        "sequence/parameters/time",
        WITH,
        run_bench,
        [
            Row("type", "flow", error, "", Has("HX-1355 time: '5 s' is time, flow is needed"), NEEDS),
            Row("default", "7 s", seconds, [5], [7], whole(INCLUDE)),
            Row(
                "description",
                "how long",
                error,
                Has("needs a value for 'time'"),
                Has("needs a value for 'time', how long"),
                {"sequence/parameters/time": {"type": "time"}, **whole(INCLUDE)},
            ),
        ],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_is_carried_out(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))


def test_a_sequence_is_checked_by_itself(tmp_path):
    said = CHECK_SEQUENCE(tmp_path, {"sequence": {"schema": 1, "sequence": "wait", "steps": [HOLD]}})
    assert line("sequence wait")(said), said
