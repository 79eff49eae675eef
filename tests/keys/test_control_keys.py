"""Keys of controls that count in a run or at the terminal, in every protocol: danger, energises, shown_by, words."""

from __future__ import annotations

from typing import Any

import pytest

from harness.schema.profiles.modbus import ModbusControl
from harness.schema.profiles.scpi import ScpiControl
from harness.schema.profiles.snmp import SnmpControl
from harness.schema.station import DeviceEntry
from tests.keys.commands import command_bench, says
from tests.keys.plans import LOOK
from tests.keys.rack import FILES, ON
from tests.keys.rows import Case, Has, Row, Table, changed, every_row, parsed
from tests.keys.run_bench import Ran, ends, run_bench, texts, told
from tests.keys.servers import ROOT

HEAD = """
schema: 1
profile: own/load
title: Load
class: load
source: made up
unverified: made up
"""
MODBUS = """
protocol: modbus
signals:
  level: {address: 1}
  real: {address: 9}
  mode: {address: 8, enum: {stopped: 0, running: 7}}
controls:
  level: {address: 1, confirm: {signal: level}}
  mode: {address: 8, commands: {go: 7, stop: 0}, confirm: {signal: mode, words: {go: running, stop: stopped}}}
"""
SNMP = """
protocol: snmp
signals:
  level: {oid: ROOT.50.0}
  real: {oid: ROOT.1.0}
  mode: {oid: ROOT.51.0, enum: {stopped: 1, running: 7}}
controls:
  level: {oid: ROOT.50.0, confirm: {signal: level}}
  mode:
    command_oids: {go: {oid: ROOT.51.0, value: 7}, stop: {oid: ROOT.51.0, value: 1}}
    confirm: {signal: mode, words: {go: running, stop: stopped}}
""".replace("ROOT", ROOT)
SCPI = """
protocol: scpi
signals:
  level: {query: "LEV?"}
  real: {query: "X?"}
  mode: {query: "MODE?", parse: word, enum: {stopped: 0, running: 1}, answers: {stopped: STOP, running: RUN}}
controls:
  level: {set: "LEV {value}", confirm: {signal: level}}
  mode: {texts: {go: MODE RUN, stop: MODE STOP}, confirm: {signal: mode, words: {go: running, stop: stopped}}}
"""
PROFILES = {ModbusControl: HEAD + MODBUS, SnmpControl: HEAD + SNMP, ScpiControl: HEAD + SCPI}
PLACES = {ModbusControl: "holding/9", SnmpControl: "1.0", ScpiControl: "X?"}
ADDRESSES = {
    ModbusControl: "modbus+tcp://127.0.0.1:9",
    SnmpControl: "snmp://127.0.0.1:9",
    ScpiControl: "TCPIP::127.0.0.1::9::SOCKET",
}
STATION = """
schema: 1
station: bench
devices:
  load: {profile: ./load.yaml, address: "ADDRESS"}
safe_state:
  default: []
"""


def runs(model: type) -> dict[str, Any]:
    """The load is set to 50, and does so for a while."""
    steps = [
        {"step": "set", "name": "it", "control": "load.level", "to": 50},
        {"step": "hold", "name": "on", "for": "20 s"},
        LOOK,
    ]
    place = PLACES[model]
    wire = [["on", 1, "load", place, 50], ["on", 9, "load", place, 0]]
    return {"plan/steps": steps, "wire": wire, "station/devices/load/address": ADDRESSES[model]}


def tables(model: type) -> list[Table]:
    """The keys of one protocol's controls."""
    files = {**FILES, "load": PROFILES[model]}
    alone = {"load": PROFILES[model], "station": STATION.replace("ADDRESS", ADDRESSES[model])}
    level = "load/controls/level"
    asks = command_bench("set", "load.level", "5", "--station", "station.yaml", files=("load", "station"))
    checks = command_bench("check", "station.yaml", files=("load", "station"))
    undone = Has("ERROR", "load.level")
    return [
        Table(model, level, files, run_bench, [Row("shown_by", "real", ends, Has("PASS"), undone, runs(model))]),
        Table(model, level, alone, asks, [Row("danger", True, says("is dangerous"), False, True)]),
        Table(model, level, alone, checks, [Row("energises", True, says("HX-1384", "load.level"), False, True)]),
    ]


LOADED = {
    "pdu/repeat/outlet/signals/current": {"address": 20, "unit": "A"},
    "pdu/repeat/outlet/control/shown_by": "current",
    "plan/steps": [ON, {"step": "hold", "name": "on", "for": "40 s"}, LOOK],
    "wire": [
        ["on", 1, "pdu", "holding/20", 2],
        ["on", 1, "pdu", "holding/21", 2],
        ["on", 20, "pdu", "holding/21", 0],
    ],
}
"""Both outlets carry 2 A, until one of them carries nothing."""

BOOTS = {
    "load/signals/reboots": {"address": 5},
    "station/devices/load/role": "uut",
    "plan/steps": [ON, {"step": "hold", "name": "on", "for": "60 s"}, LOOK],
    "wire": [["on", 45, "load", "holding/5", 1]],
}
"""The load starts again 45 s after it was switched on."""

TABLES = [
    *(table for model in PROFILES for table in tables(model)),
    Table(
        DeviceEntry,
        "station/devices/pdu",
        FILES,
        run_bench,
        [Row("outlets_may_idle", True, ends, Has("ERROR", "outlet[2]"), Has("PASS"), LOADED)],
    ),
    Table(
        DeviceEntry,
        "station/devices/load",
        FILES,
        run_bench,
        [Row("boots_within", "2 min", ends, Has("ERROR", "load restarted"), Has("PASS"), BOOTS)],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_the_control_means(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))


GO = [{"step": "set", "control": "load.mode", "to": "go"}]
ON_ITS_OWN: list[Any] = []


@pytest.fixture
def going(request, tmp_path) -> Ran:
    """A run that begins with some steps and holds; `param` is the protocol, these steps, and what somebody does."""
    model, first, wire = request.param
    files = {name: parsed(text) for name, text in {**FILES, "load": PROFILES[model]}.items()}
    steps = [*first, {"step": "hold", "name": "on", "for": "9 s"}, LOOK]
    files = changed({**files, "wire": wire}, "station/devices/load/address", ADDRESSES[model])
    return run_bench(tmp_path, changed(files, "plan/steps", steps))


MODES = {ModbusControl: ("holding/8", 0), SnmpControl: ("51.0", 1), ScpiControl: ("MODE?", "STOP")}


@pytest.mark.parametrize("going", [(model, GO, []) for model in MODES], indirect=True)
def test_a_word_is_set_back_at_the_end_in_every_protocol(going):
    """By whatever key the words of a control are given: commands, command_oids or texts."""
    assert ends(going).startswith("PASS")
    assert told("load")(going)[-1] in ((6, 8, [0]), ("51.0", 2, 1), "MODE STOP")


def by_somebody(model: type, value: Any) -> list[Any]:
    """Somebody changes the mode of the load."""
    return [["on", 3, "load", MODES[model][0], value]]


UNDONE = [(model, GO, by_somebody(model, stopped)) for model, (_, stopped) in MODES.items()]


@pytest.mark.parametrize("going", UNDONE, indirect=True)
def test_a_word_that_somebody_undoes_ends_the_run_in_every_protocol(going):
    assert ends(going).startswith("ERROR")
    assert "load.mode" in ends(going)


STARTED = [(model, ON_ITS_OWN, by_somebody(model, "RUN" if model is ScpiControl else 7)) for model in MODES]


@pytest.mark.parametrize("going", STARTED, indirect=True)
def test_a_word_that_somebody_else_sets_is_told_in_every_protocol(going):
    assert "load.mode" in texts("foreign control")(going)[0]
