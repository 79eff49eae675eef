"""Keys of interlocks: when they trip, where that leads, and who may leave one out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from harness.schema.station import ArmedWhen, Bypass, Interlock
from tests.keys.models import ABSENT
from tests.keys.plans import LOOK, flow
from tests.keys.rack import FILES, ON
from tests.keys.rows import Case, Has, Row, Table, every_row
from tests.keys.run_bench import Ran, error, run_bench, verdict

PLACE = "station/interlocks/1"
HOLD = {"step": "hold", "name": "it", "for": "10 s"}
ZONES = ["cdu.zone[1].temperature", "cdu.temperature"]
HOT = [["it", 1, "cdu", "holding/20", 90]]
"""The first zone gets hot."""


def watching(signal: str | None = "cdu.flow", *wire: list[Any], **keys: Any) -> dict[str, Any]:
    """A second interlock, `mine`, and what the rack shows while nothing but a hold goes on."""
    named = {"name": "mine", **({"signal": signal} if signal else {}), **keys}
    return {PLACE: named, "plan/steps": [HOLD, LOOK], "wire": list(wire)}


def low(second: float = 1) -> list[Any]:
    """The flow is low from a second of the hold on."""
    return flow(10, "it", second)


LOW = watching("cdu.flow", low(), min="50 L/min")
DIP = watching("cdu.flow", low(), flow(100, "it", 3), min="50 L/min")
VOTE = watching(None, *HOT, signals=ZONES, vote="1oo2", max="60 degC")
JUMP = watching("cdu.temperature", ["it", 2, "cdu", "holding/2", 60], max="80 degC")
LEADS = {**LOW, "station/safe_state/other": [{"set": "pdu.outlet", "to": "off"}]}
NEVER = {"signal": "load.level", "min": "99 %"}
LOCK = {**watching("cdu.flow", min="150 L/min", armed_when=NEVER), "plan/steps": [ON, LOOK]}
DOOR = {**watching("cdu.pump", equals="on"), "plan/steps": [ON, LOOK], "station/unguarded/door": ABSENT}


def armed(signal: str, **bounds: Any) -> dict[str, Any]:
    """Low flow counts only while this holds; the load is at 30 %, the fan at 0 %, the pump on."""
    wire = [low(), ["", 0, "load", "holding/1", 30]]
    return watching("cdu.flow", *wire, min="50 L/min", armed_when={"signal": signal, **bounds})


LATER = str(datetime.now(UTC).date() + timedelta(days=30))
BYPASSED = {"station/bypass": [{"interlock": "much power", "owner": "Kim", "until": LATER, "reason": "a test"}]}


def engineering(ran: Ran) -> str:
    """Why the run certifies nothing; or why there is none."""
    return ran.error or "; ".join(ran.result.engineering)


TABLES = [
    Table(
        Interlock,
        PLACE,
        FILES,
        run_bench,
        [
            Row("min", "150 L/min", verdict, "PASS", "TRIPPED", watching("cdu.flow", min="50 L/min")),
            Row("max", "50 L/min", verdict, "PASS", "TRIPPED", watching("cdu.flow", max="150 L/min")),
            Row("equals", "off", verdict, "PASS", "TRIPPED", watching("cdu.pump", equals="on")),
            Row("one_of", ["off"], verdict, "PASS", "TRIPPED", watching("cdu.pump", one_of=["on"])),
            Row("name", "other", lambda ran: ran.result.interlocks[1].name, "mine", "other", LOW),
            Row("signal", "cdu.setpoint", verdict, "TRIPPED", "PASS", LOW),
            Row("signals", [*ZONES[1:], "cdu.zone[2].temperature"], verdict, "TRIPPED", "PASS", VOTE),
            Row("vote", "2oo2", verdict, "TRIPPED", "PASS", VOTE),
            Row("max_rate", "2 K/s", verdict, "PASS", "TRIPPED", JUMP),
            Row("for", "5 s", verdict, "TRIPPED", "PASS", DIP),
            Row("armed_when", {"signal": "load.level", "min": "10 %"}, verdict, "TRIPPED", "PASS", LOW),
            Row("armed_in", ["end"], verdict, "TRIPPED", "PASS", DIP),
            Row("on_trip", "other", lambda ran: ran.result.safe_state.name, "default", "other", LEADS),
            Row("action", "warn", verdict, "TRIPPED", "PASS", LOW),
            Row("locks_power", True, verdict, "TRIPPED", "ERROR", LOCK),
            Row("guards", "door", error, Has("HX-1381", "door contact"), "", DOOR),
        ],
    ),
    Table(
        ArmedWhen,
        f"{PLACE}/armed_when",
        FILES,
        run_bench,
        [
            Row("signal", "load.fan", verdict, "TRIPPED", "PASS", armed("load.level", min="20 %")),
            Row("min", "50 %", verdict, "TRIPPED", "PASS", armed("load.level", min="20 %")),
            Row("max", "20 %", verdict, "TRIPPED", "PASS", armed("load.level", max="50 %")),
            Row("equals", "off", verdict, "TRIPPED", "PASS", armed("cdu.pump", equals="on")),
            Row("one_of", ["off"], verdict, "TRIPPED", "PASS", armed("cdu.pump", one_of=["on"])),
        ],
    ),
    Table(
        Bypass,
        "station/bypass/0",
        FILES,
        run_bench,
        [
            Row("interlock", "mine", engineering, Has("'much power'"), Has("'mine'"), {**LOW, **BYPASSED}),
            Row("owner", "Lee", engineering, Has("by Kim"), Has("by Lee"), BYPASSED),
            Row("until", "2026-01-31", engineering, Has(f"until {LATER}"), Has("HX-1377"), BYPASSED),
            Row("reason", "a visit", engineering, Has("a test"), Has("a visit"), BYPASSED),
        ],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_trips(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
