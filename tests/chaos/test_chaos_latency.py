"""Short form of the starved interlock."""

from __future__ import annotations

from harness.clock import run
from tests.chaos import latency
from tests.chaos.table import check


def test_starved_interlock(tmp_path):
    async def main() -> None:
        check([await latency.starved(40, tmp_path)])

    run(main)
