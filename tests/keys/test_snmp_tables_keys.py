"""Keys by which SNMP profiles find rows, labels, units and scales on a device."""

from __future__ import annotations

from collections.abc import Callable

from harness.schema.profiles.snmp import (
    SnmpBind,
    SnmpCommand,
    SnmpFallback,
    SnmpLookup,
    SnmpRepeat,
    SnmpUnits,
    SnmpWhere,
)
from tests.keys.device_bench import Seen, device_bench, told, value
from tests.keys.models import ABSENT
from tests.keys.rows import Case, Row, Table, every_row
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
  x: {oid: ROOT.41}
controls:
  level: {oid: ROOT.50.0}
repeat:
  row:
    count: 9
    walk: ROOT.20
    signals:
      v: {oid: "ROOT.21.{i}"}
    controls:
      set: {oid: "ROOT.60.{i}"}
  cell:
    count: 2
    signals:
      v: {oid: "ROOT.21.{i}"}
""".replace("ROOT", ROOT)
CONTENTS: dict[str, int | str] = {
    "4.0": 7,
    "6.0": 8,
    "7.0": 9,
    "50.0": 0,
    "51.0": 0,
    "20.1": "Outlet",
    "20.2": "Inlet",
    "20.3": "Spare inlet",
    "20.4": "Fan",
    "21.1": 11,
    "21.2": 22,
    "21.3": 33,
    "21.4": 44,
    "22.1": "Cold",
    "22.2": "Hot",
    "22.3": "Warm",
    "30.1.2": 312,
    "30.2.1": 321,
    "30.3.4": 334,
    "31.501": "Inlet",
    "31.502": "Outlet",
    "32.501": 901,
    "32.502": 902,
    "33.501": "left",
    "33.502": "right",
    "40.1": "Oil",
    "40.2": "Air",
    "41.1": 1000,
    "41.2": 2000,
    "42.1": "Air",
    "42.2": "Oil",
    "60.1": 0,
    "60.2": 0,
    "61.1": 0,
}
BENCH = device_bench(lambda: Objects(CONTENTS))
FILES = {"profile": PROFILE}
X, LEVEL, ROW, CELL = "profile/signals/x", "profile/controls/level", "profile/repeat/row", "profile/repeat/cell"
V = f"{ROW}/signals/v"
x, first, second = value("x"), value("row[1].v"), value("row[2].v")
GO = {"do": [["level", "go"]]}


def oid(place: str) -> str:
    """An object of the agent by its full name."""
    return f"{ROOT}.{place}"


BIND = {f"{X}/bind": {"labels": oid("40"), "equals": ["Oil"]}}
UNIT = {
    f"{X}/oid": oid("41.1"),
    f"{X}/unit": "W",
    f"{X}/unit_from": {"oid": oid("6.0"), "words": {"8": "kW", "9": "MW"}},
}
FALLBACK = {f"{X}/oid": oid("99.0"), f"{X}/fallbacks": [{"oid": oid("41.1"), "scale": 0.5}]}
COMMAND = {**GO, f"{LEVEL}/oid": ABSENT, f"{LEVEL}/command_oids": {"go": {"oid": oid("50.0"), "value": 9}}}
PART = {f"{V}/oid": oid("30"), f"{V}/lookup": {"part": 0}}
NAMED = {f"{V}/oid": oid("32"), f"{V}/lookup": {"labels": oid("31")}}
JOINED = {f"{V}/oid": oid("33"), f"{V}/type": "text", f"{V}/lookup": {"labels": oid("31")}}


def where(**rule: object) -> dict[str, object]:
    """Only the rows whose label obeys a rule."""
    return {f"{ROW}/where": [{"column": oid("20"), **rule}]}


def asks(name: str) -> Callable[[Seen], str]:
    """The object that a signal is read from."""
    return lambda seen: seen.device.link.reading(seen.device.expansion.signals[name]).oid


TABLES = [
    Table(
        SnmpBind,
        f"{X}/bind",
        FILES,
        BENCH,
        [
            Row("labels", oid("42"), x, 1000.0, 2000.0, BIND),
            Row("equals", ["Water", "Air"], x, 1000.0, 2000.0, BIND),
        ],
    ),
    Table(
        SnmpUnits,
        f"{X}/unit_from",
        FILES,
        BENCH,
        [
            Row("oid", oid("7.0"), x, 1e6, 1e9, UNIT),
            Row("words", {"8": "W"}, x, 1e6, 1000.0, UNIT),
        ],
    ),
    Table(
        SnmpFallback,
        f"{X}/fallbacks/0",
        FILES,
        BENCH,
        [
            Row("oid", oid("41.2"), x, 500.0, 1000.0, FALLBACK),
            Row("scale", 0.1, x, 500.0, 100.0, FALLBACK),
        ],
    ),
    Table(
        SnmpWhere,
        f"{ROW}/where/0",
        FILES,
        BENCH,
        [
            Row("column", oid("22"), first, 44.0, "no such signal", where(one_of=["Fan"])),
            Row("one_of", ["Inlet"], first, 44.0, 22.0, where(one_of=["Fan"])),
            Row("starts_with", ["Spare"], first, 44.0, 33.0, where(starts_with=["Fa"])),
            Row("ends_with", ["let"], first, 44.0, 11.0, where(ends_with=["an"])),
            Row("contains", ["e in"], first, 44.0, 33.0, where(contains=["Fa"])),
            Row(
                "absent",
                True,
                second,
                "no such signal",
                44.0,
                {f"{ROW}/where": [{"column": oid("22"), "one_of": ["Hot"]}]},
            ),
        ],
    ),
    Table(
        SnmpLookup,
        f"{V}/lookup",
        FILES,
        BENCH,
        [
            Row("part", 1, first, 312.0, 321.0, PART),
            Row("labels", oid("31"), first, "BAD_MISSING", 902.0, {f"{V}/oid": oid("32"), f"{V}/lookup": {"part": 0}}),
            Row("equals", ["Inlet"], first, 902.0, 901.0, NAMED),
            Row("join", [oid("31")], first, "right", "right:Outlet", JOINED),
        ],
    ),
    Table(
        SnmpCommand,
        f"{LEVEL}/command_oids/go",
        FILES,
        BENCH,
        [
            Row("oid", oid("51.0"), told, [("50.0", 2, 9)], [("51.0", 2, 9)], COMMAND),
            Row("value", 8, told, [("50.0", 2, 9)], [("50.0", 2, 8)], COMMAND),
        ],
    ),
    Table(
        SnmpRepeat,
        ROW,
        FILES,
        BENCH,
        [
            Row("count", 1, second, 22.0, "no such signal"),
            Row("first", 2, value("cell[1].v"), 11.0, 22.0, at=CELL),
            Row("walk", oid("60"), value("row[3].v"), 33.0, "no such signal"),
            Row("where", [{"column": oid("20"), "starts_with": ["Sp"]}], first, 11.0, 33.0),
            Row(
                "others",
                True,
                first,
                11.0,
                22.0,
                {f"{X}/oid": oid("21"), f"{X}/bind": {"labels": oid("20"), "equals": ["Outlet"]}},
            ),
            Row("labels", oid("22"), first, 902.0, "BAD_MISSING", NAMED),
            Row("signals", {"w": {"oid": oid("21.{i}"), "scale": 2}}, value("row[1].w"), "no such signal", 22.0),
            Row("controls", ABSENT, told, [("60.2", 2, 5)], "no control row[2].set", {"do": [["row[2].set", 5]]}),
            Row(
                "control",
                {"oid": oid("60.{i}")},
                told,
                "no control row[2]",
                [("60.2", 2, 5)],
                {"do": [["row[2]", 5]]},
            ),
        ],
    ),
    Table(
        SnmpRepeat,
        ROW,
        FILES,
        twin_bench,
        [
            Row("sim_rows", 3, value("row[3].v"), "no such signal", 5.0, {f"{V}/sim": 5, f"{ROW}/sim_rows": 2}),
            Row("sim_index", "7{i}", asks("row[1].v"), oid("21.1"), oid("21.71")),
        ],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_comes_out(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
