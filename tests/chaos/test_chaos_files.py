"""Short form of the sweep over disk calls."""

from __future__ import annotations

from harness.clock import run
from tests.chaos import files
from tests.chaos.table import check


def test_failing_disk(tmp_path):
    async def main() -> None:
        check([await files.sweep(tmp_path, every=5)])

    run(main, rate=float("inf"))
