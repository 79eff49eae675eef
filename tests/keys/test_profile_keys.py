"""Keys inside profiles that mean the same in every protocol; seen on a device on Modbus."""

from __future__ import annotations

from harness.schema.identity import Identity, Match
from harness.schema.motion import Mover, Noise, Stamp
from harness.schema.profile import Confirm, Health, Judge, Verified
from tests.keys.commands import command_bench, line
from tests.keys.device_bench import Seen, confirmed, device_bench, error, ever, value
from tests.keys.models import ABSENT
from tests.keys.rows import Case, Has, Row, Table, every_row
from tests.keys.servers import Registers

PROFILE = """
schema: 1
profile: own/box
title: Box
class: meter
protocol: modbus
source: made up
unverified: made up
identity:
  match: [{signal: name, equals: AbCd}]
signals:
  x: {address: 10}
  y: {address: 13}
  still: {address: 14}
  name: {address: 30, type: string, length: 2, poll: once}
  other: {address: 31, type: string, length: 1, poll: once}
  level: {address: 50}
  word: {address: 51, enum: {running: 7}}
controls:
  level: {address: 50}
"""
CONTENTS = {
    "holding/10": [1000, 200, 300, 50],
    "holding/30": [0x4162, 0x4364],
    "holding/60": [0x312E, 0x332E, 0x362E, 0x312E, 0x3400],
}
"""Names AbCd and Cd, and an object identifier: 1.3.6.1.4."""
BENCH = device_bench(lambda: Registers(CONTENTS))
SHOW = command_bench("profile", "show", "profile.yaml")
FILES = {"profile": PROFILE}
X, LEVEL = "profile/signals/x", "profile/controls/level"
x = value("x")
frozen = ever("x", "STALE")


def moving(rest: int) -> dict[str, object]:
    """x moves by a few until a second, y for 20 s."""
    x_moves = [[second, "holding/10", 1000 + second * 7 % 5] for second in range(rest)]
    return {"polls": 60, "wire": [*x_moves, *([second, "holding/13", 50 + second] for second in range(20))]}


NOISE = {**moving(30), f"{X}/noise": {"absolute": 3, "source": "made up"}}
RELATIVE = {**moving(30), f"{X}/noise": {"relative": "0.3 %", "source": "made up"}}
MOVER = {**moving(1), f"{X}/moves_with": [{"signal": "y", "by": "10", "within": "5 s"}]}
STAMP = {**moving(0), f"{X}/stamp": {"signal": "y", "within": "6 s"}}


# --- confirmation

FIVE = {"do": [["level", 5]], f"{LEVEL}/confirm": {"signal": "level"}}
NEVER = {"do": [["level", 5]], f"{LEVEL}/confirm": {"signal": "still"}}
NEARLY = {**FIVE, "profile/signals/level/scale": 1.4}
WORD = {
    "do": [["level", "go"]],
    f"{LEVEL}/commands": {"go": 7},
    f"{LEVEL}/confirm": {"signal": "word"},
    "profile/signals/word/address": 50,
}


def tried_for(seen: Seen) -> float:
    """How long after the command it was read back for the last time, whole seconds."""
    return round(seen.asked[-1][0] - seen.told[-1][0])


def waited(seen: Seen) -> float:
    """How long after the command it was read back for the first time, whole seconds."""
    return round(next(second for second, _ in seen.asked if second >= seen.told[-1][0]) - seen.told[-1][0])


CONFIRM = [
    Row("signal", "still", confirmed("level"), True, False, FIVE),
    Row("within", "3 s", tried_for, 10, 3, NEVER),
    Row("delay", "4 s", waited, 0, 4, FIVE),
    Row("tolerance", "3", confirmed("level"), False, True, NEARLY),
    Row("words", {"go": "running"}, confirmed("level"), False, True, WORD),
]

# --- identity and health

JUDGED = {"profile/judged_by": [{"map": "m1", "source": "A", "edition": "1"}]}
CAPTURED = {"profile/judged_by": [{"capture": "c1", "source": "A", "edition": "1"}]}
MATCH = "profile/identity/match/0"


UNDER = {
    "profile/signals/oid": {"address": 60, "type": "string", "length": 5, "poll": "once"},
    MATCH: {"signal": "oid", "under": ["1.3.6.1.4"]},
}


def matching(key: str, right: object, wrong: object) -> Row:
    """A rule that the name AbCd satisfies, and one that it does not."""
    return Row(key, wrong, error, "", Has("name reads 'AbCd'"), {MATCH: {"signal": "name", key: right}})


LOST = {"polls": 12, "wire": [[1, "mute", True]]}


def asked_in_vain(seen: Seen) -> int:
    """How often a device that went mute after a second was asked all the same."""
    return len([second for second, _ in seen.asked if second >= 1])


TABLES = [
    Table(
        Noise,
        f"{X}/noise",
        FILES,
        BENCH,
        [
            Row("absolute", 0.1, frozen, True, False, NOISE),
            Row("relative", "0.01 %", frozen, True, False, RELATIVE),
            Row("resolution", 50, frozen, True, False, NOISE),
        ],
    ),
    Table(
        Noise,
        f"{X}/noise",
        FILES,
        SHOW,
        [Row("source", "page 7", line("noise by"), Has("made up"), Has("page 7"), NOISE)],
    ),
    Table(
        Mover,
        f"{X}/moves_with/0",
        FILES,
        BENCH,
        [
            Row("signal", "still", frozen, True, False, MOVER),
            Row("by", "100", frozen, True, False, MOVER),
            Row("within", "100 s", frozen, True, False, MOVER),
        ],
    ),
    Table(
        Stamp,
        f"{X}/stamp",
        FILES,
        BENCH,
        [
            Row("signal", "level", frozen, False, True, {**moving(0), f"{X}/stamp": {"signal": "y", "within": "50 s"}}),
            Row("within", "60 s", frozen, True, False, STAMP),
        ],
    ),
    Table(Confirm, f"{LEVEL}/confirm", FILES, BENCH, CONFIRM),
    Table(
        Match,
        MATCH,
        FILES,
        BENCH,
        [
            Row("signal", "other", error, "", Has("other reads 'Cd'")),
            matching("equals", "AbCd", "AbC"),
            matching("starts_with", "Ab", "bC"),
            matching("contains", "bC", "Ac"),
            matching("one_of", ["X", "AbCd"], ["X", "Y"]),
            matching("without", ["X"], ["bC"]),
            Row("under", ["1.3.6.1.40"], error, "", Has("oid reads '1.3.6.1.4'"), UNDER),
            Row("range", [1001, 2000], error, "", Has("x reads 1000"), {MATCH: {"signal": "x", "range": [900, 1100]}}),
            Row("present", ABSENT, error, "", Has("give `present: true`"), {MATCH: {"signal": "x", "present": True}}),
        ],
    ),
    Table(
        Identity,
        "profile/identity",
        FILES,
        BENCH,
        [
            Row("match", [], error, Has("name reads"), "", {MATCH: {"signal": "name", "equals": "X"}}),
            Row(
                "model", "other", lambda seen: seen.identity["model"], "AbCd", "Cd", {"profile/identity/model": "name"}
            ),
            Row("serial", "other", lambda seen: seen.identity["serial"], "", "Cd"),
            Row("firmware", "other", lambda seen: seen.identity["firmware"], "", "Cd"),
        ],
    ),
    Table(
        Health,
        "profile/health",
        FILES,
        BENCH,
        [
            Row("dormant_after", 2, asked_in_vain, 5, 2, {**LOST, "profile/health/probe_every": "60 s"}),
            Row("probe_every", "60 s", asked_in_vain, 11, 5, LOST),
        ],
    ),
    Table(
        Judge,
        "profile/judged_by/0",
        FILES,
        SHOW,
        [
            Row("map", "m2", line("judged:"), Has("map m1"), Has("map m2"), JUDGED),
            Row("capture", "c2", line("judged:"), Has("capture c1"), Has("capture c2"), CAPTURED),
            Row("source", "B", line("judged:"), Has("(A, 1)"), Has("(B, 1)"), JUDGED),
            Row("edition", "2", line("judged:"), Has("(A, 1)"), Has("(A, 2)"), JUDGED),
        ],
    ),
    Table(
        Verified,
        "profile/verified_on/0",
        FILES,
        SHOW,
        [
            Row(
                key,
                "9.9",
                line("judged:"),
                Has(was),
                Has("9.9"),
                {
                    "profile/unverified": ABSENT,
                    "profile/verified_on": [{"model": "M-1", "firmware": "F-1", "date": "2026-01-02"}],
                },
            )
            for key, was in (("model", "M-1"), ("firmware", "F-1"), ("date", "2026-01-02"))
        ],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_comes_out(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
