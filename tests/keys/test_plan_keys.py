"""Keys of plans and limit sets: what each changes in what is done, judged, recorded or printed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from harness.schema.conditions import Limit, LimitSet
from harness.schema.plan import Parameter, Plan, UnitUnderTest
from harness.schema.sequence import StepEntry
from harness.schema.sku import SkuFile
from tests.keys.commands import command_bench, line
from tests.keys.plans import FIRST, LOOK, leak, only, steps
from tests.keys.rack import FILES
from tests.keys.rows import Case, Has, Row, Table, every_row
from tests.keys.run_bench import Ran, check_bench, error, lasts, of_step, run_bench, told, verdict

LIMITS = """
schema: 1
limit_set: mine
version: "1"
title: My limits
limits:
  cold: {max: 50 degC, provenance: the datasheet, description: Not hot.}
"""
WITH_LIMITS = {**FILES, "limits": LIMITS}
MEASURED = {
    "plan/limits": "limits.yaml",
    **only("measure", signal="cdu.temperature", over="2 s", limit="cold"),
}
TIME = {"plan/parameters": {"time": {"default": "5 s"}}, **only("hold", **{"for": "${time}"})}
SET = {**TIME, "set": {"time": "7 s"}}
SWITCHED = steps({"step": "power_on", "name": "it", "outlets": "pdu.outlet"})
BAD = {"wire": [leak(2), leak(0, "", 8)], "ask": [["look", 10, "retry", ""]]}
"""Wet until 8 s after the begin; then the step is done again."""


def judged(key: str) -> Any:
    """A part of the first measurement, or why there is none."""
    return lambda ran: ran.error or getattr(ran.result.steps[0].measurements[0], key)


def limit(signal: str = "cdu.temperature", **keys: Any) -> dict[str, Any]:
    """A named limit, and a measurement of a signal against it."""
    return {
        **MEASURED,
        "limits/limits/cold": {"provenance": "me", **keys},
        **only("measure", signal=signal, over="2 s", statistic="last", limit="cold"),
    }


def order(ran: Ran) -> Any:
    """The steps in the record."""
    return ran.error or [one.name for one in ran.result.steps]


CHECK_PLAN, CHECK_LIMITS = check_bench("plan.yaml"), check_bench("limits.yaml")
COLD = "limits/limits/cold"
MUTE = [["look", 1, "cdu", "mute", True], ["look", 4, "cdu", "mute", False]]
PART = steps(
    {"step": "hold", "name": "look", "for": "60 s", "watch": [{"signal": "load.level", "max": "90 %"}]}, wire=MUTE
)
DERIVED = {"cdu.half": {"function": "difference", "inputs": {"high": "cdu.flow", "low": "cdu.setpoint"}}}
LOW = [{"name": "hot", "signal": "cdu.temperature", "max": "20 degC"}]
LATER = str(datetime.now(UTC).date() + timedelta(days=30))

SKU = """
schema: 1
sku: rack-a
parameters: {time: 7 s}
"""
UUT = {"power": "8 kW", "idle_power": "2 kW"}
POWERED = steps(
    {"step": "power_on", "outlets": "pdu.outlet", "stagger": "0 s"},
    {"step": "set", "control": "load.level", "to": "100 %"},
    {"step": "hold", "name": "full", "for": "10 s"},
)
PLANNED = ("pdu", "cdu", "load", "station", "plan")
SHOW_PLAN = command_bench("plan", "show", "plan.yaml", "--station", "station.yaml", files=PLANNED)


def forecast(said: str) -> Any:
    """kWh and kW of the step at full load."""
    return line("full")(said).split()[-3:-1]


def idle(said: str) -> Any:
    """kWh and kW of the step that switches on."""
    return line("power on")(said).split()[-3:-1]


TABLES = [
    Table(
        Plan,
        "plan",
        WITH_LIMITS,
        run_bench,
        [
            Row("schema", 2, error, "", Has("HX-1209 this file is of schema 2, this harness reads 1")),
            Row("plan", "other", lambda ran: ran.result.plan, "trial", "other"),
            Row("title", "Words", lambda ran: ran.result.title, "", "Words"),
            Row("version", "7.3", lambda ran: ran.result.plan_version, "", "7.3"),
            Row("limits", [], error, "", Has("unknown limit 'cold'"), MEASURED),
            Row("parameters", {"time": {"default": "9 s"}}, lasts("it"), 5, 9, TIME),
            Row("coverage", "99 %", verdict, "PASS", "INCONCLUSIVE", PART),
            Row("attempts", 2, verdict, "FAIL", "PASS", BAD),
            Row("derived", DERIVED, lambda ran: "derived.cdu.half" in ran.series, False, True),
            Row("interlocks", LOW, verdict, "PASS", "TRIPPED"),
            Row(
                "bypass",
                [{"interlock": "much power", "owner": "Kim", "until": LATER, "reason": "why"}],
                lambda ran: ran.result.engineering,
                (),
                (f"interlock 'much power' is bypassed by Kim until {LATER}: why",),
            ),
            Row("show", ["load.fan"], lambda ran: "load.fan" in ran.screen, False, True, {"screen": True}),
            Row("setup", [{**LOOK, "name": "first"}], order, ["look"], ["first", "look"]),
            Row("steps", [{**LOOK, "name": "other"}], order, ["look"], ["other"]),
            Row("cleanup", [{**LOOK, "name": "after"}], order, ["look"], ["look", "after"]),
        ],
    ),
    Table(
        StepEntry,
        FIRST,
        FILES,
        run_bench,
        [
            Row("step", "power_off", told("pdu"), Has("(6, 10, [1])"), [(6, 10, [0]), (6, 11, [0])] * 2, SWITCHED),
            Row("name", "other", order, ["look"], ["other"]),
            Row("attempts", 2, verdict, "FAIL", "PASS", BAD),
            Row(
                "on_fail",
                "continue",
                of_step("end"),
                Has("SKIPPED"),
                Has("FAIL"),
                {"plan/steps/1": LOOK, "wire": [leak(2)]},
            ),
        ],
    ),
    Table(
        Parameter,
        "plan/parameters/time",
        FILES,
        run_bench,
        [
            Row("default", "9 s", lasts("it"), 5, 9, TIME),
            Row("min", "3 s", lambda ran: bool(ran.result.engineering), False, True, {**TIME, "set": {"time": "2 s"}}),
            Row("max", "6 s", lambda ran: bool(ran.result.engineering), False, True, SET),
            Row("one_of", ["5 s", "6 s"], lambda ran: bool(ran.result.engineering), False, True, SET),
        ],
    ),
    Table(
        Plan,
        "plan",
        FILES,
        SHOW_PLAN,
        [Row("uut", UUT, forecast, ["-", "-"], ["0.0222", "8"], POWERED)],
    ),
    Table(
        UnitUnderTest,
        "plan/uut",
        FILES,
        SHOW_PLAN,
        [
            Row("power", "18 kW", forecast, ["0.0222", "8"], ["0.05", "18"], {**POWERED, "plan/uut": UUT}),
            Row("idle_power", "4 kW", idle, ["0", "2"], ["0", "4"], {**POWERED, "plan/uut": UUT}),
        ],
    ),
    Table(
        SkuFile,
        "sku",
        {**FILES, "sku": SKU},
        run_bench,
        [
            Row("schema", 2, error, "", Has("HX-1209 this file is of schema 2, this harness reads 1"), TIME),
            Row("parameters", {"time": "9 s"}, lasts("it"), 7, 9, TIME),
        ],
    ),
    Table(
        SkuFile,
        "sku",
        {**FILES, "sku": SKU},
        check_bench("sku.yaml"),
        [
            Row("sku", "rack-b", line("parameters of"), Has("rack-a"), Has("rack-b")),
            Row("title", "Big rack", line("parameters of"), Has("parameters of rack-a"), Has("Big rack")),
        ],
    ),
    Table(
        Parameter,
        "plan/parameters/time",
        FILES,
        CHECK_PLAN,
        [Row("description", "Blue words", line("--set"), "--set time=5 s", "--set time=5 s  Blue words", TIME)],
    ),
    Table(
        LimitSet,
        "limits",
        WITH_LIMITS,
        run_bench,
        [
            Row("schema", 2, error, "", Has("HX-1209 this file is of schema 2, this harness reads 1"), MEASURED),
            Row(
                "limit_set", "other", judged("provenance"), "mine 1: the datasheet", "other 1: the datasheet", MEASURED
            ),
            Row("version", "2", judged("provenance"), "mine 1: the datasheet", "mine 2: the datasheet", MEASURED),
            Row("limits", {}, error, "", Has("unknown limit 'cold'"), MEASURED),
            Row("extends", "nobody.yaml", error, "", Has("HX-1342 no such file 'nobody.yaml'"), MEASURED),
        ],
    ),
    Table(
        LimitSet,
        "limits",
        WITH_LIMITS,
        CHECK_LIMITS,
        [Row("title", "Other words", line("words"), "", "Other words")],
    ),
    Table(
        Limit,
        COLD,
        WITH_LIMITS,
        run_bench,
        [
            Row("min", "30 degC", verdict, "PASS", "FAIL", limit(min="20 degC")),
            Row("max", "20 degC", verdict, "PASS", "FAIL", limit(max="30 degC")),
            Row("equals", "wet", verdict, "PASS", "FAIL", limit("cdu.leak", equals="dry")),
            Row("one_of", ["damp", "wet"], verdict, "PASS", "FAIL", limit("cdu.leak", one_of=["dry", "damp"])),
            Row("uncertainty", "6 K", verdict, "PASS", "FAIL", limit(max="30 degC")),
            Row("provenance", "page 7", judged("provenance"), "mine 1: me", "mine 1: page 7", limit(max="30 degC")),
            Row("on_fail", "continue", of_step("end"), Has("SKIPPED"), Has("PASS"), limit(max="20 degC")),
        ],
    ),
    Table(
        Limit,
        COLD,
        WITH_LIMITS,
        CHECK_LIMITS,
        [Row("description", "Blue words", line("cold"), Has("Not hot."), Has("Blue words"))],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_comes_of_the_plan(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
