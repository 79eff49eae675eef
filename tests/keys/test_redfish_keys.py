"""Keys of Redfish profiles: what each changes in what a service is asked for, or in what its resources mean."""

from __future__ import annotations

from typing import Any

from harness.schema.profiles.redfish import (
    RedfishFind,
    RedfishOptions,
    RedfishProfile,
    RedfishRepeat,
    RedfishSignal,
    RedfishWhere,
)
from tests.keys.commands import command_bench
from tests.keys.common import SHOWN, profile_rows, profile_shown_rows, signal_rows, twin_signal_rows
from tests.keys.device_bench import device_bench, error, value
from tests.keys.models import ABSENT
from tests.keys.rows import Case, Has, Row, Table, every_row, parsed
from tests.keys.servers import Service
from tests.keys.twin_bench import twin_bench

PROFILE = """
schema: 1
profile: own/box
title: Box
class: meter
protocol: redfish
source: made up
unverified: made up
signals:
  x: {path: BOX, pointer: /X}
  y: {path: BOX, pointer: /Y}
  name: {path: BOX, pointer: /Name, type: text, poll: once}
repeat:
  cell:
    count: 2
    walk: BOX/Cells
    signals:
      v: {pointer: /V}
      state: {pointer: /State, answers: {dry: OK, damp: Hm, wet: Leak}}
""".replace("BOX", Service.ROOT)


def members(path: str, *names: str) -> dict[str, Any]:
    """A collection."""
    return {"Members": [{"@odata.id": f"{Service.ROOT}{path}/{name}"} for name in names]}


TREE: dict[str, dict[str, Any]] = {
    "": {"X": 1000, "Y": 50, "Name": "AbCd", "Text": "high", "Number": "12"},
    "/Cells": members("/Cells", "A", "B"),
    "/Cells/A": {"V": 200, "W": 5, "State": "OK"},
    "/Cells/B": {"V": 300, "W": 6, "State": "Hm"},
    "/Others": members("/Others", "C"),
    "/Others/C": {"V": 400, "X": 70},
    "/Rest": {"X": 9, "Status": {"State": "StandbyOffline"}},
}
BENCH = device_bench(lambda: Service(TREE))
SHOW = command_bench("profile", "show", "profile.yaml")
FILES = {"profile": PROFILE}
X, CELL, FIND = "profile/signals/x", "profile/repeat/cell", "profile/redfish/find"
x = value("x")
NO_PLACE = {f"{X}/path": ABSENT, f"{X}/pointer": ABSENT}
HIGH = {f"{X}/pointer": "/Text", f"{X}/answers": {"up": "high"}}
FOUND = {f"{FIND}/part": {"collection": f"{Service.ROOT}/Cells", "member": 1}, X: {"path": "{part}", "pointer": "/V"}}
CHOSEN = {f"{CELL}/where": {"pointer": "/State", "one_of": ["Hm"]}}
WORST = {**NO_PLACE, f"{X}/max_of": "cell.state", f"{X}/enum": {"none": 0, "damp": 1, "dry": 3}}
"""The second cell is damp, the first dry; which of the two is worse is said by the numbers of the words."""

TABLES = [
    Table(
        RedfishSignal,
        X,
        FILES,
        BENCH,
        [
            *signal_rows("X", "Y"),
            Row("enum", {"dry": 3, "damp": 1, "wet": 2}, x, "damp", "dry", WORST, f"{CELL}/signals/state"),
            Row("path", f"{Service.ROOT}/Others/C", x, 1000.0, 70.0),
            Row("pointer", "/Y", x, 1000.0, 50.0),
            Row("type", "text", x, "BAD_DECODE", "12", {f"{X}/pointer": "/Number"}),
            Row("answers", {"down": "high"}, x, "up", "down", HIGH),
            Row(
                "sum_of",
                "cell.w",
                x,
                500.0,
                11.0,
                {**NO_PLACE, f"{X}/sum_of": "cell.v", f"{CELL}/signals/w": {"pointer": "/W"}},
            ),
            Row(
                "max_of",
                "cell.w",
                x,
                300.0,
                6.0,
                {**NO_PLACE, f"{X}/max_of": "cell.v", f"{CELL}/signals/w": {"pointer": "/W"}},
            ),
            Row("optional", True, x, "BAD_MISSING", "no such signal", {f"{X}/pointer": "/None"}),
            Row("states", ["Enabled", "StandbyOffline"], x, "BAD_MISSING", 9.0, {f"{X}/path": f"{Service.ROOT}/Rest"}),
            Row("states", "any", x, "BAD_MISSING", 9.0, {f"{X}/path": f"{Service.ROOT}/Rest"}),
        ],
    ),
    Table(RedfishSignal, X, FILES, SHOW, [SHOWN]),
    Table(RedfishSignal, X, FILES, twin_bench, twin_signal_rows()),
    Table(
        RedfishFind,
        f"{FIND}/part",
        FILES,
        BENCH,
        [
            Row("collection", f"{Service.ROOT}/Others", x, 200.0, 400.0, FOUND),
            Row("member", 2, x, 200.0, 300.0, FOUND),
        ],
    ),
    Table(
        RedfishOptions,
        "profile/redfish",
        FILES,
        BENCH,
        [Row("find", {"part": {"collection": f"{Service.ROOT}/Others"}}, x, 200.0, 400.0, FOUND)],
    ),
    Table(
        RedfishRepeat,
        CELL,
        FILES,
        BENCH,
        [
            Row("count", 1, value("cell[2].v"), 300.0, "no such signal"),
            Row("walk", f"{Service.ROOT}/Others", value("cell[1].v"), 200.0, 400.0),
            Row("signals", {"w": {"pointer": "/W"}}, value("cell[1].w"), "no such signal", 5.0),
            Row("where", {"pointer": "/State", "one_of": ["Hm"]}, value("cell[1].v"), 200.0, 300.0),
        ],
    ),
    Table(
        RedfishWhere,
        f"{CELL}/where",
        FILES,
        BENCH,
        [
            Row("pointer", "/Status", value("cell[1].v"), 300.0, "no such signal", CHOSEN),
            Row("one_of", ["OK"], value("cell[1].v"), 300.0, 200.0, CHOSEN),
        ],
    ),
    Table(
        RedfishRepeat,
        CELL,
        FILES,
        twin_bench,
        [Row("sim_rows", 1, value("cell[2].v"), 0.0, "no such signal", {f"{CELL}/sim_rows": 2})],
    ),
    Table(
        RedfishProfile,
        "profile",
        FILES,
        BENCH,
        [
            *profile_rows(parsed(PROFILE), "redfish", "scpi"),
            Row("redfish", {"find": {"part": {"collection": f"{Service.ROOT}/Others"}}}, x, 200.0, 400.0, FOUND),
            Row(
                "parameters",
                {"n": 2},
                x,
                200.0,
                300.0,
                {**FOUND, f"{FIND}/part/member": "{n}", "profile/parameters": {"n": 1}},
            ),
            Row(
                "dead_man",
                {
                    "source": "a",
                    "acts": "local",
                    "shortest": "1 s",
                    "longest": "9 s",
                    "feed": [{"set": "beat", "counts": True}],
                },
                error,
                "",
                Has("'beat' is no control of this profile"),
            ),
        ],
    ),
    Table(RedfishProfile, "profile", FILES, SHOW, profile_shown_rows()),
]


@every_row(TABLES)
def test_the_key_changes_what_comes_out(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
