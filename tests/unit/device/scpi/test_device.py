"""Instruments: units behind numbers, tokens that are no numbers, and configuration that must not be lost or refused."""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import sim
from drivers import profiles_root
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.registry import load_profile
from harness.device.setting import resolve_setting
from harness.errors import RefusedError
from harness.quantity import Quality
from harness.schema.station import Station


@asynccontextmanager
async def instrument(name, **changes):
    """The device on its twin; `heard` are the lines that the instrument was told, answers may be changed in `lies`."""
    known, _ = load_profile(profiles_root() / name / "profile.yaml")
    profile = known
    if changes:  # the instrument does not know of them
        profile = known.model_copy(update={"scpi": profile.scpi.model_copy(update=changes)})
    entry = {"profile": name, "address": "TCPIP::127.0.0.1::5025::SOCKET"}
    station = Station.model_validate({"schema": 1, "station": "one", "devices": {"dut": entry}})
    simulation = await sim.start(station, {name: known}, virtual=True)
    device = DeviceBuilder(Clock(), Path(), simulation.network).make(
        "dut", station.devices["dut"], profile, simulation.addresses["dut"]
    )
    heard, lies = [], {}
    write, query = device.link.instrument.write, device.link.instrument.query

    async def told(line):
        heard.append(line)
        await write(line)

    async def asked(line):
        answer = await query(line)
        return lies.get(line, answer)

    device.link.instrument.write, device.link.instrument.query = told, asked
    try:
        yield device, simulation.devices["dut"], heard, lies
    finally:
        await device.close()
        await simulation.close()


def test_an_instrument_that_was_away_is_configured_again():
    async def main():
        async with instrument("load/ea_elr") as (device, twin, heard, _):
            await device.open()
            assert heard == ["*CLS", "SYST:LOCK ON"]
            twin.behave(silent=True)
            await device.poll()
            twin.heal()
            await asyncio.sleep(3)
            frame = await device.poll()
            assert (frame.qualities == Quality.GOOD).all()
            assert heard == ["*CLS", "SYST:LOCK ON"] * 2
            await device.poll()
            assert len(heard) == 4

    run(main, rate=math.inf)


def test_a_refused_configuration_fails_the_open():
    async def main():
        async with instrument("load/ea_elr", at_open=("*CLS", "SYST:LOCK ON", "BATT:MODE ON")) as (device, *_):
            with pytest.raises(RefusedError, match=r"refused its configuration: -113"):
                await device.open()

    run(main, rate=math.inf)


def test_without_an_error_queue_none_is_asked():
    async def main():
        async with instrument("chamber/watlow_f4t") as (device, _, heard, _):
            asked = []
            real = device.link.instrument.query

            async def spy(line):
                asked.append(line)
                return await real(line)

            device.link.instrument.query = spy
            await device.open()
            control = device.expansion.controls["temperature_setpoint"]
            await device.write(control, resolve_setting(control, "31.5 degC"))
            assert heard == [":UNIT:TEMPERATURE C", ":SOUR:CLO1:SPO 31.5"]
            assert not any("ERR" in line for line in asked)
            (reading,) = await device.read(["temperature_setpoint"])
            assert reading.value == pytest.approx(31.5)

    run(main, rate=math.inf)
