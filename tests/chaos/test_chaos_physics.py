"""Short form of the accidents and of the interlocks."""

from __future__ import annotations

from harness.clock import run
from tests.chaos import interlocking, physics
from tests.chaos.table import check


def test_accidents(tmp_path):
    async def main() -> None:
        check([await physics.both_pumps(tmp_path, 11), await physics.leak(tmp_path, 12)])

    run(main, rate=float("inf"))


def test_no_crossing_is_missed():
    check([interlocking.crossings(3000, 20261122)])
