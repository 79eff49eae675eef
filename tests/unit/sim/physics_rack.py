"""A powered plant for the tests of the physics, and the published check values they compare with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sim.physics import Plant, RackParameters

KIND = RackParameters()
ONE_VOLUME = replace(KIND, tray_share=0.999, throttle_temperature=1e3, trip_temperature=1e3)
"""All coolant of the rack is in one mixed volume, and nothing protects the trays: as the published check values."""
SETTLED = 900.0
STEP_FROM = 100 * (0.3 * 132 - 25) / 107
"""Workload in % at which the rack takes 30 % of its power: the check case starts there, not at 30 % workload."""


def powered(load: float = 100.0, seed: int = 1, until: float = SETTLED, kind: RackParameters = KIND) -> Plant:
    """All outlets on, a load, settled."""
    plant = Plant(kind, seed=seed)
    for index in range(1, kind.shelves + 1):
        plant.command(f"outlet[{index}]", 1)
    plant.command("load", load)
    plant.advance(until)
    return plant


def watch(plant: Plant, name: str, seconds: float, every: float = 0.1) -> Iterator[tuple[float, float]]:
    """(seconds from now, true value) while the plant advances."""
    start = plant.time
    for index in range(1, round(seconds / every) + 1):
        plant.advance(start + index * every)
        yield index * every, plant.truth(name)
