"""Which tests go to a worker together: the fewer, the better the long ones spread; what shares a fixture stays whole.

Tests that wait for real time go beside those that calculate, so that neither the cores nor the clocks are idle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

TOGETHER = {"chaos": 1, "docs": 1, "integration": 1, "keys": 10, "run": 10, "unit": 10}
"""How many tests of a file go to one worker, by folder; a folder that is not here keeps its files whole."""
WAITING = ("chaos", "docs", "integration")
"""The folders of tests that wait."""
_TOGETHER_UNTIL = 0.75
"""When so much of what calculates is done, all that waits has begun: no long test is left for the end."""
_ROOT = Path(__file__).resolve().parents[1]


@cache
def together(file: str) -> int:
    """How many tests of a file stay together; 0 is all of them."""
    is_shared = 'scope="module"' in (_ROOT / file).read_text(encoding="utf-8")
    return 0 if is_shared else TOGETHER.get(Path(file).parts[1], 0)


def mixed(items: Sequence[pytest.Item]) -> Iterator[pytest.Item]:
    """The tests in the order in which workers take them."""
    waiting = [item for item in items if _folder(item) in WAITING]
    others = [item for item in items if _folder(item) not in WAITING]
    done = 0
    for number, item in enumerate(waiting, start=1):
        yield item
        due = int(len(others) * _TOGETHER_UNTIL * number / len(waiting))
        yield from others[done:due]
        done = due
    yield from others[done:]


def _folder(item: pytest.Item) -> str:
    """The folder of `tests` that a test is in."""
    return item.path.relative_to(_ROOT / "tests").parts[0]


class Parts(LoadFileScheduling):
    """As `--dist loadfile`, but a file is cut into parts."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        self._parts: dict[str, str] = {}
        self._counted: Counter[str] = Counter()

    def _split_scope(self, nodeid: str) -> str:
        if nodeid not in self._parts:
            file = nodeid.partition("::")[0]
            size = together(file)
            self._parts[nodeid] = f"{file} {self._counted[file] // size}" if size else file
            self._counted[file] += 1
        return self._parts[nodeid]
