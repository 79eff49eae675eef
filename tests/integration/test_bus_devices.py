"""Devices on shared buses: serial lines, RTU over TCP, units that are mute, and a foreign server at the other end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import os
from pathlib import Path

import pytest

from drivers import profiles_root
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.poller import Poller
from harness.device.registry import load_profile
from harness.errors import ConfigError
from harness.quantity import Quality
from harness.schema.profiles.modbus import ModbusProfile
from harness.schema.station import DeviceEntry
from sim.network import MemoryNetwork
from sim.servers.host import MemoryHost, SocketHost
from sim.servers.modbus import ModbusServer
from sim.servers.modbus_bank import HOLDING, INPUT, TARGET_SILENT, ModbusFault
from tests.integration.test_transport_modbus_foreign import pty_pair, server, server_program  # noqa: F401 (a fixture)
from tests.tools.array_bank import ArrayBank
from tests.tools.modbus_rtu import RtuProtocol
from tests.tools.serial_port import serve_terminal

NAME = "environment/modbus_temperature_humidity"
PROFILE, _ = load_profile(profiles_root() / NAME / "profile.yaml")


def bank(*units):
    """Transmitters: unit n shows n + 20.5 degC and n + 40 %RH."""
    made = ArrayBank(units)
    for unit in units:
        made.set_words(unit, INPUT, 1, [10 * unit + 205, 10 * unit + 400])
    return made


def devices(builder, addresses, **changes):
    made = []
    for k, address in enumerate(addresses):
        entry = DeviceEntry(profile=NAME, address=address, **changes)
        made.append(builder.make(f"d{k}", entry, PROFILE))
    return made


async def poll_for(seconds, polled, clock):
    frames = {device.name: [] for device in polled}
    poller = Poller(polled, clock, lambda frame: frames[frame.device].append(frame))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await poller.run()
    return frames


def good(frames):
    return [frame for frame in frames if (frame.qualities == Quality.GOOD).all()]


def test_two_units_on_one_serial_line_share_one_queue():
    async def main():
        clock = Clock()
        line = await serve_terminal(lambda: RtuProtocol(ModbusServer(bank(1, 2)), 19200))
        builder = DeviceBuilder(clock, Path())
        where = f"modbus+rtu://{line.host}?baud=19200&parity=N"
        one, two = devices(builder, [f"{where}/1", f"{where}/2"])
        try:
            await one.open()
            await two.open()
            assert one.link.client is two.link.client
            assert one.link.client.min_gap >= 3.5 * 11 / 19200
            frames = await poll_for(3.5, [one, two], clock)
            for device, first in ((one, 21.5), (two, 22.5)):
                assert len(frames[device.name]) == 4
                assert [frame.values[0] for frame in good(frames[device.name])] == [pytest.approx(first)] * 4
            assert one.link.client.counters.connects == 1
            assert one.link.client.counters.timeouts == 0
        finally:
            await one.close()
            await two.close()
            await line.close()

    run(main)


def test_a_mute_unit_does_not_starve_its_bus():
    async def main():
        clock = Clock()
        line = await serve_terminal(lambda: RtuProtocol(ModbusServer(bank(1)), 115200))
        builder = DeviceBuilder(clock, Path())
        where = f"modbus+rtu://{line.host}?baud=115200&parity=N"
        alive, *mute = devices(builder, [f"{where}/{unit}" for unit in (1, 7, 8)], poll="500 ms")
        try:
            await alive.open()
            for device in mute:  # as after an outage: known, but silent
                await device._compile(list(await device.link.open()))
            await poll_for(8, [alive, *mute], clock)
            skipped = alive.health.skipped
            frames = await poll_for(6, [alive, *mute], clock)
            assert len(good(frames[alive.name])) >= 11
            assert len(good(frames[alive.name])) == len(frames[alive.name])
            assert alive.health.skipped - skipped <= 1
            assert all(device.health.failures_in_a_row >= 2 for device in mute)
            asked = sum(device.health.polls for device in mute)
            assert asked <= 6, "mute units are asked again too often"
        finally:
            for device in (alive, *mute):
                await device.close()
            await line.close()

    run(main)


def test_one_line_has_one_setting(tmp_path):
    async def main():
        builder = DeviceBuilder(Clock(), tmp_path)
        devices(builder, ["modbus+rtu:///dev/ttyS9?baud=9600&parity=N/1"])
        with pytest.raises(ConfigError, match=r"9600 baud, parity N.*115200 baud, parity E"):
            devices(builder, ["modbus+rtu:///dev/ttyS9?baud=115200&parity=E/2"])

    run(main, rate=math.inf)


def test_rtu_over_tcp():
    async def main():
        listener = await SocketHost().serve_stream(lambda: RtuProtocol(ModbusServer(bank(3, 4))))
        where = f"modbus+rtutcp://127.0.0.1:{listener.port}"
        three, four = devices(DeviceBuilder(Clock(), Path()), [f"{where}/3", f"{where}/4"])
        await three.open()
        await four.open()
        for device, first in ((three, 23.5), (four, 24.5)):
            frame = await device.poll()
            assert frame.values[0] == pytest.approx(first)
        assert len(listener._filters) == 1
        await three.close()
        await four.close()
        await listener.close()

    run(main)


def test_a_hundred_requests_to_libmodbus_over_a_serial_line(server_program, tmp_path):  # noqa: F811 (the fixture)
    with pty_pair(tmp_path) as (ours, theirs, _), server(server_program, "rtu", theirs, 17):
        where = f"modbus+rtu://{os.path.realpath(ours)}?baud=115200&parity=N/17"

        async def main():
            signals = {f"r{k}": {"address": 7 * k} for k in range(40)}
            profile = ModbusProfile.model_validate(
                {
                    "schema": 1,
                    "profile": NAME,
                    "title": "Registers of the libmodbus server",
                    "class": "meter",
                    "protocol": "modbus",
                    "source": "tests/foreign/libmodbus_server.c",
                    "unverified": "made for this test",
                    "modbus": {"max_gap": 0},
                    "signals": signals,
                }
            )
            entry = DeviceEntry(profile=NAME, address=where)
            device = DeviceBuilder(Clock(), Path()).make("dut", entry, profile)
            await device.open()
            before = device.link.client.counters.requests
            for _ in range(3):
                frame = await device.poll()
                assert (frame.qualities == Quality.GOOD).all()
                assert frame.values.tolist() == [3 * 7 * k + 1 for k in range(40)]
            assert device.link.client.counters.requests - before == 120
            assert device.link.client.counters.violations == 0
            await device.close()

        run(main)


def test_half_of_thirty_devices_mute_and_the_others_deliver_everything():
    async def main():
        clock = Clock()
        network = MemoryNetwork()
        host = MemoryHost(network)
        listeners = [await host.serve_stream(ModbusServer(bank(1)).tcp) for _ in range(30)]
        builder = DeviceBuilder(clock, Path(), network)
        made = devices(builder, [f"modbus+tcp://127.0.0.1:{listener.port}/1" for listener in listeners])
        for device in made:
            await device.open()
        for listener in listeners[::2]:
            listener.behaviour = type(listener.behaviour)(silent=True)
        frames = await poll_for(60.5, made, clock)
        for k, device in enumerate(made):
            whole = good(frames[device.name])
            if k % 2 == 0:
                assert not whole
                assert device.health.failures_in_a_row >= 5
                assert [event.partition(":")[0] for event in device.events] == ["lost"]
                continue
            assert len(whole) in (60, 61)
            beats = [later.mono - earlier.mono for earlier, later in itertools.pairwise(whole)]
            assert max(abs(beat - 1.0) for beat in beats) < 0.01
            assert device.health.skipped == 0
        for device in made:
            await device.close()
        for listener in listeners:
            await listener.close()

    run(main, rate=math.inf)


class Refusing(ArrayBank):
    """Refuses some registers, alone or in company; `down` answers as a gateway whose unit is silent."""

    refused: frozenset[int] = frozenset()
    down = False

    def read(self, unit, table, address, count):
        if self.down:
            raise ModbusFault(TARGET_SILENT)
        if self.refused & set(range(address, address + count)):
            raise ModbusFault(2)
        return super().read(unit, table, address, count)


def test_a_refused_register_is_left_out_reported_once_and_tried_again_after_a_loss():
    async def main():
        clock = Clock()
        network = MemoryNetwork()
        made = Refusing((1,))
        made.set_words(1, INPUT, 1, [205, 400])
        made.refused = frozenset({2})
        listener = await MemoryHost(network).serve_stream(ModbusServer(made).tcp)
        (device,) = devices(DeviceBuilder(clock, Path(), network), [f"modbus+tcp://127.0.0.1:{listener.port}/1"])
        await device.open()
        first = await device.poll()
        assert first.qualities.tolist() == [Quality.GOOD, Quality.BAD_REFUSED]  # asked again alone, at once
        for _ in range(3):
            frame = await device.poll()
        assert frame.qualities.tolist() == [Quality.GOOD, Quality.BAD_REFUSED]
        assert frame.values[0] == pytest.approx(20.5)
        (reported,) = device.events
        assert reported.startswith("humidity is left out: ")
        assert device.health.by_kind == {"refused": 2}
        before = device.link.client.counters.requests
        await device.poll()
        assert device.link.client.counters.requests - before == 1
        made.down = True
        frame = await device.poll()
        assert set(frame.qualities.tolist()) == {Quality.BAD_TIMEOUT}
        assert device.health.by_kind == {"refused": 2, "unreachable": 1}
        made.down, made.refused = False, frozenset()
        frame = await device.poll()
        assert frame.qualities.tolist() == [Quality.GOOD, Quality.GOOD]
        assert frame.values[1] == pytest.approx(40.0)
        await device.close()
        await listener.close()

    run(main, rate=math.inf)


def test_a_device_that_refuses_to_be_read_over_is_known_and_read_at_the_first_time(tmp_path):
    """Its texts stand with a hole between them: the request over it is refused, and each is asked for alone at once."""
    (tmp_path / "unit.yaml").write_text(
        "schema: 1\nprofile: unit.yaml\ntitle: t\nclass: shelf\nprotocol: modbus\nsource: a table\nunverified: new\n"
        "modbus: {max_gap: 8}\n"
        "identity: {match: [{signal: maker, equals: ACME}], serial: serial}\n"
        "signals:\n  maker: {address: 10, type: string, length: 2, poll: once}\n"
        "  serial: {address: 16, type: string, length: 2, poll: once}\n  load: {address: 20, poll: fast}\n"
    )
    profile, _ = load_profile(tmp_path / "unit.yaml")

    async def main():
        network = MemoryNetwork()
        made = Refusing((1,))
        made.set_words(1, HOLDING, 10, [0x4143, 0x4D45])
        made.set_words(1, HOLDING, 16, [0x5331, 0x3233])
        made.set_words(1, HOLDING, 20, [7])
        made.refused = frozenset({12, 13, 14, 15, 18, 19})
        listener = await MemoryHost(network).serve_stream(ModbusServer(made).tcp)
        entry = DeviceEntry(profile="unit.yaml", address=f"modbus+tcp://127.0.0.1:{listener.port}/1")
        device = DeviceBuilder(Clock(), tmp_path, network).make("unit", entry, profile)
        await device.open()
        assert device.identity["serial"] == "S123"
        (load,) = await device.read(["load"])
        assert load.value == 7
        assert device.events == []
        await device.close()
        await listener.close()

    run(main, rate=math.inf)
