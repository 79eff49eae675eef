"""Keys of Modbus profiles: what each changes on the wire, or in what is read from it."""

from __future__ import annotations

from harness.schema.profiles.modbus import (
    ModbusClock,
    ModbusControl,
    ModbusOptions,
    ModbusProfile,
    ModbusRepeat,
    ModbusSignal,
    ModbusWatchdog,
    ModbusWrite,
)
from tests.keys.commands import command_bench
from tests.keys.common import (
    SHOWN,
    control_rows,
    profile_rows,
    profile_shown_rows,
    signal_rows,
    twin_control_rows,
    twin_signal_rows,
)
from tests.keys.device_bench import asked, asked_at, device_bench, told, told_at, value
from tests.keys.models import ABSENT
from tests.keys.rows import Case, Has, Row, Table, every_row, parsed
from tests.keys.servers import Registers
from tests.keys.twin_bench import twin_bench

PROFILE = """
schema: 1
profile: own/box
title: Box
class: meter
protocol: modbus
source: made up
unverified: made up
signals:
  x: {address: 10}
  y: {address: 13}
  name: {address: 30, type: string, length: 2, poll: once}
  level: {address: 50, poll: slow}
controls:
  level: {address: 50}
repeat:
  cell:
    count: 2
    signals:
      v: {address: 11}
    controls:
      limit: {address: 60}
"""
CONTENTS = {
    "holding/10": [1000, 200, 300, 50, 0, 0, 600],
    "holding/30": [0x4162, 0x4364, 0x8005, 2],
    "holding/70": [0x00F0],
    "input/10": [77],
    "coil/10": [1],
}
BENCH = device_bench(lambda: Registers(CONTENTS))
SHOW = command_bench("profile", "show", "profile.yaml")
FILES = {"profile": PROFILE}
X, LEVEL, MODBUS = "profile/signals/x", "profile/controls/level", "profile/modbus"
x = value("x")
TEXT = {f"{X}/address": 30, f"{X}/type": "string", f"{X}/length": 2}
FIVE, GO = {"do": [["level", 5]]}, {"do": [["level", "go"]], f"{LEVEL}/commands": {"go": 7}}
WHOLE = {"do": [["level", 5]], f"{LEVEL}/address": 70}
FAR, GAP = {"profile/signals/y/address": 40}, {"profile/signals/y/address": 15}
LIMIT = "profile/repeat/cell/controls/limit"


def written(words: int) -> tuple[int, int, list[int]]:
    return (6, 50, [words])


SIGNALS = [
    *signal_rows("holding/10", "holding/13"),
    Row("enum", {"high": 1000}, x, 1000.0, "high"),
    Row("address", 11, x, 1000.0, 200.0),
    Row("stride", 5, value("cell[2].v"), 300.0, 600.0, at="profile/repeat/cell/signals/v"),
    Row("table", "input", x, 1000.0, 77.0),
    Row("table", "coil", x, 1000.0, 1.0),
    Row("type", "u32", x, 1000.0, 1000.0 * 65536 + 200),
    Row("length", 1, x, "AbCd", "Ab", TEXT),
    Row("order", "CDAB", x, 1000.0 * 65536 + 200, 200.0 * 65536 + 1000, {f"{X}/type": "u32"}),
    Row("swap_string", True, x, "AbCd", "bAdC", TEXT),
    Row("characters", "high", x, "AbCd", "AC", TEXT),
    Row("bit", 5, x, 1000.0, 1.0),
    Row("width", 3, x, 1.0, 5.0, {f"{X}/bit": 3}),
    Row("mask", 8, x, 1000.0, 1.0),
    Row("sign", "magnitude", x, -32763.0, -5.0, {f"{X}/address": 32, f"{X}/type": "i16"}),
    Row("scale_from", "digits", x, 1000.0, 100000.0, {"profile/signals/digits": {"address": 33}}),
    Row("clear_on_read", True, asked, Has("(3, 10, 4)"), Has("(3, 10, 1)", "(3, 11, 3)")),
]
CONTROLS = [
    *control_rows(written),
    Row("address", 51, told, [written(5)], [(6, 51, [5])], FIVE),
    Row("stride", 7, told, [(6, 61, [5])], [(6, 67, [5])], {"do": [["cell[2].limit", 5]]}, LIMIT),
    Row("table", "coil", told, [written(5)], [(5, 50, [0xFF00])], FIVE),
    Row("type", "u32", told, [written(5)], [(16, 50, [0, 5])], FIVE),
    Row("order", "CDAB", told, [(16, 50, [0, 5])], [(16, 50, [5, 0])], {**FIVE, f"{LEVEL}/type": "u32"}),
    Row("bit", 0, told, [(6, 70, [1])], [(6, 70, [0xF1])], {"do": [["level", 1]], f"{LEVEL}/address": 70}),
    Row("mask", 0x0F, told, [(6, 70, [5])], [(6, 70, [0xF5])], WHOLE),
    Row("write", "multiple", told, [written(5)], [(16, 50, [5])], FIVE),
    Row("unlock", [{"address": 80, "value": 9}], told, [written(5)], [(6, 80, [9]), written(5)], FIVE),
    Row("pulse", "2 s", told, [written(7)], [written(7), written(0)], GO),
]
OPTIONS = [
    Row("unit", 2, x, 1000.0, 0.0),
    Row("max_span", 2, asked, Has("(3, 10, 4)"), Has("(3, 10, 2)", "(3, 12, 2)")),
    Row("max_gap", 40, asked, Has("(3, 10, 3)", "(3, 40, 1)"), Has("(3, 10, 31)"), FAR),
    Row("one_per_request", True, asked, Has("(3, 10, 4)"), Has("(3, 10, 1)", "(3, 11, 1)")),
    Row("order", "CDAB", x, 1000.0 * 65536 + 200, 200.0 * 65536 + 1000, {f"{X}/type": "u32"}),
    Row("address_base", 1, x, 200.0, 1000.0, {f"{X}/address": 11}),
    Row("min_gap", "200 ms", asked_at, [0, 0, 0], [0, 0.2, 0.4]),
    Row("pause_after_connect", "500 ms", asked_at, [0, 0, 0], [0.5, 0.5, 0.5]),
    Row("forbidden", [[14, 20]], asked, Has("(3, 10, 6)"), Has("(3, 10, 3)", "(3, 15, 1)"), GAP),
    Row("allowed", [[1, 13]], asked, Has("(3, 10, 6)"), Has("(3, 10, 3)", "(3, 15, 1)"), GAP),
    Row("clock", {"address": 90}, told, [], [(16, 90, [0x6955, 0xB900])]),
    Row("watchdog", {"address": 91}, told, [], [(6, 91, [1])]),
]
CLOCK = {f"{MODBUS}/clock": {"address": 90, "every": "60 s"}, "polls": 4}
WATCHDOG = {f"{MODBUS}/watchdog": {"address": 91, "every": "2 s"}, "polls": 5}
UNLOCK = {**FIVE, f"{LEVEL}/unlock": [{"address": 80, "value": 9}]}

TABLES = [
    Table(ModbusSignal, X, FILES, BENCH, SIGNALS),
    Table(ModbusSignal, X, FILES, SHOW, [SHOWN]),
    Table(ModbusSignal, X, FILES, twin_bench, twin_signal_rows()),
    Table(ModbusControl, LEVEL, FILES, BENCH, CONTROLS),
    Table(ModbusControl, LEVEL, FILES, SHOW, [SHOWN]),
    Table(ModbusControl, LEVEL, FILES, twin_bench, twin_control_rows({"address": 50})),
    Table(
        ModbusWrite,
        f"{LEVEL}/unlock/0",
        FILES,
        BENCH,
        [
            Row("address", 81, told, [(6, 80, [9]), written(5)], [(6, 81, [9]), written(5)], UNLOCK),
            Row("value", 8, told, [(6, 80, [9]), written(5)], [(6, 80, [8]), written(5)], UNLOCK),
            Row("table", "coil", told, [(6, 80, [9]), written(5)], [(5, 80, [0xFF00]), written(5)], UNLOCK),
        ],
    ),
    Table(
        ModbusRepeat,
        "profile/repeat/cell",
        FILES,
        BENCH,
        [
            Row("count", 1, value("cell[2].v"), 300.0, "no such signal"),
            Row("signals", {"w": {"address": 12}}, value("cell[1].w"), "no such signal", 300.0),
            Row("controls", ABSENT, told, [(6, 61, [5])], "no control cell[2].limit", {"do": [["cell[2].limit", 5]]}),
            Row("control", {"address": 65}, told, "no control cell[2]", [(6, 66, [5])], {"do": [["cell[2]", 5]]}),
        ],
    ),
    Table(ModbusOptions, MODBUS, FILES, BENCH, OPTIONS),
    Table(
        ModbusClock,
        f"{MODBUS}/clock",
        FILES,
        BENCH,
        [
            Row("address", 92, told, [(16, 90, [0x6955, 0xB900])], [(16, 92, [0x6955, 0xB900])], CLOCK),
            Row("order", "CDAB", told, [(16, 90, [0x6955, 0xB900])], [(16, 90, [0xB900, 0x6955])], CLOCK),
            Row("every", "2 s", told_at, [0], [0, 2], CLOCK),
        ],
    ),
    Table(
        ModbusWatchdog,
        f"{MODBUS}/watchdog",
        FILES,
        BENCH,
        [
            Row("address", 92, told, [(6, 91, [n]) for n in (1, 2, 3)], [(6, 92, [n]) for n in (1, 2, 3)], WATCHDOG),
            Row("value", 7, told, [(6, 91, [n]) for n in (1, 2, 3)], [(6, 91, [7])] * 3, WATCHDOG),
            Row("every", "4 s", told_at, [0, 2, 4], [0, 4], WATCHDOG),
        ],
    ),
    Table(
        ModbusProfile,
        "profile",
        FILES,
        BENCH,
        [
            *profile_rows(parsed(PROFILE), "modbus", "scpi"),
            Row("modbus", {"unit": 2}, x, 1000.0, 0.0),
            Row("controls", ABSENT, told, [written(5)], "no control level", FIVE),
        ],
    ),
    Table(ModbusProfile, "profile", FILES, SHOW, profile_shown_rows()),
    Table(
        ModbusProfile,
        "profile",
        FILES,
        twin_bench,
        [Row("parameters", {"n": 2}, value("name"), "U{n}", "U2", {"profile/signals/name/sim": {"text": "U{n}"}})],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_comes_out(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
