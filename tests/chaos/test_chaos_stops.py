"""Short form of the ways to end a run from outside, and of a wall clock that jumps."""

from __future__ import annotations

from random import Random

from harness.clock import run
from tests.chaos import clocks, killing, stops
from tests.chaos.table import check


def test_ways_to_stop(tmp_path):
    with killing.yard(tmp_path) as place:
        rows = stops.all_ways(place, 1, Random(20261122))
    check(rows)


def test_wall_clock_steps(tmp_path):
    async def main() -> None:
        check([await clocks.steps(tmp_path, 4.0)])

    run(main)
