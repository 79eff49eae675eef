"""What the guardian reads and sends is what the devices read and send: compared on the whole simulated station."""

from __future__ import annotations

import json
import math

import sim
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.registry import find_profile, load_profile
from harness.device.setting import Setting
from harness.device.wire import Command, Expect, Read, packed, unpacked
from harness.guardian.connections import Connections
from harness.guardian.log import GuardianLog
from harness.safety.actions import Sequences
from harness.safety.compile import compile_plan, compile_read, devices_of
from harness.safety.connections import connection
from harness.safety.sequence import energised, make_safe
from harness.schema.source import read_source, validate
from harness.schema.station import Station
from tests.integration.sim_station_tools import STATION


def test_every_signal_reads_the_same_over_the_bare_wire() -> None:
    run(_compare)


async def _compare() -> None:
    station = validate(read_source(STATION), Station)
    profiles = {}
    for entry in station.devices.values():
        path = find_profile(entry.profile, STATION.parent)
        assert path is not None
        profiles[entry.profile] = load_profile(path)[0]
    simulation = await sim.start(station, profiles)
    builder = DeviceBuilder(Clock(), STATION.parent)
    devices = {
        name: builder.make(name, entry, profiles[entry.profile], simulation.addresses[name])
        for name, entry in station.devices.items()
    }
    try:
        for device in devices.values():
            await device.open()
        compared = 0
        for device in devices.values():
            channel = device.link.channel
            signals = [info.name.partition(".")[2] for info in device.signals]
            for name in signals:
                point = device.expansion.signals[name]
                if point.spec.counter or name not in getattr(device.link, "bound", {name: 0}):
                    continue
                (reading,) = await device.read([name])
                read = unpacked(Read, json.loads(json.dumps(packed(await compile_read(device, point)))))
                (value,) = await channel.read([read])
                compared += 1
                if point.spec.is_text:
                    assert value == reading.text, name
                elif not reading.is_good:
                    assert isinstance(value, float), name
                    assert math.isnan(value), f"{name}: {reading} is no measurement, the guardian reads {value}"
                else:
                    assert isinstance(value, float), name
                    near = abs(value - reading.value) <= 0.05 * abs(reading.value) + 2.0
                    assert near, f"{name}: {reading.value} and {value}"
        assert compared > 150
    finally:
        for device in devices.values():
            await device.close()
        await simulation.close()


def test_the_plan_that_is_handed_over_makes_the_rack_safe() -> None:
    run(_hand_over)


async def _hand_over() -> None:
    station = validate(read_source(STATION), Station)
    profiles = {}
    for entry in station.devices.values():
        path = find_profile(entry.profile, STATION.parent)
        assert path is not None
        profiles[entry.profile] = load_profile(path)[0]
    simulation = await sim.start(station, profiles)
    builder = DeviceBuilder(Clock(), STATION.parent)
    devices = {
        name: builder.make(name, station.devices[name], profiles[station.devices[name].profile], address)
        for name, address in simulation.addresses.items()
        if name in ("pdu", "cdu", "rack")
    }
    connections = None
    guardian_log = GuardianLog(None)
    try:
        for device in devices.values():
            await device.open()
        plan = json.loads(json.dumps(await compile_plan(station, devices, station.derived)))
        assert devices_of(plan) == ["cdu", "pdu", "rack"], "what the safe state needs; the calm end lowers the load"
        reached = {
            name: connection(devices[name], simulation.addresses[name], STATION.parent) for name in ("pdu", "cdu")
        }
        pdu = devices["pdu"]
        for k in (2, 5, 8):
            await pdu.write(pdu.expansion.controls[f"outlet[{k}]"], Setting(word="on"))
        connections = Connections(json.loads(json.dumps(reached)))
        assert await connections.open() == {}
        compiled = Sequences.of(plan)
        keys = list(compiled.off)
        async with Clock().timeout(10):
            while set(await energised(compiled.off, keys, connections)) != {
                "pdu.outlet[2]",
                "pdu.outlet[5]",
                "pdu.outlet[8]",
            }:
                await Clock().sleep(0.1)
        report = await make_safe(compiled.chosen("leak", []), "a test", connections, guardian_log)
        assert report.is_confirmed, report.unconfirmed
        truth = simulation.truth()
        assert [truth[f"outlet[{k}].state"] for k in range(1, 9)] == [0] * 8
        assert truth["pump[1].running"] == truth["pump[2].running"] == 0
        assert await energised(compiled.off, keys, connections) == []
    finally:
        await guardian_log.close()
        if connections is not None:
            await connections.close()
        for device in devices.values():
            await device.close()
        await simulation.close()


def test_what_goes_as_json_comes_back() -> None:
    for item in (
        Command("merge", 37904, (0x20,), 0x20),
        Command("set", oid="1.3.6.1.4.1.318.1", kind=2, words=(2,)),
        Command("say", text="OUTP OFF", errors="SYST:ERR?"),
        Read(function=3, address=7, count=2, type="f32", order="CDAB", factor=0.1, low=-40.0, sentinels=(65535.0,)),
        Read(query="LOAD:STATE?", type="word", answers={"RUN": 2.0}),
    ):
        assert unpacked(type(item), json.loads(json.dumps(packed(item)))) == item
    expect = unpacked(Expect, json.loads(json.dumps(packed(Expect(high=0.5)))))
    assert expect.holds(-1e9)
    assert not expect.holds(0.6)
    assert not expect.holds(math.nan)
    assert not expect.holds("off")
    assert Expect(text="off").holds("off")
    assert Expect(codes=(1.0, 3.0)).holds(3.0)
    assert not Expect(codes=()).holds(0.0)
