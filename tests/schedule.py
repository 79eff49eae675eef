"""Which tests go to a worker together: the fewer, the better the long ones spread; what shares a fixture stays whole.

The order is that of the files: folders with long tests come first by their names, so that none is left for the end.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

TOGETHER = {"chaos": 1, "docs": 1, "integration": 1, "keys": 10, "unit": 10}
"""How many tests of a file go to one worker, by folder; a folder that is not here keeps its files whole."""
_ROOT = Path(__file__).resolve().parents[1]


@cache
def together(file: str) -> int:
    """How many tests of a file stay together; 0 is all of them."""
    is_shared = 'scope="module"' in (_ROOT / file).read_text(encoding="utf-8")
    return 0 if is_shared else TOGETHER.get(Path(file).parent.name, 0)


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
