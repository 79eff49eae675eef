"""A process that carries out many virtual runs: it does not grow, and what one has read is what the next reads."""

from __future__ import annotations

import math
import weakref
from copy import deepcopy

from harness.clock import run
from harness.device.registry import known_profiles
from harness.project.plan import load_project
from harness.project.station import load_station
from harness.schema.yaml_loader import load_yaml
from tests.plan_runs import PLANS, STATION


class Circle:
    """Something that only a collection of circles frees, as a run is."""

    def __init__(self) -> None:
        self.own = self


def test_what_earlier_loops_left_in_circles_is_freed():
    left: list[weakref.ref[Circle]] = []

    async def main() -> None:
        left.append(weakref.ref(Circle()))

    for _ in range(40):
        run(main, math.inf)
    assert sum(circle() is not None for circle in left) <= 8


def test_nobody_changes_what_was_composed():
    paths = [STATION, PLANS / "acceptance.yaml", *known_profiles().values()]
    texts = [(path.read_text(encoding="utf-8"), str(path)) for path in paths]
    before = [deepcopy(load_yaml(*text)) for text in texts]
    for _ in range(2):
        load_project(PLANS / "acceptance.yaml", load_station(STATION), {})
    assert [load_yaml(*text) for text in texts] == before
