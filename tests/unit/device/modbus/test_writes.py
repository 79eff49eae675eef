"""What a Modbus control sends in each of its forms, what the twin makes of it, and what is written again and again."""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import sim
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.confirm import confirm
from harness.device.setting import resolve_setting
from harness.errors import RefusedError
from harness.quantity import Quality
from harness.schema.profiles.modbus import ModbusProfile
from harness.schema.station import Station

PROFILE = {
    "schema": 1,
    "profile": "shelf/test",
    "title": "Test",
    "class": "shelf",
    "protocol": "modbus",
    "source": "made up for this test",
    "unverified": "made up",
    "modbus": {
        "unit": 9,
        "order": "CDAB",
        "clock": {"address": 900, "every": "10 s", "order": "ABCD"},
        "watchdog": {"address": 910, "every": "5 s"},
    },
    "signals": {
        "level": {"address": 0, "type": "u32", "unit": "V", "scale": 0.001, "sim": {"of": "own.level", "value": 3}},
        "ratio": {"address": 2, "type": "f32", "unit": "%", "sim": {"of": "own.ratio", "value": 4}},
        "first": {"address": 4, "bit": 0, "enum": {"off": 0, "on": 1}, "sim": {"of": "own.first"}},
        "second": {"address": 4, "bit": 9, "enum": {"off": 0, "on": 1}, "sim": {"of": "own.second"}},
        "coil": {
            "address": 5, "table": "coil", "type": "bool", "enum": {"off": 0, "on": 1}, "sim": {"of": "own.coil"},
        },
        "alarm": {"address": 6, "enum": {"none": 0, "set": 1}, "sim": {"of": "own.alarm", "value": 1}},
        "digits": {"address": 7, "type": "bcd16", "sim": {"of": "own.digits", "value": 12}},
        "scale": {"address": 8, "type": "i16", "poll": "slow", "sim": -2},
        "scaled": {"address": 9, "type": "i16", "unit": "A", "scale_from": "scale", "sentinels": [-32768],
                   "sim": 123.45},
    },
    "controls": {
        "level": {
            "address": 0, "type": "u32", "unit": "V", "scale": 0.001, "range": [0, 100],
            "confirm": {"signal": "level"}, "sim": "own.level",
        },
        "ratio": {
            "address": 2, "type": "f32", "unit": "%", "range": [0, 50], "unlock": [{"address": 20, "value": 0xABCD}],
            "confirm": {"signal": "ratio", "tolerance": "0.1 %"}, "sim": "own.ratio",
        },
        "first": {
            "address": 4, "bit": 0, "commands": {"on": 1, "off": 0}, "confirm": {"signal": "first"}, "sim": "own.first",
        },
        "second": {
            "address": 4, "bit": 9, "write": "mask", "commands": {"on": 1, "off": 0},
            "confirm": {"signal": "second"}, "sim": "own.second",
        },
        "coil": {
            "address": 5, "table": "coil", "type": "bool", "write": "multiple", "commands": {"on": 1, "off": 0},
            "confirm": {"signal": "coil"}, "sim": "own.coil",
        },
        "reset": {
            "address": 30, "commands": {"reset": 5}, "pulse": "300 ms", "sim": "own.alarm", "sim_words": {"reset": 0},
            "confirm": {"signal": "alarm", "words": {"reset": "none"}},
        },
        "digits": {"address": 7, "type": "bcd16", "range": [0, 9999], "write": "multiple",
                   "confirm": {"signal": "digits"}, "sim": "own.digits"},
    },
}  # fmt: skip


@asynccontextmanager
async def unit():
    """The device, its twin, and every write as (function, data after the function)."""
    profile = ModbusProfile.model_validate(PROFILE)
    entry = {"profile": profile.profile, "address": "modbus+tcp://127.0.0.1:1502/9"}
    station = Station.model_validate({"schema": 1, "station": "one", "devices": {"dut": entry}})
    simulation = await sim.start(station, {profile.profile: profile}, virtual=True)
    clock = Clock()
    device = DeviceBuilder(clock, Path(), simulation.network).make(
        "dut", station.devices["dut"], profile, simulation.addresses["dut"]
    )
    await device.open()
    sent = []
    exchange = device.link.client._exchange

    async def spy(request, *rest):
        if request.function not in (1, 2, 3, 4):
            sent.append((request.function, request.pdu[1:]))
        return await exchange(request, *rest)

    device.link.client._exchange = spy
    try:
        yield device, simulation.devices["dut"].twin, sent, clock
    finally:
        await device.close()
        await simulation.close()


@pytest.mark.parametrize(
    ("name", "to", "wire"),
    [
        ("level", "70 V", [(16, bytes.fromhex("0000 0002 04 1170 0001"))]),
        ("ratio", "12.5 %", [(6, bytes.fromhex("0014 abcd")), (16, bytes.fromhex("0002 0002 04 0000 4148"))]),
        ("first", "on", [(6, bytes.fromhex("0004 0001"))]),
        ("second", "on", [(22, bytes.fromhex("0004 fdff 0200"))]),
        ("coil", "on", [(15, bytes.fromhex("0005 0001 01 01"))]),
        ("reset", "reset", [(6, bytes.fromhex("001e 0005")), (6, bytes.fromhex("001e 0000"))]),
        ("digits", "4096", [(16, bytes.fromhex("0007 0001 02 4096"))]),
    ],
)
def test_each_form_of_a_write(name, to, wire):
    async def main():
        async with unit() as (device, twin, sent, clock):
            control = device.expansion.controls[name]
            setting = resolve_setting(control, to)
            before = clock.monotonic()
            await device.write(control, setting)
            assert sent == wire
            assert clock.monotonic() - before >= (0.3 if name == "reset" else 0.0)
            outcome = (await confirm(device, [(control, setting)], clock))[name]
            assert outcome.is_confirmed, str(outcome)
            assert twin.memory["own.alarm" if name == "reset" else f"own.{name}"] == pytest.approx(
                {"first": 1, "second": 1, "coil": 1, "reset": 0}.get(name, setting.value)
            )

    run(main, rate=math.inf)


def test_bits_of_one_register_do_not_disturb_each_other():
    async def main():
        async with unit() as (device, twin, _, clock):
            for name, to in (("second", "on"), ("first", "on"), ("second", "off")):
                control = device.expansion.controls[name]
                await device.write(control, resolve_setting(control, to))
                await clock.sleep(0.1)
            first, second = await device.read(["first", "second"])
            assert (first.text, second.text) == ("on", "off")
            assert (twin.memory["own.first"], twin.memory["own.second"]) == (1, 0)

    run(main, rate=math.inf)


def test_a_value_that_does_not_fit_is_refused_before_anything_is_sent():
    async def main():
        async with unit() as (device, _, sent, _):
            control = device.expansion.controls["digits"]
            with pytest.raises(RefusedError, match="does not fit"):
                await device.link.write(control, 12345.0, "")
            assert sent == []

    run(main, rate=math.inf)


def test_clock_and_watchdog_are_written_when_due_and_again_after_a_loss():
    async def main():
        async with unit() as (device, _, sent, clock):
            for _ in range(12):
                await device.poll()
                await asyncio.sleep(1)
            clocks = [data for function, data in sent if function == 16]
            beats = [data for function, data in sent if function == 6]
            assert len(clocks) == 2
            assert [int.from_bytes(data[2:], "big") for data in beats] == [1, 2, 3]
            assert all(data[:2] == (910).to_bytes(2, "big") for data in beats)
            shown = int.from_bytes(clocks[1][5:], "big")
            assert clocks[1][:5] == bytes.fromhex("0384 0002 04")
            assert abs(shown - clock.wall_ns() / 1e9) < 3
            sent.clear()
            device._must_prove = True
            await device.poll()
            assert {function for function, _ in sent} == {6, 16}

    run(main, rate=math.inf)


def test_a_scale_register_is_a_power_of_ten_and_its_absence_makes_the_value_bad():
    async def main():
        async with unit() as (device, _, _, _):
            frame = await device.poll()
            k = next(k for k, info in enumerate(device.signals) if info.name == "dut.scaled")
            assert frame.values[k] == pytest.approx(123.45)
            (alone,) = await device.read(["scaled"])
            assert alone.value == pytest.approx(123.45)
            link = device.link  # from here on the scale reads as what SunSpec calls not implemented
            read = link.client.read

            async def no_scale(unit, function, address, count):
                data = bytearray(await read(unit, function, address, count))
                at = 2 * (8 - address)
                data[at : at + 2] = b"\x80\x00"
                return bytes(data)

            link.client.read = no_scale
            (alone,) = await device.read(["scaled"])
            assert alone.quality == Quality.BAD_NAN

    run(main, rate=math.inf)
