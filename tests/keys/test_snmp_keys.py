"""Keys of SNMP profiles: what each changes on the wire, or in what is read from it."""

from __future__ import annotations

from harness.schema.profiles.snmp import SnmpControl, SnmpOptions, SnmpProfile, SnmpSignal, SnmpValidity
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
from tests.keys.device_bench import asked, device_bench, told, value
from tests.keys.models import ABSENT
from tests.keys.rows import Case, Has, Row, Table, every_row, parsed
from tests.keys.servers import ROOT, Objects
from tests.keys.twin_bench import twin_bench

PROFILE = """
schema: 1
profile: own/box
title: Box
class: meter
protocol: snmp
source: made up
unverified: made up
signals:
  x: {oid: ROOT.1.0}
  y: {oid: ROOT.2.0}
  name: {oid: ROOT.3.0, type: text, poll: once}
  level: {oid: ROOT.50.0, poll: slow}
controls:
  level: {oid: ROOT.50.0}
repeat:
  cell:
    count: 2
    signals:
      v: {oid: "ROOT.10.{i}"}
      w: {oid: "ROOT.11.{i}"}
""".replace("ROOT", ROOT)
CONTENTS: dict[str, int | str] = {
    "1.0": 1000,
    "2.0": 50,
    "3.0": "AbCd",
    "4.0": "23.4 C",
    "5.0": 2,
    "6.0": 8,
    "10.1": 200,
    "10.2": 300,
    "11.1": 7,
    "11.2": 8,
    "20.1": "Outlet",
    "20.2": "Inlet",
    "21.1": 11,
    "21.2": 22,
    "30.1.7": 31,
    "30.2.7": 32,
    "50.0": 0,
    "51.0": 0,
    "52.1": 0,
    "52.2": 0,
    "53.0": "",
}
BENCH = device_bench(lambda: Objects(CONTENTS))
SHOW = command_bench("profile", "show", "profile.yaml")
FILES = {"profile": PROFILE}
X, LEVEL, CELL = "profile/signals/x", "profile/controls/level", "profile/repeat/cell"
x = value("x")
INTEGER, TEXT, GAUGE = 2, 4, 66
FIVE, GO = {"do": [["level", 5]]}, {"do": [["level", "go"]]}


def oid(place: str) -> str:
    """An object of the agent by its full name."""
    return f"{ROOT}.{place}"


def written(number: int) -> tuple[str, int, int]:
    return ("50.0", INTEGER, number)


def there(place: str) -> dict[str, object]:
    """x at another object."""
    return {f"{X}/oid": oid(place)}


SUM = {f"{X}/oid": ABSENT, f"{X}/sum_of": "cell.v"}
UNIT = {"oid": oid("6.0"), "words": {"8": "kW"}}
BIND = {"labels": oid("20"), "equals": ["Inlet"]}
NAME = "profile/signals/name"
OFF = {
    "do": [["cell", "off"]],
    f"{CELL}/control": {"oid": oid("52.{i}"), "commands": {"off": 3}, "energises": True},
}

SIGNALS = [
    *signal_rows("1.0", "2.0"),
    Row("enum", {"high": 1000}, x, 1000.0, "high"),
    Row("oid", oid("2.0"), x, 1000.0, 50.0),
    Row("fallbacks", [oid("2.0")], x, "BAD_MISSING", 50.0, there("99.0")),
    Row("first_row", True, x, "BAD_MISSING", 200.0, there("10")),
    Row("sum_of", "cell.w", x, 500.0, 15.0, SUM),
    Row("type", "decimal_text", x, "BAD_DECODE", 23.4, {**there("4.0"), f"{X}/unit": "degC"}),
    Row("between", ["A", "d"], value("name"), "AbCd", "bC", at=NAME),
    Row("digits", oid("5.0"), x, 1000.0, 10.0),
    Row("scale_from", oid("6.0"), x, 1000.0, 1.0),
    Row("precision_from", oid("5.0"), x, 1000.0, 10.0),
    Row("factor_from", oid("5.0"), x, 1000.0, 2000.0),
    Row("divisor_from", oid("5.0"), x, 1000.0, 500.0),
    Row("unit_from", UNIT, x, 1000.0, 1e6, {f"{X}/unit": "W"}),
    Row("bind", BIND, x, "BAD_MISSING", 22.0, there("21")),
    Row(
        "lookup",
        {},
        value("cell[2].v"),
        "BAD_MISSING",
        32.0,
        {f"{CELL}/walk": oid("20"), f"{CELL}/signals/v/oid": oid("30")},
        f"{CELL}/signals/v",
    ),
    Row("optional", True, x, "BAD_MISSING", "no such signal", there("99.0")),
    Row("validity", {"oid": oid("5.0"), "one_of": [1]}, x, 1000.0, "BAD_MISSING"),
]
VALID = {f"{X}/validity": {"oid": oid("5.0"), "one_of": [1, 2]}}
VALIDITY = [
    Row("oid", oid("6.0"), x, 1000.0, "BAD_MISSING", VALID),
    Row("one_of", [1, "off"], x, 1000.0, "BAD_MISSING", VALID),
]
CONTROLS = [
    *control_rows(written),
    Row("oid", oid("51.0"), told, [written(5)], [("51.0", INTEGER, 5)], FIVE),
    Row("type", "gauge", told, [written(5)], [("50.0", GAUGE, 5)], FIVE),
    Row("type", "text", told, [written(5)], [("50.0", TEXT, b"5")], FIVE),
    Row("digits", oid("5.0"), told, [written(5)], [written(500)], FIVE),
    Row(
        "command_oids",
        {"go": {"oid": oid("51.0"), "value": 9}},
        told,
        [written(7)],
        [("51.0", INTEGER, 9)],
        {**GO, f"{LEVEL}/commands": {"go": 7}},
    ),
    Row("at_signal", "y", told, [("1.0", INTEGER, 5)], [("2.0", INTEGER, 5)], {**FIVE, LEVEL: {"at_signal": "x"}}),
]
OPTIONS = [
    Row("max_oids", 1, asked, Has("get 1.0 2.0"), Has("'get 1.0', 'get 2.0'")),
    Row("max_repetitions", 7, asked, Has("bulk 20 x20"), Has("bulk 20 x7"), {f"{CELL}/walk": oid("20")}),
    Row(
        "max_sets",
        2,
        told,
        [("52.1", INTEGER, 3), ("52.2", INTEGER, 3)],
        [[("52.1", INTEGER, 3), ("52.2", INTEGER, 3)]],
        OFF,
    ),
    Row("any_source", True, x, "BAD_TIMEOUT", 1000.0, {"polls": 2, "wire": [[1, "elsewhere", True]]}),
]

TABLES = [
    Table(SnmpSignal, X, FILES, BENCH, SIGNALS),
    Table(SnmpValidity, f"{X}/validity", FILES, BENCH, VALIDITY),
    Table(SnmpSignal, X, FILES, SHOW, [SHOWN]),
    Table(SnmpSignal, X, FILES, twin_bench, twin_signal_rows()),
    Table(SnmpControl, LEVEL, FILES, BENCH, CONTROLS),
    Table(SnmpControl, LEVEL, FILES, SHOW, [SHOWN]),
    Table(SnmpControl, LEVEL, FILES, twin_bench, twin_control_rows({"oid": oid("50.0")})),
    Table(SnmpOptions, "profile/snmp", FILES, BENCH, OPTIONS),
    Table(
        SnmpProfile,
        "profile",
        FILES,
        BENCH,
        [
            *profile_rows(parsed(PROFILE), "snmp", "scpi"),
            Row("snmp", {"max_oids": 1}, asked, Has("get 1.0 2.0"), Has("'get 1.0', 'get 2.0'")),
            Row("controls", ABSENT, told, [written(5)], "no control level", FIVE),
            Row("parameters", {"n": 2}, x, 1000.0, 50.0, {**there("{n}.0"), "profile/parameters": {"n": 1}}),
        ],
    ),
    Table(SnmpProfile, "profile", FILES, SHOW, profile_shown_rows()),
]


@every_row(TABLES)
def test_the_key_changes_what_comes_out(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
