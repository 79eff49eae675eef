"""Short form of the honest verdicts."""

from __future__ import annotations

from harness.clock import run
from tests.chaos import honesty
from tests.chaos.table import check


def test_no_false_pass(tmp_path):
    run(lambda: _no_false_pass(tmp_path), rate=float("inf"))


async def _no_false_pass(data) -> None:
    check([await honesty.randomised(20, data, 20261122)])


def test_no_false_trip(tmp_path):
    run(lambda: _no_false_trip(tmp_path), rate=float("inf"))


async def _no_false_trip(data) -> None:
    check([await honesty.false_trips(1, data, 5)])
