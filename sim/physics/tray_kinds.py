"""Which trays a rack has: groups of trays that are alike, as data of the rack's class."""

from __future__ import annotations

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

SERVERS_30 = (TrayGroup("compute", 4, 1.0, 1.0, 8, 0.75),)
SERVERS_60 = (TrayGroup("compute", 8, 1.0, 1.0, 8, 0.75),)
"""Servers of eight accelerators, which take three quarters of their power."""
BLADES = (
    TrayGroup("compute", 72, 1.0, 1.0, 2, 0.78),
    TrayGroup("switch", 24, 0.5, 0.25, 2, 0.7),
)
"""144 packages of 3 kW; into how many blades and switches they go is an estimate."""
