"""Keys that say what the twin of a device shows under `--simulate`."""

from __future__ import annotations

from harness.schema.profile import SimBinding, SimFlag
from tests.keys.device_bench import value
from tests.keys.rows import Case, Row, Table, every_row
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
  name: {address: 30, type: string, length: 2, poll: once, sim: {text: AbCd}}
"""
FILES = {"profile": PROFILE}
X = "profile/signals/x"
x = value("x")
FLOW = "flow.setpoint"
"""The setpoint of the simulated coolant loop: 39 L/min at the start, for the rack of 30 kW."""


def bound(**sim: object) -> dict[str, object]:
    """x as a simulated value."""
    return {f"{X}/sim": sim}


def flagged(**rule: object) -> dict[str, object]:
    """The flag `fast` of x, set by a rule."""
    return {f"{X}/flags": {"fast": 0, "slow": 1}, f"{X}/sim": {"flags": {"fast": {"of": FLOW, **rule}}}}


WORDS = {**bound(of=FLOW, words={"a": 39, "b": 90}), f"{X}/enum": {"a": 1, "b": 2}}

TABLES = [
    Table(
        SimBinding,
        f"{X}/sim",
        FILES,
        twin_bench,
        [
            Row("of", "pump.mode", x, 39.0, 1.0, bound(of=FLOW)),
            Row("factor", 2, x, 39.0, 78.0, bound(of=FLOW)),
            Row("value", 7, x, 3.0, 7.0, bound(value=3)),
            Row("words", {"b": 39, "a": 90}, x, "a", "b", WORDS),
            Row("flags", {"slow": FLOW}, x, "fast", "slow", flagged()),
            Row("text", "EfGh", value("name"), "AbCd", "EfGh", at="profile/signals/name/sim"),
        ],
    ),
    Table(
        SimFlag,
        f"{X}/sim/flags/fast",
        FILES,
        twin_bench,
        [
            Row("of", "own.none", x, "fast", "none", flagged()),
            Row("above", 50, x, "fast", "none", flagged(above=30)),
            Row("below", 50, x, "none", "fast", flagged(below=30)),
        ],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_the_twin_shows(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
