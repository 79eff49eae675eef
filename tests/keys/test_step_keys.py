"""Keys of the built-in steps: what each changes in what devices are told, in the verdict, or in how long it takes."""

from __future__ import annotations

from typing import Any

from harness.schema.conditions import Bounds, Condition
from harness.steps.checking import CheckParams
from harness.steps.flow_curve import FlowCurve
from harness.steps.measuring import Measure
from harness.steps.power import PowerOff, PowerOn
from harness.steps.prompting import Prompt
from harness.steps.setting import Ramp, Set
from harness.steps.settling import Settle
from harness.steps.waiting import WaitUntil
from tests.keys.models import ABSENT
from tests.keys.plans import FIRST, SECOND, bounds_rows, flow, leak, only, steps
from tests.keys.rack import FILES, ON
from tests.keys.rows import Case, Has, Row, Table, every_row
from tests.keys.run_bench import Ran, error, lasts, of_step, run_bench, told, told_at, verdict

PASS, FAIL = Has("PASS"), Has("FAIL")
it = of_step("it")
STUCK = ["power", 0, "pdu", "stuck", True]


def checked(signal: str, **bounds: Any) -> dict[str, Any]:
    """A check of one condition."""
    return only("check", conditions=[{"signal": signal, **bounds}])


def awaited(signal: str, **bounds: Any) -> dict[str, Any]:
    """A wait for one condition."""
    return only("wait_until", signal=signal, within="5 s", **bounds)


def judged(signal: str, **bounds: Any) -> dict[str, Any]:
    """A measurement against one limit."""
    return only("measure", signal=signal, statistic="last", limit=bounds)


FLOW = checked("cdu.flow", min="50 L/min")
TEXTS = only("check", texts={"load.label": "AbCd"})
MEASURE = only("measure", signal="cdu.flow", limit={"max": "150 L/min"})
RISING = {**MEASURE, "wire": [flow(120), flow(160, "it", 7), flow(120, "it", 9)]}
POWER_OFF = steps(ON, {"step": "power_off", "name": "it", "outlets": "pdu.outlet"})
STAYS_ON = steps(
    ON,
    {"step": "hold", "name": "on", "for": "3 s"},
    {"step": "power_off", "name": "it", "outlets": "pdu.outlet"},
    wire=[["on", 1, "pdu", "stuck", True]],
)
RAMP = only("ramp", control="load.level", to="40 %", over="8 s", steps=4)
PROMPT = {**only("prompt", text="Look!"), "answer": "done"}
MOVING = only(
    "settle",
    signal="cdu.flow",
    slope="15 L/min/min",
    over="5 s",
    within="20 s",
    wire=[flow(100 + k, "it", k) for k in range(10)],
)

BOTH = {**MOVING, f"{FIRST}/signal": ABSENT, f"{FIRST}/signals": ["cdu.setpoint", "cdu.flow"]}

LOWER = ["100 L/min", "150 L/min", "180 L/min"]
CURVE = only(
    "flow_curve",
    control="cdu.setpoint",
    points=["100 L/min", "150 L/min", "200 L/min"],
    flow="cdu.setpoint",
    pressure_drop="cdu.setpoint",
    at="150 L/min",
    limit={"min": "149 L/min", "max": "160 L/min"},
    exponent={"min": 0.9, "max": 1.1},
)


def question(ran: Ran) -> Any:
    """What the operator was asked."""
    return ran.questions[0]


TABLES = [
    Table(
        CheckParams,
        FIRST,
        FILES,
        run_bench,
        [
            Row(
                "firmware",
                {"pdu": ["F2"]},
                it,
                PASS,
                Has("ERROR check: pdu has firmware 'F1'"),
                only("check", firmware={"pdu": ["F1"]}),
            ),
            Row("conditions", [{"signal": "cdu.leak", "equals": "wet"}], verdict, "PASS", "FAIL"),
            Row("texts", {"load.label": "EfGh"}, it, PASS, Has("unexpected AbCd, the plan has EfGh"), TEXTS),
            Row("within", "20 s", verdict, "FAIL", "PASS", {"wire": [leak(2), leak(0, "look", 5)]}),
        ],
    ),
    Table(
        Condition,
        f"{FIRST}/conditions/0",
        FILES,
        run_bench,
        [
            *bounds_rows(checked),
            Row("signal", "cdu.setpoint", verdict, "FAIL", "PASS", {**FLOW, "wire": [flow(10)]}),
            Row("for", "10 s", lasts("it"), 0, 11, FLOW),
        ],
    ),
    Table(
        Measure,
        FIRST,
        FILES,
        run_bench,
        [
            Row("signal", "cdu.setpoint", verdict, "FAIL", "PASS", {**MEASURE, "wire": [flow(200)]}),
            Row("over", "30 s", lasts("it"), 10, 30, MEASURE),
            Row("statistic", "max", verdict, "PASS", "FAIL", RISING),
            Row("limit", {"max": "90 L/min"}, verdict, "PASS", "FAIL", MEASURE),
        ],
    ),
    Table(
        FlowCurve,
        FIRST,
        FILES,
        run_bench,
        [
            Row("control", "load.fan", error, "", Has("HX-1352", "'L/min' is a flow"), CURVE),
            Row(
                "points",
                LOWER,
                told("cdu"),
                Has("(6, 5, [200])"),
                Has("(6, 5, [180])"),
                CURVE,
            ),
            Row("flow", "cdu.flow", it, PASS, Has("FAIL", "all points are at one place"), CURVE),
            Row("pressure_drop", "cdu.flow", it, PASS, Has("FAIL"), CURVE),
            Row("temperature", "cdu.temperature", it, PASS, Has("FAIL", "35 degC"), CURVE),
            Row("over", "16 s", lasts("it"), 36, 66, CURVE),
            Row("within", "5 s", error, "", Has("a flow is known to have settled after 5 s"), CURVE),
            Row("at", "200 L/min", it, PASS, Has("at 200 L/min"), CURVE),
            Row("limit", {"max": "140 L/min"}, it, PASS, Has("at 150 L/min"), CURVE),
            Row("exponent", {"min": 1.5}, it, PASS, Has("exponent"), CURVE),
        ],
    ),
    Table(Bounds, f"{FIRST}/limit", FILES, run_bench, bounds_rows(judged)),
    Table(
        PowerOn,
        FIRST,
        FILES,
        run_bench,
        [
            Row("outlets", "pdu.outlet[2]", told("pdu"), Has("(6, 10, [1])"), Has("[(6, 11, [1])"), steps(ON)),
            Row("stagger", "3 s", lambda ran: told_at("pdu")(ran)[0], 0, 3, steps(ON)),
            Row("confirm_within", "3 s", lasts("power"), 10, 3, steps(ON, wire=[["", 0, *STUCK[2:]]])),
        ],
    ),
    Table(
        PowerOff,
        SECOND,
        FILES,
        run_bench,
        [
            Row("outlets", "pdu.outlet[2]", lambda ran: told("pdu")(ran)[2], (6, 10, [0]), (6, 11, [0]), POWER_OFF),
            Row("confirm_within", "3 s", lasts("it"), 10, 3, STAYS_ON, "plan/steps/2"),
        ],
    ),
    Table(
        Set,
        FIRST,
        FILES,
        run_bench,
        [
            Row(
                "control",
                "load.fan",
                told("load"),
                Has("(6, 1, [7])"),
                Has("(6, 2, [7])"),
                only("set", control="load.level", to="7 %"),
            ),
            Row(
                "to",
                "8 %",
                told("load"),
                Has("(6, 1, [7])"),
                Has("(6, 1, [8])"),
                only("set", control="load.level", to="7 %"),
            ),
            Row(
                "confirm_within",
                "3 s",
                lasts("it"),
                10,
                3,
                only("set", control="load.level", to="7 %", wire=[["", 0, "load", "stuck", True]]),
            ),
        ],
    ),
    Table(
        Ramp,
        FIRST,
        FILES,
        run_bench,
        [
            Row("control", "load.fan", told("load"), Has("(6, 1, [10])"), Has("(6, 2, [10])"), RAMP),
            Row("from", "20 %", told("load"), Has("(6, 1, [10])"), Has("[(6, 1, [25])"), RAMP),
            Row("to", "80 %", told("load"), Has("(6, 1, [10])"), Has("[(6, 1, [20])"), RAMP),
            Row("over", "20 s", lasts("it"), 8, 20, RAMP),
            Row("steps", 2, told("load"), Has("(6, 1, [10])"), Has("[(6, 1, [20])"), RAMP),
            Row("dwell", "2 s", lasts("it"), 8, 16, RAMP),
        ],
    ),
    Table(
        Prompt,
        FIRST,
        FILES,
        run_bench,
        [
            Row("text", "Listen!", question, ("Look!", ("done",)), ("Listen!", ("done",)), PROMPT),
            Row("answers", ["done", "no"], question, ("Look!", ("done",)), ("Look!", ("done", "no")), PROMPT),
            Row("passes", ["yes"], verdict, "PASS", "FAIL", {**PROMPT, f"{FIRST}/answers": ["yes", "done"]}),
        ],
    ),
    Table(
        WaitUntil,
        FIRST,
        FILES,
        run_bench,
        [
            *bounds_rows(awaited),
            Row(
                "signal",
                "cdu.setpoint",
                verdict,
                "FAIL",
                "PASS",
                {**awaited("cdu.flow", min="50 L/min"), "wire": [flow(10)]},
            ),
            Row("for", "4 s", lasts("it"), 0, 4, awaited("cdu.flow", min="50 L/min")),
            Row(
                "within",
                "20 s",
                verdict,
                "FAIL",
                "PASS",
                {**awaited("cdu.flow", min="50 L/min"), "wire": [flow(10), flow(60, "it", 9)]},
            ),
        ],
    ),
    Table(
        Settle,
        FIRST,
        FILES,
        run_bench,
        [
            Row("signal", "cdu.setpoint", lasts("it"), 14, 6, MOVING),
            Row("signals", ["cdu.setpoint"], lasts("it"), 14, 6, BOTH),
            Row("slope", "90 L/min/min", lasts("it"), 14, 6, MOVING),
            Row("over", "9 s", lasts("it"), 14, 17, MOVING),
            Row("within", "12 s", verdict, "PASS", "FAIL", MOVING),
        ],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_the_run_does(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
