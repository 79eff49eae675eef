"""Which trays a rack has: groups of trays that are alike, as data of the rack's class."""

from __future__ import annotations

import math
from typing import NamedTuple


class TrayGroup(NamedTuple):
    """Trays of one kind. Flow and power are relative to the other groups of the rack: the rack gives the totals."""

    name: str
    number: int
    flow: float
    """Coolant through one tray."""
    power: float
    """Electrical power of one tray."""
    devices: int
    """Accelerators or switch chips on the plates of one tray."""
    device_share: float
    """Share of the tray's power that is in these devices."""


NVL72 = (
    TrayGroup("compute", 18, 1.0, 1.0, 4, 0.74),
    TrayGroup("switch", 9, 0.5, 0.25, 2, 0.7),
)
"""18 compute trays of four accelerators and nine switch trays of two chips, half as wide in their couplings."""


class RackClass(NamedTuple):
    """What racks of one power are made of, beside what goes with the power."""

    kilowatts: float
    trays: tuple[TrayGroup, ...]
    junction_resistance: float
    """K/W from a plate to the junction of one device: some 20 K at its full power, as such devices are cooled."""


_BOXES = (8, 0.75)  # accelerators of a server, and their share of its power
CLASSES = (
    RackClass(30.0, (TrayGroup("compute", 4, 1.0, 1.0, *_BOXES),), 0.0285),
    RackClass(60.0, (TrayGroup("compute", 8, 1.0, 1.0, *_BOXES),), 0.0285),
    RackClass(132.0, NVL72, 0.0167),
    RackClass(250.0, NVL72, 0.0088),
    RackClass(600.0, (TrayGroup("compute", 72, 1.0, 1.0, 2, 0.78), TrayGroup("switch", 24, 0.5, 0.25, 2, 0.7)), 0.0067),
)
"""30 and 60 kW: servers of eight accelerators of 0.7 kW. 132 kW: accelerators of 1.2 kW. 250 kW, the next generation:
the same trays with packages of 2.3 kW. 600 kW: blades of two packages of 3 kW (public statements of 2025 and 2026; how
many blades and switches the last class has is not public, these are estimates)."""


def class_of_power(kilowatts: float) -> RackClass:
    """The class whose power is nearest, by ratio."""
    return min(CLASSES, key=lambda each: abs(math.log(each.kilowatts / kilowatts)))
