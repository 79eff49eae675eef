"""Trays and power shelves over Redfish: a service as one answers in the field, and the twin when coolant leaks."""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import sim
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.registry import known_profiles, load_profile
from harness.errors import IdentityError
from harness.quantity import Quality
from harness.schema.station import DeviceEntry, Station
from sim.network import MemoryNetwork
from sim.servers.host import MemoryHost
from sim.servers.redfish import RedfishService

TRAY, SHELF = "tray/redfish_compute", "shelf/redfish_power_shelf"
ROOT = "/redfish/v1"
CHASSIS = f"{ROOT}/Chassis/Sled_7"
SUPPLIES = f"{ROOT}/PowerEquipment/PowerShelves/Top/PowerSupplies"


def resources(*trees):
    """Resources by path; a list stands for a collection of the members below it."""
    tree = {ROOT: {"@odata.id": f"{ROOT}/"}}
    for path, body in trees:
        if isinstance(body, list):
            body = {"Members": [{"@odata.id": f"{path}/{name}"} for name in body]}
        tree[path] = {"@odata.id": path, **body}
    return tree


def sensor(kind, reading, state="Enabled"):
    return {"Name": kind, "ReadingType": kind, "Reading": reading, "Status": {"State": state}}


HOST = {"Model": "CT-1", "SerialNumber": "S1", "PowerState": "On", "Status": {"Health": "OK"}}


def tray(**detectors):
    """The tree of a tray whose leak detectors say what is given."""
    leaks = f"{CHASSIS}/ThermalSubsystem/LeakDetection/LeakDetectors"
    return resources(
        (f"{ROOT}/Systems", ["Host"]),
        (f"{ROOT}/Systems/Host", HOST),
        (f"{ROOT}/Managers", ["BMC"]),
        (f"{ROOT}/Managers/BMC", {"FirmwareVersion": "25.04-2"}),
        (f"{ROOT}/Chassis", ["Sled_7"]),
        (CHASSIS, {"SerialNumber": "C7", "PartNumber": "900-7"}),
        (f"{CHASSIS}/EnvironmentMetrics", {"PowerWatts": {"Reading": 5120.5}}),
        (f"{CHASSIS}/Sensors", ["P0", "T_in", "F0", "T_gpu"]),
        (f"{CHASSIS}/Sensors/P0", sensor("Power", 812)),
        (f"{CHASSIS}/Sensors/T_in", sensor("Temperature", 24.25)),
        (f"{CHASSIS}/Sensors/F0", sensor("Rotational", 9000)),
        (f"{CHASSIS}/Sensors/T_gpu", sensor("Temperature", 61, "UnavailableOffline")),
        (leaks, list(detectors)),
        *((f"{leaks}/{name}", {"DetectorState": state, "Name": name}) for name, state in detectors.items()),
        (f"{ROOT}/UpdateService/FirmwareInventory", ["GPU", "CPLD"]),
        (f"{ROOT}/UpdateService/FirmwareInventory/GPU", {"Name": "GPU 0", "Version": "96.00"}),
        (f"{ROOT}/UpdateService/FirmwareInventory/CPLD", {"Name": "CPLD", "Version": "0x1f"}),
    )


SHELF_TREE = resources(
    (f"{ROOT}/PowerEquipment/PowerShelves", ["Top"]),
    (
        f"{ROOT}/PowerEquipment/PowerShelves/Top",
        {"EquipmentType": "PowerShelf", "Model": "PS-33", "SerialNumber": "9", "FirmwareVersion": "1", "Status": {}},
    ),
    (SUPPLIES, ["A", "B"]),
    (f"{SUPPLIES}/A", {"Status": {"State": "Enabled", "Health": "OK"}}),
    (f"{SUPPLIES}/A/Metrics", {"OutputPowerWatts": {"Reading": 2700}}),
    (f"{SUPPLIES}/B", {"Status": {"State": "Enabled", "Health": "Critical"}}),
    (f"{SUPPLIES}/B/Metrics", {"OutputPowerWatts": {"Reading": 2650}}),
)


@asynccontextmanager
async def opened(tree, profile):
    """The device of a profile at a service with these resources."""
    network = MemoryNetwork()
    listener = await MemoryHost(network, "127.0.0.1").serve_stream(RedfishService(tree.get).http, 8000)
    entry = DeviceEntry.model_validate({"profile": profile, "address": "redfish://127.0.0.1:8000"})
    device = DeviceBuilder(Clock(), Path(), network).make("it", entry, load_profile(known_profiles()[profile])[0])
    try:
        await device.open()
        yield device
    finally:
        await device.close()
        await listener.close()


def shown(tree, profile):
    """What the device says: {signal: text, word or number}, {signal: quality} of what is not GOOD, its identity."""

    async def main():
        async with opened(tree, profile) as device:
            readings = await device.read([info.name.partition(".")[2] for info in device.signals])
            names = [info.name.partition(".")[2] for info in device.signals]
            pairs = list(zip(names, readings, strict=True))
            good = {name: each.text or each.value for name, each in pairs if each.is_good}
            return good, {name: each.quality for name, each in pairs if not each.is_good}, device.identity

    return run(main, rate=math.inf)


def test_a_tray_tells_power_temperatures_firmware_and_serials():
    good, bad, identity = shown(tray(Front="OK"), TRAY)
    assert identity == {"model": "CT-1", "serial": "S1", "firmware": "25.04-2"}
    assert (good["power"], good["power_state"], good["health"]) == (5120.5, "on", "ok")
    assert (good["chassis_serial"], good["chassis_part_number"]) == ("C7", "900-7")
    assert (good["software[1].name"], good["software[2].version"]) == ("GPU 0", "0x1f")
    assert (good["temperature[1].value"], good["power_sensor[1].value"]) == (24.25, 812.0)
    assert bad["temperature[2].value"] is Quality.BAD_MISSING, "a sensor that is not enabled measures nothing"
    assert not [name for name in (*good, *bad) if name.startswith(("temperature[3]", "power_sensor[2]"))]


@pytest.mark.parametrize(
    ("states", "leak"),
    [
        ({"Front": "OK", "Rear": "OK"}, "dry"),
        ({"Front": "OK", "Rear": "Warning"}, "wet"),
        ({"Front": "Critical", "Rear": "Unavailable"}, "wet"),
        ({"Front": "OK", "Rear": "Unavailable"}, None),
        ({"Front": "OK", "Rear": None}, None),
    ],
)
def test_a_tray_is_dry_only_when_every_detector_says_so(states, leak):
    good, bad, _ = shown(tray(**states), TRAY)
    assert good.get("leak") == leak
    assert ("leak" in bad) == (leak is None)


def test_a_shelf_adds_up_what_its_supplies_deliver():
    good, _, _ = shown(SHELF_TREE, SHELF)
    assert (good["output_power"], good["supply[2].health"], good["supply[1].state"]) == (5350.0, "critical", "on")
    assert good["alarms"] == "critical", "the worst of the supplies"


@pytest.mark.parametrize(("told", "voltage", "current"), [("AB", 50.1, 108.0), ("A", None, None), ("", None, None)])
def test_rails_are_read_where_supplies_tell_them(told, voltage, current):
    tree = dict(SHELF_TREE)
    for name in "AB":
        path = f"{SUPPLIES}/{name}/Metrics"
        tree[path] = {"@odata.id": path, "OutputPowerWatts": {"Reading": 2700}}
        if name in told:
            tree[path] |= {"RailVoltage": [{"Reading": 50.1}], "RailCurrentAmps": [{"Reading": 54.0}]}
    good, bad, _ = shown(tree, SHELF)
    assert good["output_power"] == 5400.0
    assert (good.get("output_voltage"), good.get("output_current")) == (voltage, current), "none when a supply lacks it"
    assert {"output_voltage", "output_current"} & {*good, *bad} == (
        {"output_voltage", "output_current"} if told else set()
    )


@pytest.mark.parametrize(("tree", "profile"), [(SHELF_TREE, TRAY), (tray(Front="OK"), SHELF)])
def test_another_kind_of_service_is_refused(tree, profile):
    async def main():
        async with opened(tree, profile):
            pass

    with pytest.raises(IdentityError):
        run(main, rate=math.inf)


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
