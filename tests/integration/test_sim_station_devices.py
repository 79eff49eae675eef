"""The harness' own devices against the simulated station: two codecs that share nothing must agree on every signal."""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

import sim
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.setting import resolve_setting
from harness.errors import IdentityError
from harness.quantity import Quality, convert
from sim.twins.points import points
from tests.integration.sim_station_tools import all_profiles, simulated

INFINITE = float("inf")


@asynccontextmanager
async def rack(*, virtual=True, **options):
    """The simulated station and the harness' devices on it, opened."""
    station, profiles, clock = simulated(), all_profiles(), Clock()
    simulation = await sim.start(station, profiles, virtual=virtual, **options)
    builder = DeviceBuilder(clock, Path(), simulation.network)
    devices = {}
    try:
        for name, entry in station.devices.items():
            profile = profiles[entry.profile]
            devices[name] = builder.make(name, entry, profile, simulation.addresses[name])
            await devices[name].open()
        yield simulation, devices
    finally:
        for device in devices.values():
            await device.close()
        await simulation.close()


async def command(device, name, to):
    controls = device.expansion.bank(name)
    for control in controls:
        await device.write(control, resolve_setting(control, to))
    return controls


async def power_up(simulation, devices, load="80 %"):
    await command(devices["pdu"], "outlet", "on")
    await asyncio.sleep(60)
    await command(devices["rack"], "level", load)
    await asyncio.sleep(600)


def tolerance(spec, true, unit):
    """Half a step of the wire, and what a sensor may be off."""
    step = abs(spec.scale) / 2.0**spec.precision
    noise = {"degC": 0.6, "kPa": 2.0, "dBm": 0.3, "%": 1.5}.get(unit, 0.0)
    return 0.51 * step + noise + 0.04 * abs(true)


@pytest.mark.parametrize("virtual", [True, False], ids=["virtual", "sockets"])
def test_every_signal_agrees_with_the_truth(virtual):
    async def main():
        async with rack(virtual=virtual) as (simulation, devices):
            if virtual:
                await power_up(simulation, devices)
            total = 0
            for name, device in devices.items():
                frame = await device.poll()
                good = frame.qualities == Quality.GOOD
                assert good.all(), f"{name}: {[device.signals[k].name for k in np.flatnonzero(~good)]}"
                simulation.truth()
                twin = simulation.devices[name].twin
                twins = points(twin)
                shown = {info.name.partition(".")[2] for info in device.signals}
                # a walk finds the rows of other repetitions too, so these are numbered otherwise than the twin's
                walked = {signal.partition("[")[0] for signal in shown - set(twins)}
                assert walked <= {"level"}
                for k, info in enumerate(device.signals):
                    point = twins.get(info.name.partition(".")[2])
                    if point is None or point.name.partition("[")[0] in walked:
                        continue
                    if info.is_text or point.is_raw or point.variable not in simulation.plant.names():
                        continue
                    if point.spec.counter or ".octets" in info.name:
                        continue
                    factor = point.spec.sim.factor
                    native = simulation.plant.names()[point.variable]
                    true = factor * simulation.plant.truth(point.variable)
                    true = convert(true, native, info.unit) if native and info.unit else true
                    got = frame.values[k]
                    assert math.isclose(got, true, abs_tol=tolerance(point.spec, true, info.unit)), (
                        f"{info.name}: {got}, true {true}"
                    )
                    total += 1
            assert total > 100

    run(main, rate=INFINITE if virtual else 1.0)


def test_identities_names_and_neighbours_come_through():
    async def main():
        async with rack() as (simulation, devices):
            await power_up(simulation, devices)
            assert devices["pdu"].identity == {"model": "AP8959EU3", "serial": "SIM-pdu", "firmware": "v6.5.6"}
            assert devices["cdu"].identity["serial"] == "SIM-cdu"
            readings = await devices["switch"].read(
                ["port[3].name", "port[3].state", "port[3].speed", "port[3].neighbor", "port[36].rx_power"]
            )
            name, state, speed, neighbor, light = readings
            assert (name.text, state.text, neighbor.text) == ("Ethernet3", "up", "tray-03:eth0")
            assert speed.value == 400000
            assert light.value == pytest.approx(simulation.plant.truth("port[36].rx_power"), abs=0.2)
            (running,) = await devices["rack"].read(["running"])
            assert running.text == "running"

    run(main, rate=INFINITE)


def test_controls_are_confirmed_by_what_they_name():
    async def main():
        async with rack() as (simulation, devices):
            cases = (
                ("pdu", "outlet[2]", "on"),
                ("cdu", "mode", "manual"),
                ("cdu", "pump_speed", "45 %"),
                ("cdu", "pump[1].speed", "55 %"),
                ("cdu", "flow_setpoint", "140 L/min"),
                ("cdu", "supply_temperature_setpoint", "32.5 degC"),
                ("cdu", "mode", "auto_flow"),
                ("cdu", "pump", "off"),
                ("cdu", "pump", "on"),
                ("shelf1", "voltage_setpoint", "50.5 V"),
                ("shelf1", "ac_loss_test", "on"),
                ("shelf1", "ac_loss_test", "off"),
                ("switch", "port[5]", "off"),
                ("rack", "level", "37.5 %"),
                ("pdu", "outlet[2]", "off"),
            )
            from harness.device.confirm import confirm

            clock = Clock()
            for device, name, to in cases:
                (control,) = devices[device].expansion.bank(name)
                setting = resolve_setting(control, to)
                await devices[device].write(control, setting)
                outcome = (await confirm(devices[device], [(control, setting)], clock))[name]
                assert outcome.is_confirmed, f"{device}.{name} to {to}: {outcome}"
            truth = simulation.truth()
            assert truth["outlet[2].state"] == 0.0
            assert simulation.plant.loop.supply_setpoint == 32.5
            assert simulation.plant.switch.ports[4].admin is False

    run(main, rate=INFINITE)


def test_another_model_is_not_taken_for_ours():
    async def main():
        station, profiles = simulated(), all_profiles()
        simulation = await sim.start(station, profiles, virtual=True, faults=["wrong_model:cdu"])
        builder = DeviceBuilder(Clock(), Path(), simulation.network)
        profile = profiles[station.devices["cdu"].profile]
        device = builder.make("cdu", station.devices["cdu"], profile, simulation.addresses["cdu"])
        with pytest.raises(IdentityError, match="ANOTHER MODEL"):
            await device.open()
        await device.close()
        await simulation.close()

    run(main, rate=INFINITE)


def test_silence_and_refusal_become_qualities():
    async def main():
        async with rack() as (simulation, devices):
            simulation.inject("device_silent:cdu")
            frame = await devices["cdu"].poll()
            assert set(frame.qualities) == {Quality.BAD_TIMEOUT}
            simulation.inject("device_heal:cdu")
            await asyncio.sleep(2)
            frame = await devices["cdu"].poll()
            assert (frame.qualities == Quality.GOOD).all()
            simulation.inject("sensor_nan:cdu.flow")
            await asyncio.sleep(1)
            (flow,) = await devices["cdu"].read(["flow"])
            assert flow.quality is Quality.BAD_SENTINEL

    run(main, rate=INFINITE)


def test_a_reboot_of_the_rack_is_counted():
    async def main():
        async with rack() as (simulation, devices):
            await power_up(simulation, devices, "20 %")
            (before,) = await devices["rack"].read(["reboots"])
            simulation.inject("rack_reboot")
            await asyncio.sleep(600)
            (after,) = await devices["rack"].read(["reboots"])
            assert (before.value, after.value) == (0, 1)

    run(main, rate=INFINITE)


def test_a_neighbour_that_comes_and_goes_is_followed():
    async def main():
        async with rack() as (simulation, devices):
            await power_up(simulation, devices, "10 %")
            switch = devices["switch"]
            (before,) = await switch.read(["port[6].neighbor"])
            simulation.inject("link_down:6")
            await asyncio.sleep(1)
            (at_once,) = await switch.read(["port[6].neighbor"])
            (later,) = await switch.read(["port[6].neighbor"])
            simulation.plant.clear("link_down")
            await asyncio.sleep(61)
            (again,) = await switch.read(["port[6].neighbor"])
            assert (before.text, before.is_good) == ("tray-06:eth0", True)
            assert not at_once.is_good, "the row that was known does not exist any more"
            assert (later.text, later.is_good) == ("", True)
            assert (again.text, again.is_good) == ("tray-06:eth0", True)

    run(main, rate=INFINITE)
