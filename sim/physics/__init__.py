"""The physics of a liquid-cooled rack station: what simulated devices measure and act on."""

from __future__ import annotations

from sim.physics.faults.catalogue import CATALOGUE as FAULTS
from sim.physics.parameters import RackParameters
from sim.physics.plant import Plant

__all__ = ["FAULTS", "Plant", "RackParameters"]
