"""A bench for one power supply: a rack of which nothing is left but a slot for it, and an electronic load."""

from __future__ import annotations

from dataclasses import replace

from sim.physics.parameters import RackParameters
from sim.physics.rack_classes import scaled

SUPPLY_BENCH = "psu"
"""Its name in a station's `simulation: {rack: psu}`."""


def supply_bench(kilowatts: float = 5.5) -> RackParameters:
    """One supply (shelf 1) of a rating; the second shelf stays without mains. There are no trays."""
    return replace(
        scaled(RackParameters(), kilowatts),
        name=SUPPLY_BENCH,
        shelves=2,
        psus=1,
        supply_rating=1e3 * kilowatts,
        idle_power=0.0,
        breaker_current=32.0,
        holdup_time=0.0225,  # s: a supply that is specified for 20 ms has some more
        eload_current=2e3 * kilowatts / 50.0,  # A, twice the rating
    )
