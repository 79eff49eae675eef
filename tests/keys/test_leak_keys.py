"""Keys of the steps of leak tests: what each changes in the verdict, in what is told, or in how long it takes."""

from __future__ import annotations

from harness.steps.drain_check import DrainCheck
from harness.steps.leak_decay import LeakDecay
from harness.steps.pressure_release import PressureRelease, Valve
from harness.steps.wet_hold import WetHold
from tests.keys.gas_bench import FILES, IT, Ran, ends, error, filled, gas_bench, minutes, notes, verdict
from tests.keys.rows import Case, Has, Row, Table, every_row

PASS, FAIL = Has("PASS"), Has("FAIL")
TEMPERATURES = ["gas.temperature_1", "gas.temperature_2"]
GIVEN = {
    "pressure": "gas.pressure", "temperatures": TEMPERATURES, "volume": "60 L", "volume_uncertainty": "3 %",
    "tracking": "4 %", "pressure_walk": "0.05 kPa", "temperature_walk": "0.01 K", "at": "500 kPa",
    "stable": "2 K/min", "stable_over": "10 s", "stable_within": "3 min", "over": "2 min", "ratio": 1,
    "limit": {"max": "200 sccm"},
}  # fmt: skip
DECAY = filled("leak_decay", **GIVEN)
LINE = filled("leak_decay", **{**GIVEN, "line_pressure": "gas.line_pressure", "line_change": "1 kPa"})
SLOW = filled("leak_decay", **{**GIVEN, "stable": "0.8 K/min", "stable_within": "30 s"})
OUT = [
    {"control": "gas.fill", "to": "off"},
    {"control": "gas.isolation", "to": "open"},
    {"control": "gas.vent", "to": "open"},
]
RELEASE = filled("pressure_release", valves=OUT, pressure="gas.pressure", below="105 kPa", within="3 min")
ROOM = filled(
    "pressure_release", valves=OUT, pressure="gas.pressure", below="300 kPa", within="3 min",
    room="gas.ambient_pressure", room_within="1.5 kPa",
)  # fmt: skip
HOLD = filled(
    "wet_hold", pressure="gas.pressure", temperature="gas.temperature_1", per_kelvin="1.7 kPa",
    per_kelvin_uncertainty="10 %", pressure_walk="0.05 kPa", at_least="450 kPa", stabilise="5 s", over="60 s",
    limit={"max": "1 kPa"},
)  # fmt: skip
DRAIN = filled(
    "drain_check", dew_point="gas.exhaust_dew_point", limit={"max": "-20 degC"}, over="5 s", within="50 s",
    temperature="gas.temperature_1", volume="60 L", mass_limit={"max": "0.1 g"}, pressure="gas.pressure",
    pressure_limit={"min": "110 kPa"},
)  # fmt: skip


def uncertain(ran: Ran) -> int:
    """The expanded uncertainty, whole sccm."""
    return round(ran.values["it: expanded uncertainty"])


TABLES = [
    Table(
        LeakDecay,
        IT,
        FILES,
        gas_bench,
        [
            Row("pressure", "gas.line_pressure", ends, PASS, Has("ERROR", "gas comes in"), DECAY),
            Row("temperatures", ["gas.ambient_temperature"], ends, PASS, Has("FAIL", "limit <= 200 sccm"), DECAY),
            Row("pressure_check", "gas.line_pressure", ends, PASS, Has("ERROR", "disagree"), DECAY),
            Row("line_pressure", "gas.pressure", ends, PASS, Has("ERROR", "one leaks by"), LINE),
            Row("line_change", "0.0001 kPa", ends, PASS, Has("ERROR", "one leaks by"), LINE),
            Row("volume", "30 L", uncertain, 31, 16, DECAY),
            Row("volume_uncertainty", "120 %", error, "", Has("does not decide 200 sccm"), DECAY),
            Row("tracking", "8 %", uncertain, 31, 57, DECAY),
            Row("pressure_walk", "1 kPa", error, "", Has("3 min are needed"), DECAY),
            Row("temperature_walk", "1 K", error, "", Has("min are needed"), DECAY),
            Row("at", "600 kPa", ends, PASS, Has("ERROR", "the test is one at 600 kPa"), DECAY),
            Row("stable", "0.7 K/min", notes, Has("stable after 10 s"), Has("stable after 1"), DECAY),
            Row("stable_over", "60 s", notes, Has("stable after 10 s"), Has("stable after 60 s"), DECAY),
            Row("stable_within", "12 min", notes, Has("not stable after 30 s"), Has("stable after 40 s"), SLOW),
            Row("over", "4 min", minutes, 4, 8, DECAY),
            Row("ratio", 100, error, "", Has("does not decide 200 sccm (2 at most, ratio 100)"), DECAY),
            Row("limit", {"max": "20 sccm"}, error, "", Has("does not decide 20 sccm"), DECAY),
        ],
    ),
    Table(
        PressureRelease,
        IT,
        FILES,
        gas_bench,
        [
            Row("valves", OUT[:2], ends, PASS, Has("ERROR", "must be <= 105 kPa"), RELEASE),
            Row("pressure", "gas.ambient_pressure", minutes, 3, 0, RELEASE),
            Row("below", "300 kPa", minutes, 3, 1, RELEASE),
            Row("within", "30 s", ends, PASS, Has("ERROR", "after 30 s"), RELEASE),
            Row("room", "gas.pressure_setpoint", ends, PASS, Has("ERROR", "apart"), ROOM),
            Row("room_within", "250 kPa", minutes, 4, 1, ROOM),
        ],
    ),
    Table(
        Valve,
        f"{IT}/valves/2",
        FILES,
        gas_bench,
        [
            Row("control", "gas.isolation", verdict, "PASS", "ERROR", RELEASE),
            Row("to", "closed", verdict, "PASS", "ERROR", RELEASE),
        ],
    ),
    Table(
        WetHold,
        IT,
        FILES,
        gas_bench,
        [
            Row("pressure", "gas.ambient_pressure", ends, PASS, Has("FAIL", "must be 450 kPa at least"), HOLD),
            Row("temperature", "gas.ambient_temperature", verdict, "PASS", "FAIL", HOLD),
            Row("per_kelvin", "0.1 kPa", verdict, "PASS", "FAIL", HOLD),
            Row("per_kelvin_uncertainty", "90 %", verdict, "PASS", "INCONCLUSIVE", HOLD),
            Row("pressure_walk", "2 kPa", error, "", Has("does not decide a drop of 1 kPa"), HOLD),
            Row("at_least", "550 kPa", ends, PASS, Has("FAIL", "must be 550 kPa at least"), HOLD),
            Row("stabilise", "65 s", minutes, 2, 4, HOLD),
            Row("over", "3 min", minutes, 2, 6, HOLD),
            Row("limit", {"max": "0.06 kPa"}, verdict, "PASS", "INCONCLUSIVE", HOLD),
            Row("watch", [{"signal": "gas.vent", "equals": "open"}], verdict, "PASS", "FAIL", HOLD),
        ],
    ),
    Table(
        DrainCheck,
        IT,
        FILES,
        gas_bench,
        [
            Row("dew_point", "gas.ambient_temperature", verdict, "PASS", "FAIL", DRAIN),
            Row("limit", {"max": "-45 degC"}, verdict, "PASS", "FAIL", DRAIN),
            Row("over", "45 s", minutes, 0, 2, DRAIN),
            Row("within", "4 s", error, "", Has("as long as `within`"), DRAIN),
            Row("temperature", "gas.pressure", error, "", Has("is no temperature"), DRAIN),
            Row("volume", "60000 L", ends, PASS, Has("FAIL", "vapour left"), DRAIN),
            Row("mass_limit", {"max": "0.001 g"}, ends, PASS, Has("FAIL", "vapour left"), DRAIN),
            Row("pressure", "gas.ambient_pressure", ends, PASS, Has("FAIL", "it: pressure"), DRAIN),
            Row("pressure_limit", {"max": "300 kPa"}, ends, PASS, Has("FAIL", "it: pressure"), DRAIN),
        ],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_the_run_does(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
