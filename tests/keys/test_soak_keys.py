"""Keys of soaks, holds and what is watched meanwhile."""

from __future__ import annotations

from typing import Any

from harness.schema.conditions import Watch
from harness.steps.excursions import Excursion, InProfile
from harness.steps.soaking import Cycle, Delta, RestartOn, Soak
from harness.steps.waiting import Hold
from tests.keys.plans import FIRST, bounds_rows, flow, only
from tests.keys.rack import FILES
from tests.keys.rows import Case, Has, Row, Table, every_row
from tests.keys.run_bench import Ran, error, lasts, run_bench, texts, told, told_at, verdict

WATCH = {"signal": "cdu.flow", "min": "50 L/min"}
HOLD = only("hold", **{"for": "20 s"}, watch=[WATCH])
SOAK = only("soak", **{"for": "20 s"}, watch=[WATCH])
DIP = [flow(10, "it", 5), flow(100, "it", 12)]
REBOOT = [["it", 10, "cdu", "holding/6", 5]]


def watched(signal: str, **bounds: Any) -> dict[str, Any]:
    """A hold with one watch."""
    return only("hold", **{"for": "5 s"}, watch=[{"signal": signal, **bounds}])


def with_load(**keys: Any) -> dict[str, Any]:
    """A soak under load, which people set up before."""
    return only("soak", **{"for": "20 s", "load": "50 %"}, watch=[WATCH], **keys)


def levels(ran: Ran) -> list[int]:
    """What the load was set to."""
    return [what[2][0] for what in told("load")(ran)]


RESTARTS = {**SOAK, f"{FIRST}/restart_on": ["cdu.uptime"], "wire": REBOOT}
RISES = {**SOAK, f"{FIRST}/restart_on": [{"signal": "cdu.uptime", "when": "decreases"}], "wire": REBOOT}
GONE = {
    **with_load(restart_on=[{"signal": "load.fan", "within": "10 s"}]),
    f"{FIRST}/for": "60 s",
    "wire": [["it", 5, "load", "holding/1", 0]],
}
"""The load is gone after 5 s, and no restart explains it."""
CYCLE = with_load(cycle={"every": "10 s", "low": "10 %", "for": "3 s"})
DELTA = {
    **only("soak", **{"for": "20 s"}, deltas=[{"signal": "cdu.flow", "limit": {"max": "9 L/min"}}]),
    "wire": [flow(105, "it", 5)],
}
MUTE = [["it", 5, "cdu", "mute", True], ["it", 12, "cdu", "mute", False]]
LONG = only("soak", **{"for": "200 s"}, watch=[WATCH])
DIED = {**LONG, "die": ["it", 150]}
"""A soak whose process dies after 150 s; its last checkpoint is 140 s after the begin."""
GAP = {**only("soak", **{"for": "30 s"}, watch=[WATCH], on_interruption="credit"), "die": ["it", 25], "rate": 50}
"""One that goes on after a few tenths of a real second; virtual time stands still while nobody runs."""

EXCURSION = {"control": "cdu.setpoint", "to": "140 L/min", "back": "100 L/min", "at": "5 s", "for": "4 s"}
EXCURSED = {**SOAK, f"{FIRST}/excursions": [EXCURSION]}
SHORT = [flow(80, "it", 5), flow(100, "it", 9)]


def profiled(signal: str, **bounds: Any) -> dict[str, Any]:
    """A soak in which a signal must be in a band for most of the time."""
    return only("soak", **{"for": "20 s"}, profile=[{"signal": signal, **bounds}])


def setpoints(ran: Ran) -> Any:
    """(second of the soak, value) of what the flow was set to while it went on."""
    began = next((each.mono for each in ran.events if each.kind == "step" and each.data["step"] == "it"), 0.0)
    first = ran.events[0].mono if ran.events else 0.0
    told = [(second - (began - first), what) for second, name, what in ran.told if name == "cdu"]
    return ran.error or [(round(second), what[2][0]) for second, what in told if what[1] == 5 and second < 20]


TABLES = [
    Table(
        Hold,
        FIRST,
        FILES,
        run_bench,
        [
            Row("for", "30 s", lasts("it"), 20, 30, HOLD),
            Row("watch", [{"signal": "cdu.flow", "min": "120 L/min"}], verdict, "PASS", "FAIL", HOLD),
        ],
    ),
    Table(
        Watch,
        f"{FIRST}/watch/0",
        FILES,
        run_bench,
        [
            *bounds_rows(watched),
            Row("signal", "cdu.setpoint", verdict, "FAIL", "PASS", {**HOLD, "wire": DIP}),
            Row("for", "10 s", verdict, "FAIL", "PASS", {**HOLD, "wire": DIP}),
            Row(
                "name",
                "much",
                lambda ran: ran.result.steps[0].measurements[0].name,
                "cdu.flow >= 50 L/min",
                "much",
                HOLD,
            ),
            Row("on_fail", "continue", lasts("it"), 6, 20, {**HOLD, "wire": DIP}),
        ],
    ),
    Table(
        Soak,
        FIRST,
        FILES,
        run_bench,
        [
            Row("for", "30 s", lasts("it"), 20, 30, SOAK),
            Row("load", "60 %", levels, [50, 0], [60, 0], with_load()),
            Row("load_control", "load.fan", told("load"), Has("(6, 1, [50])"), Has("(6, 2, [50])"), with_load()),
            Row("watch", [{"signal": "cdu.flow", "min": "120 L/min"}], verdict, "PASS", "FAIL", SOAK),
            Row("restart_on", ["cdu.uptime"], lasts("it"), 20, 31, {**SOAK, "wire": REBOOT}),
            Row("max_restarts", 0, verdict, "PASS", "FAIL", RESTARTS),
            Row(
                "cycle",
                {"every": "10 s", "low": "10 %", "for": "3 s"},
                levels,
                [50, 0],
                [50, 10, 50, 10, 50, 0],
                with_load(),
            ),
            Row("deltas", [{"signal": "cdu.flow", "limit": {"max": "1 L/min"}}], verdict, "PASS", "FAIL", DELTA),
            Row("excursions", [EXCURSION], setpoints, [], [(5, 140), (9, 100)], SOAK),
            Row(
                "profile", [{"signal": "cdu.flow", "min": "90 L/min"}], verdict, "PASS", "FAIL", {**SOAK, "wire": SHORT}
            ),
            Row("coverage", "97 %", verdict, "PASS", "INCONCLUSIVE", {**LONG, "wire": MUTE}),
            Row("on_interruption", "credit", lasts("it"), 200, 60, DIED),
            Row("longest_gap", "1 ms", texts("note"), Has("are credited"), Has("the longest gap is 0.001 s"), GAP),
        ],
    ),
    Table(
        RestartOn,
        f"{FIRST}/restart_on/0",
        FILES,
        run_bench,
        [
            Row("signal", "cdu.level", lasts("it"), 31, 20, RISES),
            Row("when", "increases", lasts("it"), 31, 20, RISES),
            Row("within", "20 s", lasts("it"), 19, 29, GONE),
        ],
    ),
    Table(
        Excursion,
        f"{FIRST}/excursions/0",
        FILES,
        run_bench,
        [
            Row("control", "cdu.pump", error, "", Has("140 L/min"), EXCURSED),
            Row("to", "150 L/min", setpoints, [(5, 140), (9, 100)], [(5, 150), (9, 100)], EXCURSED),
            Row("back", "110 L/min", setpoints, [(5, 140), (9, 100)], [(5, 140), (9, 110)], EXCURSED),
            Row("at", "7 s", setpoints, [(5, 140), (9, 100)], [(7, 140), (11, 100)], EXCURSED),
            Row("for", "6 s", setpoints, [(5, 140), (9, 100)], [(5, 140), (11, 100)], EXCURSED),
        ],
    ),
    Table(
        InProfile,
        f"{FIRST}/profile/0",
        FILES,
        run_bench,
        [
            *bounds_rows(profiled),
            Row(
                "signal",
                "cdu.setpoint",
                verdict,
                "FAIL",
                "PASS",
                {**profiled("cdu.flow", min="90 L/min"), "wire": SHORT},
            ),
            Row(
                "for", "2 s", error, "", Has("a share of the time knows no `for`"), profiled("cdu.flow", min="90 L/min")
            ),
            Row("share", "50 %", verdict, "FAIL", "PASS", {**profiled("cdu.flow", min="90 L/min"), "wire": SHORT}),
        ],
    ),
    Table(
        Cycle,
        f"{FIRST}/cycle",
        FILES,
        run_bench,
        [
            Row("every", "6 s", levels, [50, 10, 50, 10, 50, 0], [50, 10, 50, 10, 50, 10, 50, 0], CYCLE),
            Row("low", "20 %", levels, [50, 10, 50, 10, 50, 0], [50, 20, 50, 20, 50, 0], CYCLE),
            Row("for", "5 s", lambda ran: told_at("load")(ran)[:2], [7, 3], [5, 5], CYCLE),
        ],
    ),
    Table(
        Delta,
        f"{FIRST}/deltas/0",
        FILES,
        run_bench,
        [
            Row("signal", "cdu.setpoint", lambda ran: ran.result.steps[0].measurements[0].value, 5, 0, DELTA),
            Row("limit", {"max": "1 L/min"}, verdict, "PASS", "FAIL", DELTA),
        ],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_the_run_does(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
