"""A device over Redfish: what its profile may say, and what it makes of what a service says."""

from __future__ import annotations

import asyncio
import json
import math
import re
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.redfish.values import value_at
from harness.device.registry import known_profiles, load_profile
from harness.device.wire import Read, packed, unpacked
from harness.errors import RefusedError
from harness.quantity import Quality
from harness.schema.station import DeviceEntry
from sim.network import MemoryNetwork
from sim.servers.host import MemoryHost
from sim.servers.redfish import RedfishService
from tests.tools.redfish_misbehaviour import BEHIND, OF_ONE_VALUE, redfish_lies

CDU = "/redfish/v1/ThermalEquipment/CDUs/East"
LOOP = f"{CDU}/SecondaryCoolantConnectors/B"


def collection(path, *members):
    return {"@odata.id": path, "Members": [{"@odata.id": f"{path}/{member}"} for member in members]}


def unit_tree(**connector):
    """A unit as one answers in the field: other names than numbers, parts missing, texts where numbers belong."""
    tree = {
        "/redfish/v1": {"@odata.id": "/redfish/v1/"},
        CDU.rpartition("/")[0]: collection(CDU.rpartition("/")[0], "East"),
        CDU: {
            "@odata.id": CDU,
            "EquipmentType": "CDU",
            "Model": "LL-900\x1b[31m",
            "SerialNumber": "LL9-0042",
            "FirmwareVersion": "0502",
            "Status": {"State": "Enabled", "Health": "Warning"},
        },
        f"{CDU}/SecondaryCoolantConnectors": collection(f"{CDU}/SecondaryCoolantConnectors", "B"),
        LOOP: {
            "@odata.id": f"{LOOP}/",
            "FlowLitersPerMinute": {"Reading": 412},
            "SupplyTemperatureCelsius": {"Reading": 31.75},
            "ReturnTemperatureCelsius": {"Reading": None},
            "SupplyPressurekPa": {"Reading": "Out of range"},
            "ReturnPressurekPa": {"Reading": 1e9},
            "DeltaPressurekPa": {},
            "HeatRemovedkW": {"Reading": True},
            "FlowControlLitersPerMinute": {"SetPoint": 400, "ControlMode": "automatic"},
            **connector,
        },
        f"{CDU}/Pumps": collection(f"{CDU}/Pumps", "Left", "Right"),
        f"{CDU}/LeakDetection/LeakDetectors": collection(f"{CDU}/LeakDetection/LeakDetectors", "Tray", "Moisture"),
    }
    for name, percent, state in (("Left", 55, "Enabled"), ("Right", 71.5, "StandbyOffline")):
        path = f"{CDU}/Pumps/{name}"
        tree[path] = {"@odata.id": path, "PumpSpeedPercent": {"Reading": percent}, "Status": {"State": state}}
    for name in ("Tray", "Moisture"):
        path = f"{CDU}/LeakDetection/LeakDetectors/{name}"
        tree[path] = {"@odata.id": path, "DetectorState": "OK"}
    return tree


@asynccontextmanager
async def opened(tree, profile="cdu/redfish_cdu", **options):
    network = MemoryNetwork()
    service = RedfishService(tree.get, **options)
    listener = await MemoryHost(network, "127.0.0.1").serve_stream(service.http, 8000)
    entry = DeviceEntry.model_validate({"profile": profile, "address": "redfish://127.0.0.1:8000"})
    builder = DeviceBuilder(Clock(), Path(), network)
    device = builder.make("cdu", entry, load_profile(known_profiles()[profile])[0])
    try:
        await device.open()
        service.listener = listener
        yield device, service
    finally:
        await device.close()
        await listener.close()


async def readings(device):
    """Value or text, and quality, of every signal."""
    frame = await device.poll()
    found = {}
    for k, info in enumerate(device.signals):
        quality = Quality(int(frame.qualities[k]))
        value = frame.texts.get(k, "") if info.is_text else info.word(float(frame.values[k])) or float(frame.values[k])
        found[info.name.partition(".")[2]] = (value if quality is Quality.GOOD else None, quality.name)
    return found


def virtually(main):
    return run(main, rate=math.inf)


def test_one_request_a_resource_and_poll():
    async def main():
        async with opened(unit_tree()) as (device, service):
            await device.poll()
            service.log.clear()
            await device.poll()
            paths = [path for _, path in service.log]
            assert len(paths) == len(set(paths)) == 6  # unit, loop, two pumps, two detectors
            assert {method for method, _ in service.log} == {"GET"}

    virtually(main)


def test_a_resource_that_vanishes_is_bad_and_told_once():
    tree = unit_tree()

    async def main():
        async with opened(tree) as (device, _):
            assert (await readings(device))["pump[2].speed"] == (71.5, "GOOD")
            gone = tree.pop(f"{CDU}/Pumps/Right")
            for _ in range(5):
                found = await readings(device)
                await asyncio.sleep(1)
            assert found["pump[2].speed"] == (None, "BAD_MISSING")
            assert found["pump_speed"] == (None, "BAD_MISSING")
            assert found["flow"] == (412, "GOOD")
            assert sum("Pumps/Right" in event for event in device.events) == 1
            tree[f"{CDU}/Pumps/Right"] = gone
            assert (await readings(device))["pump_speed"] == (71.5, "GOOD")

    virtually(main)


ODD = {
    "HTML": (lambda sent: re.sub(rb"Length: .*", b"Length: 6\r\n\r\n<html>", sent, flags=re.S), "BAD_DECODE"),
    "NaN": (lambda sent: sent.replace(b"71.5", b" NaN", 1), "BAD_DECODE"),
    "a key twice": (lambda sent: sent.replace(b'"Status"', b'"PumpSpeedPercent": {"Reading": 3}, "Status"'), None),
    "a broken frame": (lambda _: b"220 mail.example ESMTP\r\n\r\n", "BAD_VIOLATION"),
    "another name": (lambda sent: sent.replace(b"Pumps/Right", b"Pumps/Wrong"), "BAD_VIOLATION"),
    "status 500": (lambda sent: sent.replace(b"200 OK", b"500 No", 1), "BAD_REFUSED"),
    "hangs up": (None, "BAD_TIMEOUT"),
    "no answer": (lambda _: b"", "BAD_TIMEOUT"),
}


def odd_at(service, where, change):
    """What a service does with an answer at such a path: changes it, or hangs up."""

    def tamper(request, sent):
        if where not in request.path:
            return sent
        if change is not None:
            return change(sent.replace(b"Pumps/Left", b"Pumps/Right"))
        for gate in list(service.listener._filters):
            asyncio.get_running_loop().call_soon(gate.transport.close)
        return b""

    return tamper


@pytest.mark.parametrize("name", ODD)
def test_two_odd_resources_cost_their_own_values(name):
    """Both pumps: what the unit says besides is GOOD, from the third poll on at the latest."""
    change, _ = ODD[name]

    async def main():
        async with opened(unit_tree()) as (device, service):
            honest = await readings(device)

            service.tamper = odd_at(service, "Pumps/", change)
            for count in range(6):
                await asyncio.sleep(1)
                found = await readings(device)
                rest = {signal for signal in found if not signal.startswith("pump")}
                if count > 1:
                    assert {s: found[s] for s in rest} == {s: honest[s] for s in rest}
            service.tamper = None
            await asyncio.sleep(62)
            assert await readings(device) == honest

    virtually(main)


@pytest.mark.parametrize("name", ODD)
def test_one_odd_resource_costs_its_own_values(name):
    """Everything else is GOOD in every poll but the first, in which a resource that hangs may cost the others."""
    change, quality = ODD[name]

    async def main():
        async with opened(unit_tree()) as (device, service):
            honest = await readings(device)

            service.tamper = odd_at(service, "Pumps/Right", change)
            for count in range(6):
                await asyncio.sleep(1)
                found = await readings(device)
                mine = {signal for signal in found if signal.startswith(("pump[2]", "pump_speed"))}
                if count:
                    assert {s: v for s, v in found.items() if s not in mine} == {
                        s: v for s, v in honest.items() if s not in mine
                    }
                if quality is not None:
                    assert found["pump[2].speed"] == (None, quality)
                assert found["pump_speed"][0] is None
            assert sum("Pumps/Right" in event for event in device.events) <= 1
            service.tamper = None
            await asyncio.sleep(62)
            assert await readings(device) == honest

    virtually(main)


@pytest.mark.parametrize("state", ["Absent", "Disabled", "UnavailableOffline", "InTest", "Updating"])
def test_a_value_counts_only_while_its_resource_is_enabled(state):
    tree = unit_tree()
    loop, detector = tree[LOOP], tree[f"{CDU}/LeakDetection/LeakDetectors/Tray"]

    async def main():
        async with opened(tree) as (device, _):
            assert (await readings(device))["flow"] == (412, "GOOD")
            loop["Status"] = detector["Status"] = {"State": state}
            found = await readings(device)
            assert found["flow"] == found["supply_temperature"] == (None, "BAD_MISSING")
            assert found["leak"] == (None, "BAD_MISSING"), "a detector that is not at work sees no leak"
            assert found["pump[1].speed"] == (55, "GOOD")
            reads = [device.link.reading(device.expansion.signals[name]) for name in ("flow", "pump[1].speed", "leak")]
            again = [unpacked(Read, json.loads(json.dumps(packed(read)))) for read in reads]
            flow, speed, leak = await device.link.channel.read(again)
            assert math.isnan(flow)
            assert math.isnan(leak)
            assert speed == 55
            detector["DetectorState"] = "Critical"
            assert (await readings(device))["leak"] == (None, "BAD_MISSING")
            loop["Status"] = detector["Status"] = {"State": "Enabled"}
            assert (await readings(device))["leak"] == ("wet", "GOOD")

    virtually(main)


@pytest.mark.parametrize(
    "status", [{"State": ["Absent"]}, {"State": 3}, {"State": ""}, "Absent", [{"State": "Absent"}]]
)
def test_a_state_that_is_no_state_is_not_enabled(status):
    resource = {"Reading": 5, "Status": status}
    assert value_at(resource, "/Reading", ("enabled",)) is Quality.BAD_MISSING
    assert value_at(resource, "/Reading", None) == 5


@pytest.mark.parametrize("status", ["Enabled", None, {}, {"State": None, "Health": "OK"}, {"State": "enabled"}])
def test_no_state_says_nothing_against_a_value(status):
    assert value_at({"Reading": 5, "Status": status}, "/Reading", ("enabled",)) == 5


def test_a_bay_that_is_empty_at_open_counts_in_no_total():
    tree = unit_tree()
    tray = tree[f"{CDU}/LeakDetection/LeakDetectors/Tray"]
    tray["Status"] = {"State": "Absent"}

    async def main():
        async with opened(tree) as (device, _):
            assert (await readings(device))["leak"] == ("dry", "GOOD")
            assert any("1 of 2 say Absent and count in no total" in event for event in device.events)
            tree[f"{CDU}/LeakDetection/LeakDetectors/Moisture"]["Status"] = {"State": "Absent"}
            assert (await readings(device))["leak"] == (None, "BAD_MISSING")

    virtually(main)


def test_an_optional_value_that_cannot_be_read_at_open_is_not_taken_for_missing():
    tree = unit_tree()
    tree[f"{CDU}/EnvironmentMetrics"] = {"@odata.id": "/wrong", "TemperatureCelsius": {"Reading": 24.5}}

    async def main():
        async with opened(tree) as (device, _):
            tree[f"{CDU}/EnvironmentMetrics"]["@odata.id"] = f"{CDU}/EnvironmentMetrics"
            await asyncio.sleep(31)
            assert (await readings(device))["ambient_temperature"] == (24.5, "GOOD")

    virtually(main)


def test_a_busy_service_gives_bad_data_and_comes_back():
    async def main():
        async with opened(unit_tree()) as (device, service):
            service.is_busy = lambda: True
            frame = await device.poll()
            assert set(frame.qualities) == {int(Quality.BAD_REFUSED)}
            service.is_busy = lambda: False
            assert (await readings(device))["flow"] == (412, "GOOD")

    virtually(main)


def test_nothing_is_ever_written():
    async def main():
        async with opened(unit_tree()) as (device, _):
            assert not device.expansion.controls
            from harness.device.points import ControlPoint
            from harness.schema.profile import Control

            with pytest.raises(RefusedError, match="never written"):
                await device.link.write(ControlPoint("pump", Control(commands={"off": 0})), math.nan, "off")

    virtually(main)


# --- what a profile may say ------------------------------------------------------------


@pytest.mark.parametrize("name", redfish_lies())
def test_no_lie_becomes_a_good_value(name):
    async def main():
        async with opened(unit_tree()) as (device, service):
            honest = await readings(device)
            service.tamper = redfish_lies()[name]
            for _ in range(4):
                for signal, (value, quality) in (await readings(device)).items():
                    assert quality != "GOOD" or value == honest[signal][0], signal
                await asyncio.sleep(1)
            assert device.health.failed >= 4 or name in OF_ONE_VALUE | BEHIND
            service.tamper = None
            await asyncio.sleep(3)
            await device.poll()
            assert await readings(device) == honest

    virtually(main)
