"""Keys of SCPI profiles: what each changes in what an instrument is asked or told, or in what its answers mean."""

from __future__ import annotations

from harness.schema.profiles.scpi import ScpiControl, ScpiOptions, ScpiProfile, ScpiRepeat, ScpiSignal
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
from tests.keys.device_bench import Seen, asked, device_bench, told, value
from tests.keys.models import ABSENT
from tests.keys.rows import Case, Has, Row, Table, every_row, parsed
from tests.keys.servers import Instrument
from tests.keys.twin_bench import twin_bench

PROFILE = """
schema: 1
profile: own/box
title: Box
class: meter
protocol: scpi
source: made up
unverified: made up
scpi: {at_open: []}
signals:
  x: {query: "X?"}
  y: {query: "Y?"}
  name: {query: "NAME?", parse: text, poll: once}
  level: {query: "LEV?", poll: slow}
controls:
  level: {set: "LEV {value}"}
repeat:
  cell:
    count: 2
    signals:
      v: {query: "CELL? {i}"}
"""
ANSWERS = {
    "X?": "1000",
    "Y?": "50",
    "NAME?": "AbCd",
    "LEV?": "0",
    "CELL? 1": "200",
    "CELL? 2": "300",
    "CELL? 3": "400",
    "LIST?": "7,8,9",
    "STATE?": "RUN",
    "VOLT?": "12 V",
}
BENCH = device_bench(lambda: Instrument(ANSWERS))
SHOW = command_bench("profile", "show", "profile.yaml")
FILES = {"profile": PROFILE}
X, LEVEL, CELL = "profile/signals/x", "profile/controls/level", "profile/repeat/cell"
x = value("x")
FIVE, GO, TWO = {"do": [["level", 5]]}, {"do": [["level", "go"]]}, {"do": [["cell[2].set", 5]]}


def of(query: str, **more: object) -> dict[str, object]:
    """x as the answer to another query."""
    return {X: {"query": query, **more}}


def written(number: float) -> str:
    return f"LEV {number:g}"


def why(seen: Seen) -> str:
    """What came of setting the level."""
    return seen.outcomes["level"].error


COLUMN = {f"{CELL}/signals/v": {"query": "LIST?", "parse": "list"}}
STATE = of("STATE?", parse="word", enum={"running": 5, "off": 6})

TABLES = [
    Table(
        ScpiSignal,
        X,
        FILES,
        BENCH,
        [
            *signal_rows("X?", "Y?"),
            Row("enum", {"high": 1000}, x, 1000.0, "high"),
            Row("query", "Y?", x, 1000.0, 50.0),
            Row("parse", "list", x, "BAD_NAN", 7.0, of("LIST?")),
            Row("parse", "field", x, "7,8,9", "7", of("LIST?", parse="text")),
            Row("index", 2, x, 7.0, 9.0, of("LIST?", parse="list")),
            Row("stride", 2, value("cell[2].v"), 7.0, 9.0, COLUMN, f"{CELL}/signals/v"),
            Row("answers", {"running": "RUN"}, x, "BAD_DECODE", "running", STATE),
            Row("suffix", " V", x, "BAD_NAN", 12.0, of("VOLT?")),
        ],
    ),
    Table(ScpiSignal, X, FILES, SHOW, [SHOWN]),
    Table(ScpiSignal, X, FILES, twin_bench, twin_signal_rows()),
    Table(
        ScpiControl,
        LEVEL,
        FILES,
        BENCH,
        [
            *control_rows(written),
            Row("set", "CUR {value}", told, [written(5)], ["CUR 5"], FIVE),
            Row("texts", {"go": "START"}, told, ["RUN"], ["START"], {**GO, LEVEL: {"texts": {"go": "RUN"}}}),
        ],
    ),
    Table(ScpiControl, LEVEL, FILES, SHOW, [SHOWN]),
    Table(ScpiControl, LEVEL, FILES, twin_bench, twin_control_rows({"query": "LEV?"})),
    Table(
        ScpiOptions,
        "profile/scpi",
        FILES,
        BENCH,
        [
            Row("at_open", ["*CLS", "REM ON"], told, [], ["*CLS", "REM ON"]),
            Row(
                "error_query",
                "",
                why,
                Has("-113"),
                Has("no signal that confirms"),
                {**FIVE, f"{LEVEL}/set": "BAD {value}"},
            ),
        ],
    ),
    *(
        Table(ScpiOptions, "profile/scpi", FILES, device_bench(lambda talk=talk: Instrument(ANSWERS, **talk)), [row])
        for talk, row in (
            (
                {"greeting": b"ACME\r\n> ", "prompt": b"> "},
                Row("greeting", ["ACME"], x, Has("greeting:"), 1000.0, {"profile/scpi/prompt": "> "}),
            ),
            ({"prompt": b"> "}, Row("prompt", "> ", x, Has("prompt:"), 1000.0)),
            ({"echo": True}, Row("echo", True, x, Has("echo:"), 1000.0)),
            ({"acknowledge": b"OK\r\n"}, Row("acknowledge", "OK", why, Has("acknowledge:"), Has("confirms it"), FIVE)),
        )
    ),
    Table(
        ScpiRepeat,
        CELL,
        FILES,
        BENCH,
        [
            Row("count", 1, value("cell[2].v"), 300.0, "no such signal"),
            Row("first", 2, value("cell[2].v"), 300.0, 400.0),
            Row("signals", {"w": {"query": "Y?"}}, value("cell[1].w"), "no such signal", 50.0),
            Row("controls", {"set": {"set": "S{i} {value}"}}, told, "no control cell[2].set", ["S2 5"], TWO),
            Row("control", {"set": "C{i} {value}"}, told, "no control cell[2]", ["C2 5"], {"do": [["cell[2]", 5]]}),
        ],
    ),
    Table(
        ScpiProfile,
        "profile",
        FILES,
        BENCH,
        [
            *profile_rows(parsed(PROFILE), "scpi", "modbus"),
            Row("scpi", {"at_open": ["REM ON"]}, told, [], ["REM ON"]),
            Row("controls", ABSENT, told, [written(5)], "no control level", FIVE),
            Row(
                "parameters",
                {"n": 2},
                asked,
                Has("CELL? 1"),
                Has("CELL? 2"),
                {f"{X}/query": "CELL? {n}", "profile/parameters": {"n": 1}, f"{CELL}/signals": {}},
            ),
        ],
    ),
    Table(ScpiProfile, "profile", FILES, SHOW, profile_shown_rows()),
]


@every_row(TABLES)
def test_the_key_changes_what_comes_out(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
