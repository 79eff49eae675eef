"""Devices that refuse, refresh rarely or stand still, read as the harness reads them and by foreign tools."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from contextlib import asynccontextmanager

import pytest

import sim
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.errors import ConfigError, DeviceError, HarnessError
from harness.schema.station import Station
from tests.foreign_tools import foreign
from tests.integration.sim_station_tools import V2C, V3, all_profiles, number, port_of, simulated, snmp, tool

VIRTUAL = float("inf")
STATE = "1.3.6.1.4.1.318.1.1.26.9.2.3.1.5"
COMMAND = "1.3.6.1.4.1.318.1.1.26.9.2.4.1.5"
UPTIME = "1.3.6.1.2.1.1.3.0"
SEEN = {
    "pdu": ("power", "outlet[2].state", "uptime"),
    "cdu": ("flow", "leak", "pump[1].rpm"),
    "rack": ("utilisation", "running", "uptime"),
}


@asynccontextmanager
async def watched(direct: bool = True):
    """(simulation, read): a loaded rack, and how the harness reads what `SEEN` names of a device."""
    on, clock = simulated(), Clock()
    profiles = all_profiles()
    simulation = await sim.start(on, profiles, virtual=True, direct=direct)
    builder = DeviceBuilder(clock, None, simulation.network)
    devices = {}
    try:
        for name in SEEN:
            entry = on.devices[name]
            devices[name] = builder.make(name, entry, profiles[entry.profile], simulation.addresses[name])
            await devices[name].open()
        for index in range(1, 9):
            simulation.plant.command(f"outlet[{index}]", 1)
        simulation.plant.command("load", 60)
        await clock.sleep(60)

        async def read(name: str) -> list[float | str]:
            return [reading.text or reading.value for reading in await devices[name].read(SEEN[name])]

        yield simulation, clock, read
    finally:
        for device in devices.values():
            await device.close()
        await simulation.close()


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("name", SEEN)
def test_frozen_values_stand_still_while_the_heartbeat_goes_on_and_commands_act(name, direct):
    async def main():
        async with watched(direct) as (simulation, clock, read):
            simulation.inject(f"values_frozen:{name}")
            first = await read(name)
            simulation.plant.command("load", 0)
            simulation.plant.command("outlet[2]", 0)
            simulation.inject("both_pumps_stop")
            await clock.sleep(30)
            second = await read(name)
            assert second[:2] == first[:2]
            assert second[2] == (first[2] if name == "cdu" else pytest.approx(first[2] + 30, abs=1))
            truth = simulation.truth()
            assert truth["outlet[2].state"] == truth["rack.load"] == 0
            assert truth["loop.flow"] < 1
            simulation.inject(f"device_heal:{name}")
            await clock.sleep(1)
            third = await read(name)
            assert third[0] != first[0]

    run(main, rate=VIRTUAL)


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("name", ["pdu", "cdu"])
def test_a_meter_that_refreshes_every_3_s_repeats_its_quantities_and_not_its_states(name, direct):
    async def main():
        async with watched(direct) as (simulation, clock, read):
            shown = []
            simulation.inject(f"meter_refresh:{name}=3s")
            for second in range(30):
                if second == 10 and name == "pdu":
                    simulation.plant.command("outlet[2]", 0)
                shown.append(await read(name))
                await clock.sleep(1)
            values = [each[0] for each in shown]
            changes = [k for k in range(1, 30) if values[k] != values[k - 1]]
            assert 8 <= len(changes) <= 10
            assert all(b - a in (3, 6) for a, b in itertools.pairwise(changes)), changes
            if name == "pdu":
                states = [each[1] for each in shown]
                assert states[9] == "on"
                assert states[12] == "off", "a state is not late"
                uptimes = [each[2] - shown[0][2] for each in shown]
                assert uptimes == pytest.approx(list(range(30)), abs=1)

    run(main, rate=VIRTUAL)


def test_without_such_a_fault_every_reading_is_new():
    async def main():
        async with watched() as (_, clock, read):
            seen = []
            for _ in range(20):
                seen.append((await read("pdu"))[0])
                await clock.sleep(1)
            assert len(set(seen)) > 15

    run(main, rate=VIRTUAL)


def test_only_faults_with_a_time_take_one():
    async def main():
        async with watched() as (simulation, _, _read):
            with pytest.raises(ConfigError, match="takes a device only"):
                simulation.inject("values_frozen:pdu=3s")
            with pytest.raises(ConfigError, match="needs a device"):
                simulation.inject("meter_refresh:nobody=3s")

    run(main, rate=VIRTUAL)


@pytest.mark.parametrize("how", [V2C, V3], ids=["v2c", "v3"])
def test_a_device_that_refuses_refuses_reads_too(how):
    foreign("snmpget", "snmpset", "snmpbulkget")

    async def main():
        simulation = await sim.start(simulated(), all_profiles())
        try:
            pdu = simulation.addresses["pdu"]
            before = await number(how, pdu, UPTIME)
            simulation.inject("device_refuses:pdu")
            where = f"127.0.0.1:{port_of(pdu)}"
            for command in (
                ("snmpget", *how, where, UPTIME),
                ("snmpget", *how, where, f"{STATE}.1", f"{STATE}.2"),
                ("snmpgetnext", *how, where, STATE),
                ("snmpbulkget", *how, where, STATE),
                ("snmpset", *how, where, f"{COMMAND}.1", "i", "1"),
            ):
                with pytest.raises(AssertionError, match="genError"):
                    await tool(*command)
            await asyncio.sleep(1.5)
            assert simulation.truth()["outlets.closed"] == 0
            simulation.inject("device_heal:pdu")
            assert await number(how, pdu, UPTIME) > before
            assert "INTEGER: 1" in (await snmp(how, pdu, f"{STATE}.1"))[0]
        finally:
            await simulation.close()

    run(main)


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "messages"])
@pytest.mark.parametrize(
    "name", ["pdu/apc_rpdu2", "cdu/meta_rpu", "load/rack_workload", "daq/keysight_daq970a", "pdu/redfish_pdu"]
)
def test_every_protocol_refuses_reads_and_reads_again(name, direct):
    profile = all_profiles()[name]
    scheme = {"snmp": "snmp://x", "modbus": "modbus+tcp://x", "scpi": "TCPIP::x::1::SOCKET", "redfish": "redfish://x"}
    entry = {"profile": name, "address": scheme[profile.protocol]}
    station = Station.model_validate({"schema": 1, "station": "one", "devices": {"it": entry}})

    async def main():
        simulation = await sim.start(station, {name: profile}, virtual=True, direct=direct)
        builder = DeviceBuilder(Clock(), None, simulation.network)
        device = builder.make("it", station.devices["it"], profile, simulation.addresses["it"])
        try:
            await asyncio.sleep(30)
            await device.open()
            names = [info.name.partition(".")[2] for info in device.signals]
            before = [each.is_good for each in await device.read(names)]
            assert sum(before) > 5
            simulation.inject("device_refuses:it")
            with contextlib.suppress(DeviceError):
                assert [each.name for each in await device.read(names) if each.is_good] == []
            another = builder.make("it", station.devices["it"], profile, simulation.addresses["it"])
            with pytest.raises(HarnessError):
                await another.open()
            await another.close()
            simulation.inject("device_heal:it")
            await asyncio.sleep(60)
            assert [each.is_good for each in await device.read(names)] == before
        finally:
            await device.close()
            await simulation.close()

    run(main, rate=VIRTUAL)
