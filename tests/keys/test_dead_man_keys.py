"""Keys of a device's own dead-man: what it is told in a run, and what is refused."""

from __future__ import annotations

from typing import Any

from harness.schema.dead_man import DeadMan, DeadManWrite
from harness.schema.profiles.modbus import ModbusProfile
from harness.schema.profiles.scpi import ScpiProfile
from harness.schema.profiles.snmp import SnmpProfile
from harness.schema.station import DeviceEntry
from tests.keys.commands import command_bench, line
from tests.keys.models import ABSENT
from tests.keys.rack import FILES, PDU
from tests.keys.rows import Case, Has, Row, Table, every_row
from tests.keys.run_bench import Ran, ends, error, run_bench, texts, told

CONTROLS = """controls:
  time: {address: 40, unit: s}
  other: {address: 41, commands: {"off": 0, "on": 1}, energises: true, confirm: {signal: other}}
  beat: {address: 42}
  pulse: {address: 43}
dead_man:
  source: the manual
  acts: "off"
  covers: outlet
  shortest: 5 s
  longest: 60 s
  arm: [{set: time, to: within}]
  feed: [{set: beat, counts: true}]
  disarm: [{set: time, to: 0 s}]
"""
OTHER = """  other: {address: 41, enum: {"off": 0, "on": 1}}
repeat:
"""
DEAD = {**FILES, "pdu": PDU.replace("repeat:\n", OTHER) + CONTROLS}
SET = {
    "station/devices/pdu/dead_man": "20 s",
    "station/safe_state/default": [{"set": "pdu.outlet", "to": "off"}, {"set": "pdu.other", "to": "off"}],
}
PLACE = "pdu/dead_man"


def written(address: int) -> Any:
    """What was written to a register of the PDU, in order; why the files were refused."""
    return lambda ran: ran.error or [what[2][0] for what in told("pdu")(ran) if what[1] == address]


def says(ran: Ran) -> str:
    """What the run says of its layers; why the files were refused."""
    return ran.error or texts("layers")(ran)[0]


def rows(*found: Row) -> list[Row]:
    """Rows for a station that arms the dead-man."""
    return [Row(one.key, one.value, one.sees, one.before, one.after, {**SET, **one.given}, one.at) for one in found]


SHOW = command_bench("profile", "show", "pdu.yaml", files=("pdu",))
OTHER_HEAD = """
schema: 1
profile: own/box
title: Box
class: meter
source: made up
unverified: made up
"""
SNMP = "protocol: snmp\ncontrols: {level: {oid: 1.3.6.1.4.1.9.50.0}}\n"
SCPI = 'protocol: scpi\ncontrols: {level: {set: "LEV {value}"}}\n'
DEAD_MAN = {
    "source": "the manual",
    "acts": "local",
    "shortest": "5 s",
    "longest": "60 s",
    "feed": [{"set": "level", "to": "1"}],
}
SHOWN = Row("dead_man", DEAD_MAN, line("dead-man:"), "", Has("goes back to its own control", "the manual"))

TABLES = [
    Table(
        DeadMan,
        PLACE,
        DEAD,
        run_bench,
        rows(
            Row("acts", "local", error, "", Has("acts: local takes none")),
            Row("covers", "other", says, Has("outlet off by itself 20 s"), Has("other off by itself")),
            Row("shortest", "30 s", error, "", Has("20 s is outside 30 to 60 s")),
            Row("longest", "10 s", error, "", Has("20 s is outside 5 to 10 s")),
            Row("arm", [{"set": "pulse", "to": "7"}], written(43), [], [7]),
            Row("feed", [{"set": "pulse", "counts": True}], written(43), [], [1]),
            Row("disarm", [{"set": "pulse", "to": "9"}], written(43), [], [9]),
        ),
    ),
    Table(DeadMan, PLACE, DEAD, SHOW, [Row("source", "page 7", line("dead-man:"), Has("the manual"), Has("page 7"))]),
    Table(
        DeadManWrite,
        f"{PLACE}/arm/0",
        DEAD,
        run_bench,
        rows(
            Row("set", "beat", written(40), [20, 0], [0], {f"{PLACE}/arm/0/to": "20 s", "pdu/controls/beat/unit": "s"}),
            Row("to", "30 s", written(40), [20, 0], [30, 0]),
        ),
    ),
    Table(
        DeadManWrite,
        f"{PLACE}/feed/0",
        DEAD,
        run_bench,
        rows(Row("counts", False, error, "", Has("give either to, or counts: true"))),
    ),
    Table(
        DeviceEntry,
        "station/devices/pdu",
        DEAD,
        run_bench,
        [
            Row(
                "dead_man",
                "20 s",
                written(42),
                [],
                [1],
                {"station/safe_state/default": SET["station/safe_state/default"]},
            )
        ],
    ),
    Table(
        ModbusProfile,
        "pdu",
        DEAD,
        run_bench,
        rows(Row("dead_man", ABSENT, ends, Has("PASS"), Has("knows of no dead-man in this device"))),
    ),
    Table(SnmpProfile, "pdu", {"pdu": OTHER_HEAD + SNMP}, SHOW, [SHOWN]),
    Table(ScpiProfile, "pdu", {"pdu": OTHER_HEAD + SCPI}, SHOW, [SHOWN]),
]


@every_row(TABLES)
def test_the_key_changes_what_the_device_is_told(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
