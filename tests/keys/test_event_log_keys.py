"""Keys of the step that looks at the logs of devices: what each changes in what is found, and in what they are told."""

from __future__ import annotations

from typing import Any

from harness.steps.event_log import EventLog
from tests.keys.plans import FIRST, steps
from tests.keys.port_bench import COLUMNS, PORT_FILES
from tests.keys.rows import Case, Has, Row, Table, every_row
from tests.keys.run_bench import Ran, of_step, run_bench, told

PASS = Has("PASS")
it = of_step("it")
THIRD = "plan/steps/2"
CLEAR = {"address": 52, "commands": {"clear": 0}, "confirm": {"signal": "state", "words": {"clear": "none"}}}


def logs(*, up: int = 0, errors: int = 0, **keys: Any) -> dict[str, Any]:
    """The load has two entries (`state`) and two counters; the second of each shows something."""
    wire = [["", 0, "load", "holding/53", up], ["", 0, "load", "holding/57", errors]]
    given = steps({"step": "event_log", "name": "it", **keys}, wire=wire)
    state = {**COLUMNS["state"], "enum": {"none": 0, "leak": 1}}
    columns = {"state": state, "errors_in": COLUMNS["errors_in"]}
    return {**given, "load/repeat": {"port": {"count": 2, "signals": columns, "control": CLEAR}}}


EMPTY = logs(log=["load.port.state"])
LEAK = logs(up=1, log=["load.port.state"])
COUNT = logs(errors=3, log=["load.port.errors_in"])
GROWS = logs(log=["load.port.errors_in"])
LATER = {
    **GROWS,
    "wire": [["rest", 1, "load", "holding/57", 3]],
    "plan/steps": [
        {"step": "event_log", "name": "before", "log": ["load.port.errors_in"]},
        {"step": "hold", "name": "rest", "for": "5 s"},
        {"step": "event_log", "name": "it", "log": ["load.port.errors_in"]},
    ],
}
"""Three errors come after the first look."""


def clears(ran: Ran) -> Any:
    """How often the load was told to clear."""
    return len(told("load")(ran))


TABLES = [
    Table(
        EventLog,
        FIRST,
        PORT_FILES,
        run_bench,
        [
            Row("log", ["load.port.errors_in"], it, Has("not provoked: load.port[2].state leak"), PASS, LEAK),
            Row("words", {"load.port[2].state": ["leak"]}, it, Has("not provoked"), PASS, LEAK),
            Row("counts", {"load.port[2].errors_in": 4}, it, PASS, Has("errors_in (3, provoked 4)"), COUNT),
            Row("since", "before", it, PASS, Has("errors_in (3, provoked 0)"), LATER, at=THIRD),
            Row("before_test", True, it, Has("FAIL"), Has("ERROR", "not provoked"), LEAK),
            Row("clear", "load.port", clears, 0, 2, EMPTY),
        ],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_the_run_finds(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
