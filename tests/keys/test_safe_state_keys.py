"""Keys of the safe state: what devices are told at the end, when, and what is called confirmed."""

from __future__ import annotations

from typing import Any

from harness.schema.station import DeEnergised, KeepUntil, SafeAction, SafeSequence
from tests.keys.plans import DEFAULT, LOOK, OFF, PLACE, PUMP_OFF, bus, code, default
from tests.keys.rack import FILES, ON
from tests.keys.rows import Case, Has, Row, Table, every_row
from tests.keys.run_bench import error, run_bench, told, told_at

KEEP = {"keep": "cdu.pump", "until": {"signal": "cdu.temperature", "max": "20 degC"}, "at_most": "30 s"}


def took(index: int) -> Any:
    """How long an action of the safe state took, whole seconds."""
    return lambda ran: round(ran.result.safe_state.actions[index].took_s)


def action(index: int) -> Any:
    """An action of the safe state in words."""
    return lambda ran: ran.result.safe_state.actions[index].action


SECOND = f"{DEFAULT}/1"
LEVEL = default({"set": "load.level", "to": "0 %"})
STUCK = [["", 0, "load", "stuck", True], ["", 0, "load", "holding/1", 5]]
NEVER = default({"set": "load.level", "to": "7 %"}, wire=[["", 0, "load", "stuck", True]])
ENERGISED = [["look", 0, "pdu", "stuck", True]]
END = {
    "station/safe_state/end": {"kind": "end", "actions": [OFF, KEEP]},
    "plan/steps": [ON, LOOK],
}


def kept(signal: str, *, at_most: str = "30 s", **until: Any) -> dict[str, Any]:
    """The coolant runs until this holds."""
    return default({"keep": "cdu.pump", "until": {"signal": signal, **until}, "at_most": at_most})


def sequence(kind: str, *actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A leak that leads to the sequence `other`, while the outlets cannot be opened."""
    wet = [["look", 1, "cdu", "holding/3", 2], ["look", 0, "pdu", "stuck", True]]
    return {
        "station/safe_state/other": {"kind": kind, "actions": list(actions), **more},
        "station/interlocks/1": {"name": "leak", "signal": "cdu.leak", "equals": "dry", "on_trip": "other"},
        "plan/steps": [ON, {"step": "hold", "name": "look", "for": "5 s"}, LOOK],
        "wire": wet,
    }


OTHER = "station/safe_state/other"
LEAK = sequence("leak", OFF, PUMP_OFF)
WIDE = {"set": "load.level", "to": "3 %", "only_if_confirmed": False}
WIDER = {
    **LEAK,
    "station/safe_state/wide": {"kind": "leak", "scope": "rack", "actions": [OFF, WIDE]},
    "station/interlocks/2": {"name": "two", "signal": "cdu.temperature", "max": "40 degC", "on_trip": "wide"},
    "wire": [*LEAK["wire"], ["look", 2, "cdu", "holding/2", 45]],
}
"""While a leak is dealt with, one of the rack comes."""
STOPS, RUNS = Has("(6, 4, [0])"), []
CARRIES = {"battery_current": ["pdu.battery"]}

TABLES = [
    Table(
        SafeAction,
        SECOND,
        FILES,
        run_bench,
        [
            Row("set", "load.fan", told("load"), [(6, 1, [0])], [(6, 2, [0])], LEVEL),
            Row("to", "3 %", told("load"), [(6, 1, [0])], [(6, 1, [3])], LEVEL),
            Row("confirm_within", "2 s", took(1), 5, 2, NEVER),
            Row("only_tripped", True, error, "", Has("HX-1328", "load.level has no rows"), LEVEL),
            Row("confirm_by", {"signal": "pdu.bus", "max": "10 V"}, code, 0, 5, LEVEL),
            Row("keep", "cdu.setpoint", action(1), Has("keep cdu.pump"), Has("keep cdu.setpoint"), default(KEEP)),
            Row("until", {"signal": "cdu.temperature", "max": "50 degC"}, took(1), 30, 0, default(KEEP)),
            Row("at_least", "7 s", took(1), 0, 7, kept("cdu.temperature", max="50 degC")),
            Row("at_most", "9 s", took(1), 30, 9, default(KEEP)),
            Row(
                "only_if_confirmed",
                False,
                told("cdu"),
                RUNS,
                STOPS,
                {
                    **default(PUMP_OFF, wire=ENERGISED),
                    "plan/steps": [ON, {"step": "hold", "name": "look", "for": "3 s"}, LOOK],
                },
            ),
        ],
    ),
    Table(
        SafeAction,
        "station/safe_state/end/actions/0",
        FILES,
        run_bench,
        [Row("stagger", "3 s", lambda ran: told_at("pdu")(ran)[-1], 0, 3, END)],
    ),
    Table(
        KeepUntil,
        f"{SECOND}/until",
        FILES,
        run_bench,
        [
            Row("signal", "cdu.zone[1].temperature", took(1), 0, 30, kept("cdu.temperature", max="28 degC")),
            Row("min", "28 degC", took(1), 0, 30, kept("cdu.temperature", min="20 degC")),
            Row("max", "20 degC", took(1), 0, 30, kept("cdu.temperature", max="28 degC")),
            Row("equals", "wet", took(1), 0, 30, kept("cdu.leak", equals="dry")),
            Row("one_of", ["wet", "damp"], took(1), 0, 30, kept("cdu.leak", one_of=["dry", "damp"])),
            Row("for", "8 s", took(1), 0, 8, kept("cdu.temperature", max="28 degC")),
        ],
    ),
    Table(
        SafeSequence,
        OTHER,
        FILES,
        run_bench,
        [
            Row("kind", "leak", error, Has("HX-1374"), "", sequence("heat", OFF, PUMP_OFF)),
            Row("on_live_parts", True, told("cdu"), RUNS, STOPS, LEAK),
            Row("scope", "tray", told("load"), [], [(6, 1, [3])], WIDER),
            Row("actions", [OFF, {**PUMP_OFF, "only_if_confirmed": False}], told("cdu"), RUNS, STOPS, LEAK),
        ],
    ),
    Table(
        DeEnergised,
        PLACE,
        FILES,
        run_bench,
        [
            Row("bus", ["pdu.bus2"], code, 5, 0, bus(50)),
            Row("under_voltage", "20 V", told("cdu"), STOPS, RUNS, bus(30)),
            Row("battery_current", ["pdu.battery"], told("cdu"), STOPS, RUNS, bus(30, 5)),
            Row("battery_idle", "10 A", told("cdu"), RUNS, STOPS, bus(30, 5, **CARRIES)),
            Row("below", "35 V", code, 5, 0, bus(30)),
            Row("within", "5 s", code, 0, 5, bus(50, wire=[["", 20, "pdu", "holding/3", 0]])),
        ],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_is_made_safe(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
