"""Keys of the steps that look at a rack's network, and of the wiring plan: what each changes in the verdict."""

from __future__ import annotations

from harness.steps.ber_time import BerTime
from harness.steps.error_counters import ErrorCounters
from harness.steps.link_check import LinkCheck
from harness.steps.optics import Optics
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
UP = ports("link_check", ports="load.port", within="3 s", **{"for": "8 s"})
FLAP = [put(53, 2, "it", 3), put(53, 1, "it", 5)]
"""The second link goes down for two seconds."""
FLAPS = ports("link_check", *FLAP, ports="load.port", within="3 s", **{"for": "8 s"})
SLOW_UP = ports("link_check", put(53, 2), put(53, 1, "it", 6), ports="load.port", within="3 s")
ERRORS = [put(57, 4, "it", 6), put(58, 500, "it", 6), put(59, 500, "it", 6)]
"""The second port counts four errors, and both half a million octets."""
COUNTED = ports("error_counters", *ERRORS, ports="load.port", limit={"max": 9}, **{"for": "12 s"})
EARLY = ports("error_counters", *ERRORS, ports="load.port", limit={"max": 3}, **{"for": "3 s"})
CLEAN = ERRORS[1:]
BER = ports("ber_time", *CLEAN, ports="load.port", rate="1 Mb/s", limit={"max": 1e-6}, **{"for": "12 s"})
LIGHT = ports("optics", ports="load.port", limits={"rx_power": {"min": "0 dBm"}})
DIM = ports("optics", put(61, 0xFFFF, "it", 7), ports="load.port", limits={"rx_power": {"min": "-3 dBm"}})
"""The second module falls to -1 dBm, below its own threshold, 7 s after the begin."""


def number_of_ports(ran: Ran) -> str:
    """How many measurements the step made."""
    return ran.error or str(len(ran.result.steps[0].measurements))


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
        LinkCheck,
        FIRST,
        PORT_FILES,
        run_bench,
        [
            Row(
                "ports",
                "load.ports",
                error,
                "",
                Has("no repetition of a device; ports are load.port"),
                UP,
            ),
            Row("wiring", "wiring.yaml", error, "", Has("give `ports` (all of a switch) or `wiring`"), UP),
            Row("speed", {"min": "500 Mb/s"}, it, PASS, Has("load.port[1].speed is 400 Mb/s, must be >= 500"), UP),
            Row("within", "20 s", it, Has("load.port[2].state is down, must be up"), PASS, SLOW_UP),
            Row("for", "1 s", it, Has("load.port[2] went down: 1"), PASS, FLAPS),
            Row("flaps", {"max": 1}, it, Has("load.port[2] went down: 1, limit <= 0"), PASS, FLAPS),
        ],
    ),
    Table(
        ErrorCounters,
        FIRST,
        PORT_FILES,
        run_bench,
        [
            Row("ports", "load.state", error, "", Has("load.state is no repetition"), COUNTED),
            Row("wiring", "wiring.yaml", error, "", Has("give `ports` (all of a switch) or `wiring`"), COUNTED),
            Row("counters", ["octets_in"], it, PASS, Has("load.port[1].octets_in: 500000, limit <= 9"), COUNTED),
            Row("for", "12 s", it, PASS, Has("load.port[2].errors_in: 4, limit <= 3"), EARLY),
            Row("limit", {"max": 3}, it, PASS, Has("load.port[2].errors_in: 4, limit <= 3"), COUNTED),
            Row("rate", {"max": 1e-9}, it, PASS, Has("load.port[2].errors_in for each bit: 1e-06, limit"), COUNTED),
        ],
    ),
    Table(
        BerTime,
        FIRST,
        PORT_FILES,
        run_bench,
        [
            Row("ports", "load.state", error, "", Has("load.state is no repetition"), BER),
            Row("wiring", "wiring.yaml", error, "", Has("give `ports` (all of a switch) or `wiring`"), BER),
            Row("errors", "octets_in", it, PASS, Has("FAIL", "load.port[1]"), BER),
            Row("limit", {"max": 5e-7}, it, PASS, Has("INCONCLUSIVE", "s more at the"), BER),
            Row(
                "confidence",
                "99.9 %",
                it,
                PASS,
                Has("INCONCLUSIVE", "s more at the"),
                {**BER, f"{FIRST}/limit": {"max": 1e-6}},
            ),
            Row("rate", "0.1 Mb/s", error, "", Has("12 s are too short: 1e-06 takes 30 s"), BER),
            Row("traffic", "10 %", error, "", Has("12 s are too short: 1e-06 takes 30 s"), BER),
            Row("for", "2 s", error, "", Has("2 s are too short: 1e-06 takes 3 s"), BER),
        ],
    ),
    Table(
        Optics,
        FIRST,
        PORT_FILES,
        run_bench,
        [
            Row("ports", "load.state", error, "", Has("load.state is no repetition"), LIGHT),
            Row("wiring", "wiring.yaml", error, "", Has("give `ports` (all of a switch) or `wiring`"), LIGHT),
            Row("over", "12 s", it, PASS, Has("load.port[2].rx_power, own thresholds: -1 dBm"), DIM),
            Row("own", False, number_of_ports, "4", "2", LIGHT),
            Row("limits", {"rx_power": {"min": "3 dBm"}}, it, PASS, Has("load.port[1].rx_power: 2 dBm"), LIGHT),
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
