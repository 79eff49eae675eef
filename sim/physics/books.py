"""What went into the plant, what left it and what is in it: energies and masses, and what does not add up."""

from __future__ import annotations

from typing import Protocol

from sim.physics.bus import Bus
from sim.physics.loop import Loop
from sim.physics.parameters import RackParameters
from sim.physics.rack import Rack


class Booked(Protocol):
    """What the books are kept of."""

    parameters: RackParameters
    loop: Loop
    rack: Rack
    bus: Bus
    energy: float
    air_energy: float
    plate_start: float


def balances(plant: Booked) -> dict[str, float]:
    """Accumulated energies in J and masses in kg since plant time 0, and what does not add up (residuals).

    What is stored is that of the plates and what the lines and trays took in; the mass present is counted by volumes.
    """
    loop, inventory, bus = plant.loop, plant.loop.inventory, plant.bus.balance()
    stored = loop.stored + plant.parameters.plate_capacity * (plant.rack.plate - plant.plate_start)
    present = inventory.counted()
    return {
        "balance.electrical": plant.energy,
        "balance.friction": loop.friction_in,
        "balance.air": plant.air_energy,
        "balance.facility": loop.heat_out,
        "balance.stored": stored,
        "balance.bus": bus,
        "balance.energy_residual": plant.energy + loop.friction_in - plant.air_energy - loop.heat_out - stored - bus,
        "balance.mass_initial": inventory.initial_mass,
        "balance.mass_present": present,
        "balance.mass_lost": inventory.lost_mass,
        "balance.mass_residual": inventory.initial_mass - present - inventory.lost_mass,
    }
