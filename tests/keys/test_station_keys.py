"""Keys of a station: what each changes in what a run does on it, records or refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from harness.schema.motion import MovesWhile, StationMover
from harness.schema.station import Derived, DeviceEntry, Station
from tests.keys.commands import line
from tests.keys.device_bench import device_bench, value
from tests.keys.device_bench import error as refused
from tests.keys.models import ABSENT
from tests.keys.plans import LOOK, bus, code
from tests.keys.rack import FILES, ON
from tests.keys.rows import Case, Has, Row, Table, every_row
from tests.keys.run_bench import Ran, check_bench, ends, error, last, of_step, run_bench, texts, told, verdict
from tests.keys.servers import ROOT, Objects

STILL = {
    "station/interlocks/1": {"name": "flow", "signal": "cdu.flow", "min": "50 L/min", "for": "20 s"},
    "plan/steps": [{"step": "hold", "name": "it", "for": "30 s"}, LOOK],
    "wire": [["it", 12, "load", "holding/1", 50]],
}
"""The flow stands still at 100 L/min while the load goes from 0 to 50 %."""
MOVER = {"signal": "load.level", "by": "10 %", "within": "5 s"}
MOVED = {**STILL, "station/moves_with": {"cdu.flow": [MOVER]}}
FROZEN, ALIVE = Has("cdu.flow is frozen"), []
HALF = {"cdu.half": {"function": "difference", "inputs": {"high": "cdu.flow", "low": "cdu.setpoint"}}}
SUM = {
    "station/derived": {"cdu.it": {"function": "sum", "inputs": {"a": "cdu.flow", "b": "cdu.flow"}, "unit": "L/min"}}
}
IT = "derived.cdu.it"
LATER = str(datetime.now(UTC).date() + timedelta(days=30))
BYPASS = [{"interlock": "much power", "owner": "Kim", "until": LATER, "reason": "a test"}]
SLOW = {"station/interlocks/0/for": "10 s"}
ONE = {"station/safe_state/default": [{"set": "pdu.outlet[1]", "to": "off"}]}
TWO = {"default": [{"set": "pdu.outlet", "to": "off"}, {"set": "load.level", "to": "0 %"}]}
ENERGISES = {"plan/steps": [ON, LOOK]}


def gated(**gate: Any) -> dict[str, Any]:
    """The flow moves with the load only while this holds; the fan is at 30 %, the pump on."""
    wire = [*STILL["wire"], ["", 0, "load", "holding/2", 30]]
    return {**STILL, "wire": wire, "station/moves_with": {"cdu.flow": [{**MOVER, "while": gate}]}}


def mute(*, until: float = 15, **entry: Any) -> dict[str, Any]:
    """The cooling unit says nothing from the second second of a hold on."""
    return {
        "plan/steps": [{"step": "hold", "name": "it", "for": "30 s"}, LOOK],
        "wire": [["it", 2, "cdu", "mute", True], ["it", until, "cdu", "mute", False]],
        **{f"station/devices/cdu/{key}": value for key, value in entry.items()},
    }


SILENT = {**mute(until=7), "station/interlocks/1": {"name": "flow", "signal": "cdu.flow", "min": "50 L/min"}}
LASTS = {"plan/steps": [{"step": "hold", "name": "it", "for": "20 s"}, LOOK]}


def reads(address: int) -> Any:
    """How often a register of the cooling unit was asked for on its own."""
    return lambda ran: len([what for _, name, what in ran.asked if name == "cdu" and what == (3, address, 1)])


def frames(ran: Ran) -> Any:
    """How many frames came of the cooling unit, roughly."""
    return round(next(one.received for one in ran.result.coverage if one.device == "cdu") / 10)


UNFIT = {"plan/steps/0/firmware": {"cdu": ["F2"]}}

TABLES = [
    Table(
        Station,
        "station",
        FILES,
        run_bench,
        [
            Row("schema", 2, error, "", Has("HX-1209 this file is of schema 2, this harness reads 1")),
            Row("station", "other", lambda ran: ran.result.station, "bench", "other"),
            Row("devices", {}, error, "", Has("unknown device 'pdu'")),
            Row("derived", HALF, lambda ran: "derived.cdu.half" in ran.series, False, True),
            Row("interlocks", [], lambda ran: len(ran.result.interlocks), 1, 0),
            Row("longest_for", "5 s", error, "", Has("10 s is longer than the 5 s"), SLOW),
            Row("bypass", BYPASS, lambda ran: bool(ran.result.engineering), False, True),
            Row(
                "longest_bypass",
                "9 d",
                error,
                "",
                Has("ends in 30 days: longer than the 9 days"),
                {"station/bypass": BYPASS},
            ),
            Row("moves_with", {"cdu.flow": [MOVER]}, texts("frozen"), ALIVE, FROZEN, STILL),
            Row("safe_state", TWO, told("load"), [], [(6, 1, [0])]),
            Row("stays_on", {"pdu.outlet[2]": "feeds it"}, error, Has("leaves pdu.outlet[2] as found"), "", ONE),
            Row("unguarded", {"door": "none"}, error, "", Has("leak: ..."), ENERGISES),
            Row("coverage_floor", "95 %", error, "", Has("HX-1391")),
            Row("de_energised", ABSENT, code, 5, 0, bus(50)),
            Row("show", ["load.fan"], lambda ran: "load.fan" in ran.screen, False, True, {"screen": True}),
        ],
    ),
    Table(
        Station,
        "station",
        FILES,
        check_bench("station.yaml"),
        [
            Row("title", "Blue", line("Blue"), "", "Blue"),
            Row("bays", {"a": {}, "b": {}}, line("bays"), "", Has("a file of several bays is called by the bay")),
        ],
    ),
    Table(
        StationMover,
        "station/moves_with/cdu.flow/0",
        FILES,
        run_bench,
        [
            Row("signal", "load.fan", texts("frozen"), FROZEN, ALIVE, MOVED),
            Row("by", "80 %", texts("frozen"), FROZEN, ALIVE, MOVED),
            Row("within", "50 s", texts("frozen"), FROZEN, ALIVE, MOVED),
            Row("while", {"signal": "cdu.pump", "equals": "off"}, texts("frozen"), FROZEN, ALIVE, MOVED),
        ],
    ),
    Table(
        MovesWhile,
        "station/moves_with/cdu.flow/0/while",
        FILES,
        run_bench,
        [
            Row("signal", "cdu.level", texts("frozen"), ALIVE, FROZEN, gated(signal="load.fan", min="50 %")),
            Row("min", "50 %", texts("frozen"), FROZEN, ALIVE, gated(signal="load.fan", min="20 %")),
            Row("max", "20 %", texts("frozen"), FROZEN, ALIVE, gated(signal="load.fan", max="50 %")),
            Row("equals", "off", texts("frozen"), FROZEN, ALIVE, gated(signal="cdu.pump", equals="on")),
            Row("one_of", ["off"], texts("frozen"), FROZEN, ALIVE, gated(signal="cdu.pump", one_of=["on"])),
        ],
    ),
    Table(
        Derived,
        "station/derived/cdu.it",
        FILES,
        run_bench,
        [
            Row("function", "ratio", error, "", Has("takes the inputs"), SUM),
            Row(
                "inputs",
                {"a": "cdu.flow", "b": "cdu.setpoint"},
                last(IT),
                20.0,
                110.0,
                {**SUM, "wire": [["", 0, "cdu", "holding/1", 10]]},
            ),
            Row("unit", "m3/h", last(IT), 200.0, 12.0, SUM),
        ],
    ),
    Table(
        Derived,
        "station/derived/cdu.it",
        FILES,
        check_bench("station.yaml"),
        [Row("description", "Blue", line("cdu.it"), Has("sum(cdu.flow, cdu.flow)"), Has("Blue"), SUM)],
    ),
    Table(
        DeviceEntry,
        "station/devices/cdu",
        FILES,
        run_bench,
        [
            Row("profile", "./load.yaml", error, "", Has("unknown signal 'cdu.leak'")),
            Row(
                "role",
                "uut",
                of_step("look"),
                Has("ERROR"),
                Has("FAIL"),
                UNFIT,
            ),
            Row("poll", "2 s", frames, 2, 1, LASTS),
            Row("slow", "3 s", reads(7), 3, 7, LASTS),
            Row("max_age", "9 s", verdict, "ERROR", "INCONCLUSIVE", SILENT),
            Row("grace", "4 s", ends, Has("INCONCLUSIVE"), Has("ERROR"), mute(until=9)),
            Row("needed", "monitor", ends, Has("ERROR"), Has("INCONCLUSIVE"), mute()),
            Row("serial", "X", ends, Has("PASS"), Has("the station file expects 'X'")),
        ],
    ),
]

AGENT = {
    "profile": f"""
schema: 1
profile: own/box
title: Box
class: meter
protocol: snmp
source: made up
unverified: made up
identity: {{firmware: name}}
parameters: {{n: 1}}
signals:
  x: {{oid: "{ROOT}.{{n}}.0"}}
  name: {{oid: {ROOT}.3.0, type: text, poll: once}}
repeat:
  cell:
    count: 2
    signals:
      v: {{oid: "{ROOT}.10.{{i}}"}}
""",
    "entry": "{profile: it, address: SERVER}",
}
CONTENTS: dict[str, int | str] = {"1.0": 1000, "2.0": 50, "3.0": "F1", "10.1": 5, "10.2": 6}
SECRET = {"snmp": {"version": "2c", "community": "secret"}}
x = value("x")

TABLES += [
    Table(
        DeviceEntry,
        "entry",
        AGENT,
        device_bench(lambda: Objects(CONTENTS)),
        [
            Row("address", "snmp://127.0.0.1:9", x, 1000.0, Has("nobody listens")),
            Row("parameters", {"n": 2}, x, 1000.0, 50.0),
            Row("counts", {"cell": 1}, value("cell[2].v"), 6.0, "no such signal"),
            Row("firmware", ["F2"], refused, "", Has("firmware 'F1' is not one of F2")),
        ],
    ),
    Table(
        DeviceEntry,
        "entry",
        AGENT,
        device_bench(lambda: Objects(CONTENTS, community="secret", write_community="secret")),
        [Row("credentials", {"file": "snmp.yaml"}, x, Has("no answer"), 1000.0, SECRET)],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_happens_on_the_station(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
