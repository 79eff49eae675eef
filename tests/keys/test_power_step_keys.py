"""Keys of the steps of power: what each changes in what devices are told, in the verdict, or in how long it takes."""

from __future__ import annotations

from typing import Any

from harness.steps.hold_up import HoldUp
from harness.steps.inrush import Inrush
from harness.steps.meter_truth import MeterTruth
from harness.steps.outlet_map import OutletMap
from harness.steps.phase_balance import PhaseBalance
from harness.steps.psu_redundancy import PsuRedundancy
from tests.keys.plans import FIRST, SECOND, flow, leak, only, steps
from tests.keys.rack import FILES, ON
from tests.keys.rows import Case, Has, Row, Table, every_row
from tests.keys.run_bench import error, lasts, of_step, run_bench, told, verdict

PASS, FAIL = Has("PASS"), Has("FAIL")
it = of_step("it")
BUSES = [["", 0, "pdu", "holding/5", 490]]
"""The second bus, 49 V, beside the first one, 50 V."""

BALANCE = only(
    "phase_balance",
    currents=["cdu.flow", "cdu.setpoint"],
    least="10 L/min",
    limit={"max": "10 %"},
    wire=[flow(150)],
)
TRUTH = only(
    "meter_truth",
    meter="cdu.flow",
    reference="cdu.setpoint",
    uncertainty=0.5,
    limit={"min": "-2 %", "max": "2 %"},
)
PLACES = ["pdu.outlet[1].state", "pdu.outlet[2].state"]
MAP = only("outlet_map", outlets="pdu.outlet", seen_at=PLACES, least="1", wait="2 s", over="4 s")
RUSH = only(
    "inrush",
    outlet="pdu.outlet[1]",
    hold="cdu.pump",
    peaks=["cdu.flow", "cdu.setpoint", "cdu.flow"],
    closings=1,
    limit={"max": "150 L/min"},
    decay="10 ms",
    let_through={"max": 100},
)
TAKEN: dict[str, Any] = {
    "step": "psu_redundancy",
    "name": "it",
    "take": "pdu.outlet[1]",
    "lasts": "10 s",
    "recover": "2 s",
    "lowest": "pdu.bus",
    "highest": "pdu.bus2",
    "bus": {"min": "48 V", "max": "52 V"},
    "outputs": ["pdu.bus", "pdu.bus2"],
    "rating": "10 V",
    "share": {"max": "6 %"},
    "healthy": {"signal": "cdu.leak", "equals": "dry"},
    "alarm_within": "5 s",
}
REDUNDANT = steps(ON, TAKEN, wire=[*BUSES, leak(1, "it", 4)])
WATCHED = [{"signal": "cdu.flow", "min": "150 L/min"}]
HELD: dict[str, Any] = {
    "loss": "cdu.pump",
    "to": "off",
    "back": "on",
    "away": {"signal": "cdu.pump", "equals": "off"},
    "lasts": "6 s",
    "time": {"min": "4 s"},
    "lowest": "pdu.bus",
    "highest": "pdu.bus2",
    "bus": {"min": "48 V", "max": "52 V"},
    "load": "cdu.flow",
    "least": "50 L/min",
}
HOLDS = only("hold_up", **HELD, wire=BUSES)

TABLES = [
    Table(
        PhaseBalance,
        FIRST,
        FILES,
        run_bench,
        [
            Row("currents", ["cdu.flow", "cdu.flow"], it, FAIL, PASS, BALANCE),
            Row("least", "300 L/min", it, FAIL, Has("INCONCLUSIVE"), BALANCE),
            Row("over", "30 s", lasts("it"), 10, 30, BALANCE),
            Row("limit", {"max": "30 %"}, it, FAIL, PASS, BALANCE),
        ],
    ),
    Table(
        MeterTruth,
        FIRST,
        FILES,
        run_bench,
        [
            Row("meter", "cdu.level", error, "", Has("HX-1352"), TRUTH),
            Row("reference", "cdu.flow", error, "", Has("a meter is compared with another one"), TRUTH),
            Row("uncertainty", 3, error, "", Has("a reference of 3 % cannot judge a band of 4 %"), TRUTH),
            Row("over", "30 s", lasts("it"), 20, 30, TRUTH),
            Row("limit", {"min": "3 %", "max": "9 %"}, verdict, "PASS", "ERROR", TRUTH),
        ],
    ),
    Table(
        OutletMap,
        FIRST,
        FILES,
        run_bench,
        [
            Row("outlets", "pdu.outlet[1]", error, "", Has("1 outlets are seen at 2 places"), MAP),
            Row("seen_at", PLACES[::-1], it, PASS, Has("FAIL", "is seen at 2: swapped with 2"), MAP),
            Row("least", "2", it, PASS, Has("FAIL", "is seen nowhere"), MAP),
            Row("wait", "5 s", lasts("it"), 18, 27, MAP),
            Row("over", "7 s", lasts("it"), 18, 27, MAP),
            Row("confirm_within", "3 s", lasts("it"), 16, 9, {**MAP, "wire": [["it", 5, "pdu", "stuck", True]]}),
        ],
    ),
    Table(
        Inrush,
        FIRST,
        FILES,
        run_bench,
        [
            Row("outlet", "pdu.outlet", error, "", Has("one outlet is tested at a time"), RUSH),
            Row("hold", "load.fan", error, "", Has("load.fan is not switched on and off"), RUSH),
            Row("peaks", ["cdu.flow"], error, "", Has("the peaks of 3 phases are needed"), RUSH),
            Row("closings", 2, lasts("it"), 14, 28, RUSH),
            Row("rest", "20 s", lasts("it"), 14, 24, RUSH),
            Row("over", "9 s", lasts("it"), 14, 19, RUSH),
            Row("limit", {"max": "110 L/min"}, it, PASS, Has("115.47 L/min, limit <= 110 L/min"), RUSH),
            Row("decay", "1 s", it, PASS, Has("let-through: 6666.67, limit <= 100"), RUSH),
            Row("let_through", {"max": 60}, it, PASS, Has("let-through: 66.6667, limit <= 60"), RUSH),
        ],
    ),
    Table(
        PsuRedundancy,
        SECOND,
        FILES,
        run_bench,
        [
            Row("take", "load.fan", error, "", Has("load.fan does not take 'off'"), REDUNDANT),
            Row(
                "to",
                "on",
                told("pdu"),
                Has("(6, 10, [0])"),
                Has("[(6, 10, [1]), (6, 11, [1]), (6, 10, [1])"),
                REDUNDANT,
            ),
            Row("back", "off", lambda ran: told("pdu")(ran)[3], (6, 10, [1]), (6, 10, [0]), REDUNDANT),
            Row("lasts", "20 s", lasts("it"), 16, 26, REDUNDANT),
            Row("recover", "12 s", lasts("it"), 16, 26, REDUNDANT),
            Row("lowest", "pdu.battery", error, "", Has("HX-1352"), REDUNDANT),
            Row("highest", "pdu.battery", error, "", Has("HX-1352"), REDUNDANT),
            Row("bus", {"min": "49.5 V"}, it, PASS, Has("INCONCLUSIVE", "highest bus voltage"), REDUNDANT),
            Row("outputs", ["pdu.bus", "pdu.power"], error, "", Has("pdu.power is in W, pdu.bus in V"), REDUNDANT),
            Row("rating", "5 V", it, PASS, Has("FAIL", "sharing: 10 %, limit <= 6 %"), REDUNDANT),
            Row("share", {"max": "4 %"}, it, PASS, Has("FAIL", "sharing: 5 %, limit <= 4 %"), REDUNDANT),
            Row("healthy", {"signal": "cdu.pump", "equals": "on"}, it, PASS, Has("FAIL", "alarm after"), REDUNDANT),
            Row("alarm_within", "2 s", it, PASS, Has("FAIL", "alarm after"), REDUNDANT),
            Row("watch", WATCHED, it, PASS, Has("FAIL", "cdu.flow"), REDUNDANT),
        ],
    ),
    Table(
        HoldUp,
        FIRST,
        FILES,
        run_bench,
        [
            Row("loss", "load.fan", error, "", Has("HX-1352"), HOLDS),
            Row("to", "on", told("cdu"), Has("(6, 4, [0])"), Has("[(6, 4, [1]), (6, 4, [1])"), HOLDS),
            Row("back", "off", told("cdu"), Has("(6, 4, [1])"), Has("[(6, 4, [0]), (6, 4, [0])"), HOLDS),
            Row("away", {"signal": "cdu.leak", "equals": "wet"}, it, PASS, Has("INCONCLUSIVE", "without mains"), HOLDS),
            Row("lasts", "12 s", lasts("it"), 16, 28, HOLDS),
            Row("time", {"max": "3 s"}, it, PASS, Has("FAIL", "time without mains"), HOLDS),
            Row("lowest", "pdu.battery", error, "", Has("HX-1352"), HOLDS),
            Row("highest", "pdu.battery", error, "", Has("HX-1352"), HOLDS),
            Row("bus", {"max": "49.5 V"}, it, PASS, Has("INCONCLUSIVE", "lowest bus voltage"), HOLDS),
            Row("load", "cdu.level", error, "", Has("HX-1352"), HOLDS),
            Row("least", "150 L/min", it, PASS, Has("INCONCLUSIVE", "time without mains"), HOLDS),
        ],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_the_run_does(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
