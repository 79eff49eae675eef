"""The whole matrix of lies; it is fast enough for CI."""

from __future__ import annotations

from harness.clock import run
from tests.chaos import byzantine
from tests.chaos.table import check


def test_no_lie_is_believed():
    check(run(byzantine.matrix, rate=float("inf")))
