"""Keys of the steps that compare what is measured: heat, filter, load, branches, trays."""

from __future__ import annotations

from typing import Any

from harness.steps.branch_balance import Branch, BranchBalance
from harness.steps.filter_check import FilterCheck
from harness.steps.heat_balance import HeatBalance
from harness.steps.load_step import LoadStep
from harness.steps.thermal_resistance import ThermalResistance, Tray
from tests.keys.plans import FIRST, SECOND, only, steps
from tests.keys.rack import FILES
from tests.keys.rows import Case, Has, Row, Table, every_row
from tests.keys.run_bench import error, lasts, measured, of_step, run_bench, told

it = of_step("it")
PASS, FAIL, NONE = Has("PASS"), Has("FAIL"), Has("INCONCLUSIVE")
SIGNALS = {
    "cdu/signals/drop": {"address": 7, "unit": "kPa", "range": [0, 1000]},
    "cdu/signals/drop_2": {"address": 5, "unit": "kPa", "range": [0, 1000]},
    "cdu/signals/meter": {"address": 1, "unit": "kW", "range": [0, 1000]},
    "cdu/signals/meter_2": {"address": 7, "unit": "kW", "range": [0, 1000]},
    "station/accuracy": {
        **dict.fromkeys(("cdu.flow", "cdu.setpoint", "cdu.meter", "cdu.meter_2"), "1 %"),
        **dict.fromkeys(("cdu.temperature", "cdu.zone[1].temperature", "cdu.zone[2].temperature"), "0.1 K"),
        "cdu.drop": "1 kPa",
        "cdu.drop_2": "1 kPa",
    },
}
"""Flow and setpoint 100 L/min, meter 100 kW, drop 80 kPa, drop_2 100 kPa; 25, 30 and 40 degC."""


def value(name: str) -> Any:
    """A measured value, to three digits; or why the files were refused."""
    return lambda ran: ran.error or float(f"{measured(ran, name).value:.3g}")


def plan(step: str, **keys: Any) -> dict[str, Any]:
    """A plan of one step on a rack with these signals."""
    return {**SIGNALS, **only(step, **keys)}


HEAT = plan(
    "heat_balance",
    flow="cdu.flow",
    supply="cdu.temperature",
    over="20 s",
    power="cdu.meter",
    limit={"min": "80 %", "max": "120 %"},
    **{"return": "cdu.zone[2].temperature"},
)
FILTER = plan("filter_check", pressure_drop="cdu.drop", flow="cdu.flow", at="100 L/min", limit={"max": "90 kPa"})
TWICE = {
    **SIGNALS,
    **steps(
        {"step": "filter_check", "name": "was", "pressure_drop": "cdu.drop", "flow": "cdu.flow", "at": "100 L/min"},
        {
            "step": "filter_check",
            "name": "it",
            "pressure_drop": "cdu.drop",
            "flow": "cdu.flow",
            "at": "100 L/min",
            "compare_with": "was",
            "change": {"max": "20 %"},
        },
        wire=[["it", 0, "cdu", "holding/7", 88]],
    ),
}
SWINGS = ((2, 31), (20, 22), (40, 28), (60, 25))
SWING = [["it", 20.5 + second, "cdu", "holding/2", degrees] for second, degrees in SWINGS]
STEP = plan(
    "load_step",
    control="load.level",
    to="80 %",
    signal="cdu.temperature",
    over="150 s",
    band="1 K",
    overshoot={"max": "9 K"},
    settling={"max": "140 s"},
    decay={"max": 1},
    wire=SWING,
)
TRAYS = [
    {"name": "a", "junction": "cdu.zone[1].temperature", "power": "cdu.meter"},
    {"name": "b", "junction": "cdu.zone[2].temperature", "power": "cdu.meter"},
    {"name": "c", "junction": "cdu.zone[1].temperature", "power": "cdu.meter"},
]
TRAY = plan(
    "thermal_resistance",
    trays=TRAYS,
    coolant="cdu.temperature",
    least_power="10 kW",
    over="5 s",
    windows=2,
    limit={"max": "300 %"},
    resistance={"max": "0.5 K/kW"},
)
TRAY_KEYS = {
    "step": "thermal_resistance",
    "trays": TRAYS,
    "coolant": "cdu.temperature",
    "least_power": "10 kW",
    "over": "5 s",
    "windows": 2,
}
RISEN = {
    **SIGNALS,
    "station/accuracy/cdu.zone[2].temperature": "2 K",
    **steps(
        {**TRAY_KEYS, "name": "was"},
        {**TRAY_KEYS, "name": "it", "baseline": "was", "limit": {"max": "150 %"}},
        wire=[
            ["it", 0, "cdu", "holding/1", 200],
            ["it", 0, "cdu", "holding/20", 40],
            ["it", 0, "cdu", "holding/21", 60],
        ],
    ),
}
"""From 100 to 200 kW tray b rises by 20 K, the others by 10 K: 0.2 and 0.1 K/kW."""
BRANCHES = [
    {"name": "a", "power": "cdu.meter", "outlet": "cdu.zone[1].temperature"},
    {"name": "b", "power": "cdu.meter", "outlet": "cdu.zone[2].temperature"},
    {"name": "c", "flow": "cdu.flow"},
]
BRANCH = plan(
    "branch_balance",
    branches=BRANCHES,
    inlet="cdu.temperature",
    over="5 s",
    limit={"max": "200 %"},
    least={"min": "50 L/min"},
)
OTHER = {**BRANCH, "wire": [["", 0, "cdu", "holding/5", 70]]}


def named(word: str) -> Any:
    """How many measurements have a word in their name."""
    return lambda ran: sum(word in one.name for step in ran.result.steps for one in step.measurements)


def away_u(ran: Any) -> float:
    """U of how far tray b is from the median, points."""
    return round(measured(ran, "it: b from the median").uncertainty, 1)


TABLES = [
    Table(
        HeatBalance,
        FIRST,
        FILES,
        run_bench,
        [
            Row("flow", "cdu.drop", error, "", Has("is in kPa, L/min is needed"), HEAT),
            Row("supply", "cdu.zone[1].temperature", value("it"), 100.0, 66.8, HEAT),
            Row("return", "cdu.zone[1].temperature", it, PASS, Has("INCONCLUSIVE", "8 K are needed"), HEAT),
            Row("power", "cdu.meter_2", value("it"), 100.0, 125.0, HEAT),
            Row("over", "40 s", lasts("it"), 20, 40, HEAT),
            Row("least_rise", "20 K", it, PASS, Has("INCONCLUSIVE", "20 K are needed"), HEAT),
            Row(
                "steady",
                "60 K/min",
                it,
                Has("INCONCLUSIVE", "no balance before it has settled"),
                PASS,
                {**HEAT, "wire": [["it", k, "cdu", "holding/21", 39 + k // 10] for k in range(20)]},
            ),
            Row("limit", {"max": "100.5 %"}, it, PASS, Has("FAIL", "guard band"), HEAT),
        ],
    ),
    Table(
        FilterCheck,
        FIRST,
        FILES,
        run_bench,
        [
            Row("pressure_drop", "cdu.drop_2", it, PASS, Has("FAIL", "100 kPa"), FILTER),
            Row("flow", "cdu.drop", error, "", Has("is in kPa, L/min is needed"), FILTER),
            Row("at", "200 L/min", it, PASS, Has("FAIL", "320 kPa"), FILTER),
            Row("over", "40 s", lasts("it"), 20, 40, FILTER),
            Row("limit", {"max": "80.5 kPa"}, it, PASS, Has("FAIL", "guard band"), FILTER),
        ],
    ),
    Table(
        FilterCheck,
        "plan/steps/1",
        FILES,
        run_bench,
        [
            Row("compare_with", "never", it, PASS, Has("INCONCLUSIVE", "no step 'never'"), TWICE),
            Row("change", {"max": "5 %"}, it, PASS, Has("FAIL", "change: 10 %"), TWICE),
        ],
    ),
    Table(
        LoadStep,
        FIRST,
        FILES,
        run_bench,
        [
            Row("control", "load.fan", told("load"), Has("(6, 1, [80])"), Has("(6, 2, [80])"), STEP),
            Row("to", "60 %", told("load"), Has("(6, 1, [80])"), Has("(6, 1, [60])"), STEP),
            Row("signal", "cdu.zone[1].temperature", value("it: overshoot"), 6.0, 0.0, STEP),
            Row("before", "40 s", lasts("it"), 170, 190, STEP),
            Row("over", "250 s", lasts("it"), 170, 270, STEP),
            Row("aim", "24 degC", value("it: overshoot"), 6.0, 7.0, STEP),
            Row("band", "7 K", value("it: settling time"), 62.0, 0.0, STEP),
            Row("overshoot", {"max": "5 K"}, it, PASS, Has("FAIL", "overshoot: 6"), STEP),
            Row("settling", {"max": "30 s"}, it, PASS, Has("FAIL", "settling time"), STEP),
            Row("decay", {"max": 0.25}, it, PASS, Has("FAIL", "decay ratio: 0.5"), STEP),
        ],
    ),
    Table(
        ThermalResistance,
        FIRST,
        FILES,
        run_bench,
        [
            Row("coolant", "cdu.zone[2].temperature", value("it: a"), 0.05, -0.1, TRAY),
            Row("trays", [*TRAYS[::2], {**TRAYS[1], "name": "z"}], named("it: z"), 0, 4, TRAY),
            Row("least_power", "200 kW", it, PASS, Has("INCONCLUSIVE", "less power than 200 kW"), TRAY),
            Row("over", "9 s", lasts("it"), 10, 18, TRAY),
            Row("windows", 3, lasts("it"), 10, 15, TRAY),
            Row("apart", "20 s", lasts("it"), 10, 30, TRAY),
            Row("limit", {"max": "100 %"}, it, PASS, Has("FAIL", "it: b from the median: 200 %"), TRAY),
            Row("resistance", {"max": "0.1 K/kW"}, it, PASS, Has("FAIL", "it: b: 0.15 K/kW"), TRAY),
            Row("baseline", "never", it, PASS, Has("INCONCLUSIVE", "no step 'never'"), RISEN, SECOND),
            Row("remains", "100 %", away_u, 7.9, 25.2, RISEN, SECOND),
        ],
    ),
    Table(
        Tray,
        f"{FIRST}/trays/1",
        FILES,
        run_bench,
        [
            Row("name", "z", named("it: z"), 0, 4, TRAY),
            Row("junction", "cdu.zone[1].temperature", value("it: b"), 0.15, 0.05, TRAY),
            Row("power", "cdu.meter_2", value("it: b"), 0.15, 0.188, TRAY),
        ],
    ),
    Table(
        BranchBalance,
        FIRST,
        FILES,
        run_bench,
        [
            Row("branches", [*BRANCHES[:2], {"name": "c", "flow": "cdu.setpoint"}], value("it: c"), 100.0, 70.0, OTHER),
            Row("inlet", "cdu.zone[1].temperature", it, PASS, Has("INCONCLUSIVE", "a has no value"), BRANCH),
            Row("liquid_share", "50 %", value("it: a"), 300.0, 150.0, BRANCH),
            Row("over", "9 s", lasts("it"), 5, 9, BRANCH),
            Row("limit", {"max": "50 %"}, it, PASS, Has("FAIL", "it: a from the mean: 80"), BRANCH),
            Row("least", {"min": "150 L/min"}, it, PASS, Has("FAIL", "it: b: 99.8"), BRANCH),
        ],
    ),
    Table(
        Branch,
        f"{FIRST}/branches/0",
        FILES,
        run_bench,
        [
            Row("name", "z", named("it: z"), 0, 2, BRANCH),
            Row("power", "cdu.meter_2", value("it: a"), 300.0, 240.0, BRANCH),
            Row("outlet", "cdu.zone[2].temperature", value("it: a"), 300.0, 99.9, BRANCH),
            Row("flow", "cdu.setpoint", value("it: c"), 100.0, 70.0, OTHER, at=f"{FIRST}/branches/2"),
        ],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_the_run_does(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
