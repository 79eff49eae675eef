"""Keys of the steps that look at a rack's network, and of the wiring plan: what each changes in the verdict."""

from __future__ import annotations

from harness.steps.ports import WiredTo, WiringPlan
from harness.steps.topology import Topology
from tests.keys.plans import FIRST
from tests.keys.port_bench import PORT_FILES, ports, put
from tests.keys.rows import Case, Has, Row, Table, every_row
from tests.keys.run_bench import Ran, error, of_step, run_bench, verdict

PASS = Has("PASS")
it = of_step("it")
WIRED = ports("topology", wiring="wiring.yaml", within="2 s")
LATE = ports("topology", put(42, 0), put(42, 0x623A, "it", 6), wiring="wiring.yaml", within="2 s")
"""The second neighbour is told 6 s after the begin of the step."""
ONE = {**WIRED, "wiring/links": {"load.port[1]": "a:1"}}
"""The second port is free."""
FILE = "wiring"


def source(ran: Ran) -> str:
    """Where the limit comes from."""
    return ran.error or ran.result.steps[0].measurements[0].provenance


TABLES = [
    Table(
        Topology,
        FIRST,
        PORT_FILES,
        run_bench,
        [
            Row("wiring", "bill.yaml", error, "", Has("HX-1203"), WIRED),
            Row("within", "20 s", verdict, "FAIL", "PASS", LATE),
            Row("unexpected", False, it, Has("unexpected: load.port[2] sees b:2"), PASS, ONE),
        ],
    ),
    Table(
        WiringPlan,
        FILE,
        PORT_FILES,
        run_bench,
        [
            Row("schema", 2, error, "", Has("HX-1209 this file is of schema 2"), WIRED),
            Row("wiring", "three", source, "wiring plan two 1.0", "wiring plan three 1.0", WIRED),
            Row("version", "2", source, "wiring plan two 1.0", "wiring plan two 2", WIRED),
            Row("speed", "100 Mb/s", it, PASS, Has("wrong speed: load.port[1]"), WIRED),
            Row("links", {"load.port[1]": "x:1"}, it, PASS, Has("unexpected: load.port[1] sees a:1"), WIRED),
        ],
    ),
    Table(
        WiredTo,
        f"{FILE}/links/load.port[2]",
        PORT_FILES,
        run_bench,
        [
            Row("to", "b:3", it, PASS, Has("unexpected: load.port[2] sees b:2, the plan has b:3"), WIRED),
            Row("speed", "100 Mb/s", it, PASS, Has("wrong speed: load.port[2] to b:2 runs at 400"), WIRED),
        ],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_the_run_finds(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
