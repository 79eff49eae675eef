"""The twin of a tray when coolant leaks."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import sim
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.registry import known_profiles, load_profile
from harness.schema.station import Station

TRAY = "tray/redfish_compute"


def test_the_twin_of_a_tray_gets_wet_when_coolant_leaks():
    entry = {"profile": TRAY, "address": "redfish://127.0.0.1:8000"}
    station = Station.model_validate({"schema": 1, "station": "rack", "devices": {"tray": entry}})
    profile = load_profile(known_profiles()[TRAY])[0]

    async def main():
        simulation = await sim.start(station, {TRAY: profile}, virtual=True, faults=["leak:2@60s"])
        builder = DeviceBuilder(Clock(), Path(), simulation.network)
        device = builder.make("tray", station.devices["tray"], profile, simulation.addresses["tray"])
        try:
            await device.open()
            before = [each.text for each in await device.read(["leak", "leak_detector[1].state"])]
            await asyncio.sleep(600)
            return before, [each.text for each in await device.read(["leak", "leak_detector[1].state"])]
        finally:
            await device.close()
            await simulation.close()

    assert run(main, rate=math.inf) == (["dry", "ok"], ["wet", "critical"])
