"""Keys of the steps that provoke something: pumps that stop, alarms, leaks."""

from __future__ import annotations

from typing import Any

import pytest

from harness.steps.alarm_walk import Alarm, AlarmWalk
from harness.steps.leak_interlock_proof import LeakInterlockProof, LeakSensor
from harness.steps.provoking import Cause, Expected, Setpoint
from harness.steps.pump_failover import PumpFailover, StoppedPump
from tests.keys.plans import FIRST, flow, leak, only
from tests.keys.rack import FILES
from tests.keys.rows import Case, Has, Row, Table, changed, every_row, parsed
from tests.keys.run_bench import Ran, error, lasts, measured, of_step, run_bench, told, verdict

it = of_step("it")
PASS, FAIL = Has("PASS"), Has("FAIL")
OFF, ON = {"set": {"control": "cdu.pump", "to": "off"}}, {"set": {"control": "cdu.pump", "to": "on"}}
FAN, NO_FAN = ({"set": {"control": "load.fan", "to": to}} for to in ("20 %", "0 %"))
QUIET = {"signal": "pdu.power", "max": "100 W"}
DAMP, WET = leak(1, "it", 3), leak(2, "it", 3)


def seconds(name: str) -> Any:
    """A measured time, whole seconds."""
    return lambda ran: ran.error or round(measured(ran, name).value)


# --- pumps

PUMP = {
    "name": "pump 1",
    "stop": OFF,
    "start": [ON],
    "stopped": {"signal": "cdu.pump", "shows": "off", "within": "5 s"},
    "alarm": {"signal": "cdu.leak", "shows": "damp", "within": "20 s"},
}
PUMPS = only(
    "pump_failover",
    pumps=[PUMP],
    flow="cdu.flow",
    supply="cdu.temperature",
    before="12 s",
    over="30 s",
    rest="10 s",
    dip={"max": "50 %"},
    recovery={"max": "25 s"},
    overshoot={"max": "3 K"},
    wire=[
        flow(60, "it", 14),
        flow(80, "it", 20),
        flow(99, "it", 26),
        leak(1, "it", 22),
        ["it", 18, "cdu", "holding/2", 27],
    ],
)
FLOW_2 = {**PUMPS, "cdu/signals/flow_2": {"address": 5, "unit": "L/min", "range": [0, 500]}}

LOST, RISE = "it: pump 1: flow lost", "it: pump 1: rise of the supply"

# --- alarms

ALARM = {
    "name": "damp",
    "cause": OFF,
    "expect": {"signal": "cdu.leak", "shows": "damp", "within": "10 s"},
    "back": [ON],
    "clears_within": "20 s",
}
WALK = only("alarm_walk", alarms=[ALARM], wire=[DAMP, leak(0, "it", 18)])
OTHERS = only("alarm_walk", alarms=[ALARM], wire=[leak(2, "it", 2), leak(1, "it", 4), leak(0, "it", 18)])
ASKED = {**WALK, f"{FIRST}/alarms/0/cause": {"prompt": "Wet it!"}, "answer": "done"}

# --- leaks

SENSOR = {
    "name": "pan",
    "cause": FAN,
    "back": [NO_FAN],
    "detected": {"signal": "cdu.leak", "shows": "wet", "within": "10 s"},
}
LEAK = only("leak_interlock_proof", no_power=[QUIET], sensors=[SENSOR], wire=[WET, leak(0, "it", 15)])
SLOW = {"signal": "cdu.flow", "max": "50 L/min", "within": "10 s"}
SHUT = {**LEAK, f"{FIRST}/sensors/0/liquid": SLOW, "wire": [WET, flow(20, "it", 5), leak(0, "it", 15)]}


def steps_of(ran: Ran) -> list[str]:
    """The names of all measurements."""
    return [one.name for step in ran.result.steps for one in step.measurements]


def has(word: str) -> Any:
    """Whether a measurement has a word in its name."""
    return lambda ran: any(word in name for name in steps_of(ran))


TABLES = [
    Table(
        PumpFailover,
        FIRST,
        FILES,
        run_bench,
        [
            Row("pumps", [{**PUMP, "name": "other"}], has("other"), False, True, PUMPS),
            Row("flow", "cdu.flow_2", lambda ran: measured(ran, LOST).value > 20, True, False, FLOW_2),
            Row("supply", "cdu.zone[1].temperature", lambda ran: measured(ran, RISE).value, 2.0, 0.0, PUMPS),
            Row(
                "while",
                [{"signal": "cdu.flow", "min": "150 L/min"}],
                it,
                PASS,
                Has("FAIL", "pump 1 is not stopped"),
                PUMPS,
            ),
            Row("before", "14 s", lasts("it"), 52, 54, PUMPS),
            Row("over", "36 s", lasts("it"), 52, 58, PUMPS),
            Row("rest", "20 s", lasts("it"), 52, 62, PUMPS),
            Row("share", "75 %", seconds("it: pump 1: flow back after"), 16, 10, PUMPS),
            Row("dip", {"max": "10 %"}, it, PASS, Has("FAIL", "flow lost"), PUMPS),
            Row("recovery", {"max": "5 s"}, it, PASS, Has("FAIL", "flow back after"), PUMPS),
            Row("overshoot", {"max": "1 K"}, it, PASS, Has("FAIL", "rise of the supply: 2 K"), PUMPS),
        ],
    ),
    Table(
        StoppedPump,
        f"{FIRST}/pumps/0",
        FILES,
        run_bench,
        [
            Row("name", "other", has("other"), False, True, PUMPS),
            Row("stop", FAN, it, PASS, Has("ERROR", "pump 1 was to stop"), PUMPS),
            Row("start", [ON, FAN], told("load"), [], Has("20"), PUMPS),
            Row("stopped", {"signal": "cdu.leak", "shows": "wet", "within": "5 s"}, it, PASS, Has("ERROR"), PUMPS),
            Row(
                "alarm",
                {"signal": "cdu.leak", "shows": "wet", "within": "20 s"},
                it,
                PASS,
                Has("FAIL", "reported after"),
                PUMPS,
            ),
        ],
    ),
    Table(
        AlarmWalk,
        FIRST,
        FILES,
        run_bench,
        [
            Row("alarms", [{**ALARM, "name": "other"}], has("other"), False, True, WALK),
            Row("while", [{"signal": "pdu.power", "min": "1 kW"}], it, PASS, Has("FAIL", "damp is not provoked"), WALK),
        ],
    ),
    Table(
        Alarm,
        f"{FIRST}/alarms/0",
        FILES,
        run_bench,
        [
            Row("name", "other", has("other"), False, True, WALK),
            Row("cause", FAN, told("load"), [], Has("20"), WALK),
            Row(
                "expect",
                {"signal": "cdu.leak", "shows": "wet", "within": "10 s"},
                it,
                PASS,
                Has("FAIL", "seen after"),
                WALK,
            ),
            Row("back", [ON, FAN], told("load"), [], Has("20"), WALK),
            Row("clears_within", "5 s", it, PASS, Has("FAIL", "is gone after"), WALK),
            Row("alone", True, it, PASS, Has("FAIL", "brings others: 1"), OTHERS),
        ],
    ),
    Table(
        Cause,
        f"{FIRST}/alarms/0/cause",
        FILES,
        run_bench,
        [
            Row("set", {"control": "load.fan", "to": "20 %"}, told("load"), [], Has("20"), WALK),
            Row("prompt", "Pour!", lambda ran: ran.questions[0][0], "Wet it!", "Pour!", ASKED),
        ],
    ),
    Table(
        Setpoint,
        f"{FIRST}/sensors/0/cause/set",
        FILES,
        run_bench,
        [
            Row("control", "load.level", told("load"), Has("(6, 2, [20])"), Has("(6, 1, [20])"), LEAK),
            Row("to", "30 %", told("load"), Has("(6, 2, [20])"), Has("(6, 2, [30])"), LEAK),
        ],
    ),
    Table(
        Expected,
        f"{FIRST}/alarms/0/expect",
        FILES,
        run_bench,
        [
            Row("signal", "cdu.pump", error, "", Has("never shows 'damp'"), WALK),
            Row("shows", "wet", it, PASS, FAIL, WALK),
            Row("within", "2 s", it, PASS, FAIL, WALK),
        ],
    ),
    Table(
        Expected,
        f"{FIRST}/sensors/0/liquid",
        FILES,
        run_bench,
        [
            Row("max", "5 L/min", it, PASS, FAIL, SHUT),
            Row("min", "30 L/min", it, PASS, FAIL, SHUT),
        ],
    ),
    Table(
        LeakInterlockProof,
        FIRST,
        FILES,
        run_bench,
        [
            Row("sensors", [{**SENSOR, "name": "floor"}], has("floor"), False, True, LEAK),
            Row(
                "no_power", [{"signal": "pdu.power", "min": "1 kW"}], it, PASS, Has("FAIL", "pan is not made wet"), LEAK
            ),
        ],
    ),
    Table(
        LeakSensor,
        f"{FIRST}/sensors/0",
        FILES,
        run_bench,
        [
            Row("name", "floor", has("floor"), False, True, LEAK),
            Row(
                "cause",
                {"set": {"control": "load.level", "to": "1 %"}},
                told("load"),
                Has("(6, 2, [20])"),
                Has("(6, 1, [1])"),
                LEAK,
            ),
            Row(
                "detected",
                {"signal": "cdu.leak", "shows": "damp", "within": "10 s"},
                it,
                PASS,
                Has("FAIL", "detected"),
                LEAK,
            ),
            Row(
                "fault",
                {"signal": "cdu.leak", "shows": "damp", "within": "10 s"},
                it,
                PASS,
                Has("FAIL", "broken after"),
                LEAK,
            ),
            Row("liquid", SLOW, it, PASS, Has("FAIL", "liquid isolated after"), LEAK),
            Row("electrical", {**SLOW, "max": "9 L/min"}, it, PASS, Has("FAIL", "electrically isolated after"), LEAK),
            Row("back", [FAN], told("load"), Has("(6, 2, [0])"), Has("[20]"), LEAK),
            Row("clears_within", "5 s", it, PASS, Has("FAIL", "clear after"), LEAK),
            Row("alone", True, it, PASS, Has("FAIL", "brings others: 1"), {**LEAK, "wire": [DAMP, leak(2, "it", 5)]}),
        ],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_the_run_does(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))


def carried_out(folder, given):
    files = {name: parsed(text) for name, text in FILES.items()}
    for place, value in given.items():
        files = changed(files, place, value)
    return run_bench(folder, files)


@pytest.mark.parametrize(
    ("given", "controls"),
    [
        ({**WALK, f"{FIRST}/alarms/0/expect/within": "1 s"}, "cdu"),
        ({**PUMPS, f"{FIRST}/dip": {"max": "1 %"}}, "cdu"),
        ({**PUMPS, f"{FIRST}/pumps/0/stopped/shows": "on", "wire": []}, "cdu"),
        ({**LEAK, "wire": []}, "load"),
    ],
)
def test_what_was_provoked_is_taken_back_whatever_was_found(tmp_path, given, controls):
    """Judged by what the device was told last, before the end of the run tells it anything."""
    ran = carried_out(tmp_path, given)
    assert verdict(ran) != "PASS"
    kinds = [each.kind for each in ran.events if each.kind in ("intent", "step end") and controls in str(each.data)]
    end = next(k for k, each in enumerate(ran.events) if each.kind == "step end")
    intents = [each.text for each in ran.events[:end] if each.kind == "intent" and each.text.startswith(controls)]
    assert len(intents) == 2, f"set, and set back: {kinds}"


def test_a_leak_sensor_that_is_wet_already_proves_nothing(tmp_path):
    ran = carried_out(tmp_path, {**LEAK, "wire": [leak(2)]})
    assert "before pan is touched" in ran.result.reason
    assert told("load")(ran) == []
