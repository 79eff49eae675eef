"""Simulated rack devices: own protocol servers, physics and faults. Never imports `harness.transport`.

simulation = await sim.start(station, profiles)      # see sim.station
"""

from __future__ import annotations

from typing import Any

_STATION = ("Simulation", "fault_names", "parse_fault", "serve_truth", "start")


def __getattr__(name: str) -> Any:
    """The simulated station, loaded when it is asked for: the servers and the physics alone do without it."""
    if name in _STATION:
        from sim import station

        return getattr(station, name)
    raise AttributeError(f"module 'sim' has no attribute {name!r}")
