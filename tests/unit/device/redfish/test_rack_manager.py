"""The trays of a rack as its manager shows them, and the agent that switches them; the truth of the rack judges."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest

import sim
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.registry import known_profiles, load_profile
from harness.device.setting import Setting
from harness.project.station import load_station
from harness.schema.station import Station

TRAYS = Path(__file__).parents[4] / "testplans" / "stations" / "trays.yaml"
MANAGER, AGENT = "tray/redfish_rack_manager", "relay/tray_agent"
STATION = {
    "schema": 1,
    "station": "rack",
    "simulation": {"rack": "132kW"},
    "devices": {
        "trays": {"profile": MANAGER, "address": "redfish://127.0.0.1:8000", "counts": {"tray": 18}},
        "agent": {"profile": AGENT, "address": "TCPIP::127.0.0.1::8001::SOCKET", "counts": {"tray": 18}},
    },
}


def with_trays(work, faults=()):
    """Do `work(simulation, trays, agent)` with both devices of a rack at full load, ten minutes after power came."""
    station = Station.model_validate(STATION)
    profiles = {name: load_profile(known_profiles()[name])[0] for name in (MANAGER, AGENT)}

    async def main():
        simulation = await sim.start(station, profiles, virtual=True, faults=list(faults))
        for index in range(1, 9):
            simulation.plant.command(f"outlet[{index}]", 1)
        simulation.plant.command("load", 100)
        builder = DeviceBuilder(Clock(), Path(), simulation.network)
        devices = []
        for name in ("trays", "agent"):
            entry = station.devices[name]
            devices.append(builder.make(name, entry, profiles[entry.profile], simulation.addresses[name]))
        try:
            for device in devices:
                await device.open()
            await asyncio.sleep(600)
            return await work(simulation, *devices)
        finally:
            for device in devices:
                await device.close()
            await simulation.close()

    return run(main, rate=math.inf)


async def read(device, *names):
    return [reading.text if reading.text else reading.value for reading in await device.read(list(names))]


def test_the_manager_shows_each_tray_as_it_is():
    async def work(simulation, trays, _agent):
        truth = simulation.plant.truth
        names = [signal.name for signal in trays.signals]
        assert sum(name.endswith(".accelerator_temperature") for name in names) == 18
        shown = await read(
            trays, "tray[1].accelerator_temperature", "tray[18].accelerator_temperature", "tray[5].power"
        )
        assert shown[0] == pytest.approx(truth("tray[1].junction_temperature"), abs=0.3)
        assert shown[1] == pytest.approx(truth("tray[18].junction_temperature"), abs=0.3)
        assert shown[1] > shown[0] + 1, "the last tray of the manifold gets the least coolant"
        assert shown[2] == pytest.approx(truth("tray[5].power"), rel=0.03)
        assert await read(trays, "power_state", "leak", "tray[3].state", "tray[3].throttled") == [
            "on",
            "dry",
            "on",
            "no",
        ]
        (coolant,) = await read(trays, "tray[7].coolant_temperature")
        assert coolant == pytest.approx(truth("tray[7].outlet_temperature"), abs=0.3)
        return True

    assert with_trays(work)


def test_one_wet_tray_is_told_by_its_own_sensor():
    async def work(_simulation, trays, _agent):
        return await read(trays, "tray[9].leak", "tray[8].leak", "leak")

    assert with_trays(work, ["tray_leak:9=1@60s"]) == ["wet", "dry", "wet"]


def test_a_tray_is_forced_off_and_the_manager_sees_it():
    async def work(simulation, trays, agent):
        (control,) = agent.expansion.bank("tray[4]")
        await agent.write(control, Setting(word="off"))
        await asyncio.sleep(5)
        seen = await read(trays, "tray[4].state", "tray[5].state", "power_state")
        assert simulation.plant.truth("tray[4].power") == 0
        assert await read(agent, "tray[4].state", "tray[5].state") == ["off", "on"]
        await agent.write(control, Setting(word="on"))
        await asyncio.sleep(5)
        return [*seen, *await read(trays, "tray[4].state")]

    assert with_trays(work) == ["off", "on", "on", "on"]


def test_the_station_with_trays_has_the_devices_of_the_simulated_one_and_two_more():
    names = [set(load_station(TRAYS.parent / file).station.devices) for file in ("trays.yaml", "simulated.yaml")]
    assert names[0] - names[1] == {"trays", "agent"}
    assert names[1] <= names[0]
