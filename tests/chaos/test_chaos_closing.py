"""Short form of the partners that are slow to end."""

from __future__ import annotations

import asyncio

from harness.clock import run
from tests.chaos import closing
from tests.chaos.table import check


def test_partners_that_are_slow_to_end(tmp_path):
    async def main() -> None:
        plays = closing.Plays(tmp_path)
        moments = [(kind, 1) for kind in closing.MOMENTS]
        talked = [*moments, ("verdict", 1)]
        check(await asyncio.gather(closing.guardian(plays, moments), closing.partners(plays, closing.PARTNERS)))
        for each in (closing.telemetry, closing.control, closing.traps):  # one by one: a busy loop misses its own beat
            check([await each(plays, talked)])

    run(main)
