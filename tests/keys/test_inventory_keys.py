"""Keys of the step that counts parts, and of the bill of materials: what each changes in the verdict."""

from __future__ import annotations

from typing import Any

from harness.steps.inventory import BillOfMaterials, Columns, Inventory, Part
from tests.keys.plans import FIRST
from tests.keys.port_bench import PORT_FILES, ports, put
from tests.keys.rows import ABSENT, Case, Has, Row, Table, every_row
from tests.keys.run_bench import Ran, error, of_step, run_bench

PASS = Has("PASS")
it = of_step("it")
COUNT = {
    **ports("inventory", put(70, 3), bill="bill.yaml"),
    "load/signals/parts": {"address": 70, "flags": {"left": 0, "right": 1, "spare": 2}},
    **{f"station/devices/{name}/role": "uut" for name in ("pdu", "cdu", "load")},
}
"""Left and right are there; two rows of ports are named a:1 and b:2. All devices are judged as the product."""
PLACE = "bill/parts/pdu"


def part(**keys: Any) -> dict[str, Any]:
    """The only part of the bill."""
    return {**COUNT, PLACE: keys}


PDU = part(device="pdu", serial="P*", firmware=["F1"])
ROWS = part(rows="load.port", columns={"name": "neighbor"})
TOLD = part(rows="load.port", columns={"name": "neighbor", "model": "neighbor"}, model=["a:1", "b:2"])
LABELLED = part(rows="load.port", columns={"name": "neighbor", "serial": "name"}, serial="X*")
BITS = part(flags="load.parts", places=["left", "right"])


def source(ran: Ran) -> str:
    """Where the limit comes from."""
    return ran.error or ran.result.steps[0].measurements[0].provenance


TABLES = [
    Table(
        Inventory,
        FIRST,
        PORT_FILES,
        run_bench,
        [Row("bill", "wiring.yaml", error, "", Has("HX-1203"), COUNT)],
    ),
    Table(
        BillOfMaterials,
        "bill",
        PORT_FILES,
        run_bench,
        [
            Row("schema", 2, error, "", Has("HX-1209 this file is of schema 2"), COUNT),
            Row("bill", "large", source, "bill of materials small 1.0", "bill of materials large 1.0", COUNT),
            Row("version", "2", source, "bill of materials small 1.0", "bill of materials small 2", COUNT),
            Row(
                "parts", {"p": {"device": "cdu", "serial": "P*"}}, it, PASS, Has("p has 'C123', the bill has P*"), COUNT
            ),
        ],
    ),
    Table(
        Part,
        PLACE,
        PORT_FILES,
        run_bench,
        [
            Row("device", "cdu", it, PASS, Has("pdu has 'C123', the bill has P*"), part(device="pdu", serial="P*")),
            Row("rows", "load.ports", error, "", Has("load.ports is no repetition"), ROWS),
            Row("flags", "load.level", error, "", Has("load.level is no signal that shows flags"), BITS),
            Row("columns", {"name": "state"}, error, "", Has("load.port.state is no column of texts"), ROWS),
            Row("count", 3, it, PASS, Has("missing: pdu, 2 are there, the bill has 3"), ROWS),
            Row("places", ["left", "spare"], it, PASS, Has("missing: pdu, spare; unexpected: pdu, right"), BITS),
            Row("model", ["a:1"], it, PASS, Has("wrong model: pdu, b:2 has 'b:2', the bill has a:1"), TOLD),
            Row("firmware", ["F2"], it, PASS, Has("wrong firmware: pdu has 'F1'"), PDU),
            Row("serial", "Q*", it, PASS, Has("wrong serial number: pdu has 'P123'"), PDU),
        ],
    ),
    Table(
        Columns,
        f"{PLACE}/columns",
        PORT_FILES,
        run_bench,
        [
            Row("name", ABSENT, error, "", Has("give a column of texts"), ROWS),
            Row("model", "name", it, PASS, Has("wrong model: pdu, a:1 has 'XY'"), TOLD),
            Row("firmware", "speed", error, "", Has("load.port.speed is no column of texts"), ROWS),
            Row("serial", "neighbor", it, PASS, Has("wrong serial number: pdu, a:1 has 'a:1'"), LABELLED),
        ],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_is_found(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
