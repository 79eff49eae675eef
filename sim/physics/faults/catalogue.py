"""What can go wrong with the plant: a catalogue of named faults, each checked when injected and undone when cleared.

A fault is written `name`, `name:arg` or `name:arg@time`. Faults of sensors change what is shown, never what is true:
the unit's own controllers keep their own sensors.
"""

from __future__ import annotations

from typing import NamedTuple

from sim.physics.faults import electrical, gas, loop, network, sensor, trays, workload
from sim.physics.faults.arguments import Apply, Maker, Plant, Undo
from sim.physics.variables import nearest


class Active(NamedTuple):
    """A fault that is on: how it was written, and what ends it."""

    label: str
    undo: Undo


def prepare(plant: Plant, fault: str, arg: str) -> Apply:
    """Check a fault and its argument; the returned function applies it and gives back what undoes it."""
    maker = CATALOGUE.get(fault)
    if maker is None:
        raise ValueError(f"no fault {fault!r}{nearest(fault, CATALOGUE)}")
    try:
        return maker(plant, arg)
    except ValueError as error:
        raise ValueError(f"fault {fault}: {error}") from None


_TABLES = (loop.FAULTS, trays.FAULTS, electrical.FAULTS, sensor.FAULTS, network.FAULTS, gas.FAULTS, workload.FAULTS)
CATALOGUE: dict[str, Maker] = {name: maker for table in _TABLES for name, maker in table.items()}
"""Every fault by name: (plant, arg) -> what applies it; ValueError for a bad argument."""
