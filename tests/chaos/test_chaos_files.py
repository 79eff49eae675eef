"""Short form of the sweep over disk calls."""

from __future__ import annotations

import pytest

from harness.clock import run
from tests.chaos import diskfull, files, killing
from tests.chaos.table import check


def test_failing_disk(tmp_path):
    async def main() -> None:
        check([await files.sweep(tmp_path, every=5)])

    run(main, rate=float("inf"))


def test_full_disk(tmp_path):
    if not diskfull.is_possible():
        pytest.skip("this machine allows no file system in a user namespace")
    with killing.yard(tmp_path) as place:
        row = diskfull.full(place)
    check([row])
