"""Faults of what the trays compute."""

from __future__ import annotations

from sim.physics.faults.arguments import Apply, Maker, Plant, index_of, number_of
from sim.physics.workload import TRAYS


def _sdc(plant: Plant, arg: str) -> Apply:
    which, _, share = arg.partition("=")
    tray = index_of(which, TRAYS, "tray")
    wrong = number_of(share, 0.3, 0.0, 1.0, "share of the rounds that are wrong")
    return lambda: plant.calculation.spoil(tray, wrong)


FAULTS: dict[str, Maker] = {"sdc": _sdc}
