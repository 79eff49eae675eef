"""Connections of which one is code of others that ends in any way: its device is not reached, the others are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.clock import run
from harness.events import EventKind
from harness.guardian.__main__ import TEND_EVERY_S, keep_connected
from harness.guardian.connections import Connections
from harness.guardian.log import GuardianLog
from harness.guardian.watch import Watch
from harness.safety.actions import Sequences

VIRTUAL = float("inf")
ENDS = [ValueError("odd"), SystemExit(0), BaseException("odd")]


class Channel:
    """Answers, but for the part that fails."""

    def __init__(self, fails: str, how: BaseException) -> None:
        self.fails, self.how = fails, how
        self.is_open = self.is_closed = False

    def _maybe(self, part: str) -> None:
        if part == self.fails:
            raise self.how

    async def open(self) -> None:
        self._maybe("open")
        self.is_open = True

    async def close(self) -> None:
        self._maybe("close")
        self.is_closed = True

    async def read(self, reads: Sequence[Any]) -> list[float]:
        self._maybe("read")
        return [0.0 for _ in reads]


def make(name: str, entry: Any, shared: Any) -> Channel:
    """Where connections get a channel from: what fails stands in the entry."""
    if entry["fails"] == "channel":
        raise entry["how"]
    return Channel(entry["fails"], entry["how"])


def connections(part: str, how: BaseException) -> Connections:
    shared = {"protocol": "odd", "channel": f"{__name__}:make", "is_exclusive": False, "max_batch": 1, "how": how}
    return Connections({"theirs": {**shared, "fails": part}, "ours": {**shared, "fails": ""}})


@pytest.mark.parametrize("how", ENDS, ids=repr)
@pytest.mark.parametrize("part", ["channel", "open", "close"])
def test_the_other_connection_is_opened_and_closed(part: str, how: BaseException) -> None:
    async def main() -> None:
        both = connections(part, how)
        problems = await both.open()
        assert list(problems) == ([] if part == "close" else ["theirs"])
        await both.close()
        ours: Any = both.channels["ours"]
        assert ours.is_open
        assert ours.is_closed

    run(main, VIRTUAL)


@pytest.mark.parametrize("how", ENDS, ids=repr)
def test_it_is_noted_once_that_a_connection_is_lost_and_the_others_are_used_on(
    how: BaseException, tmp_path: Path
) -> None:
    class Both(Sequences):
        def __init__(self) -> None:
            pass

        def samples(self) -> dict[str, Any]:
            return {"theirs": object(), "ours": object()}

    async def main() -> None:
        both, watch, problems = connections("read", how), Watch(), {}
        log = GuardianLog(tmp_path / "guardian.log")
        keeping = asyncio.ensure_future(keep_connected(Both(), both, watch, log, problems))
        await asyncio.sleep(3.5 * TEND_EVERY_S)
        assert not keeping.done()
        assert list(problems) == ["theirs"]
        keeping.cancel()
        await asyncio.wait({keeping})
        await log.close()

    run(main, VIRTUAL)
    assert (tmp_path / "guardian.log").read_text().count(EventKind.NOT_REACHED) == 1
