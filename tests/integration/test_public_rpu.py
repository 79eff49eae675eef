"""A reservoir and pumping unit whose registers are filled by hand from its public map, not from the profile.

Sources: facebook/openbmc rackmon orv3_rpu.json (2024-10-24); facebook/OpenBIC aalc-rpu, whose firmware names 0x9200
sensor alarm, 0x9201 status alarm and 0x9202 leakage; openbmc/phosphor-modbus (2026-08-05).
"""

from __future__ import annotations

import captures
import pytest

from drivers import profiles_root
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.registry import load_profile
from harness.schema.station import DeviceEntry
from sim.servers.host import SocketHost
from sim.servers.modbus import ModbusServer
from sim.servers.modbus_bank import HOLDING, ArrayBank

MODEL, SERIAL, FIRMWARE = 0x19CC, 0x19D8, 0x19E8
SENSORS, STATUS, LEAKAGE = 0x9200, 0x9201, 0x9202


def words(text, length):
    data = text.encode().ljust(2 * length, b"\0")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, 2 * length, 2)]


def unit(registers):
    """A unit with what every one has, and `registers` (address: word) as given."""
    bank = ArrayBank((12,))
    bank.set_words(12, HOLDING, MODEL, words("RDF040DSS5193E0", 8))
    bank.set_words(12, HOLDING, SERIAL, words("SN12345678901234", 8) + words("WO123456", 4) + words("HW000001", 4))
    bank.set_words(12, HOLDING, FIRMWARE, [*words("2.1.0", 4), 0x0001, 0x86A0])
    for address, word in registers.items():
        bank.set_words(12, HOLDING, address, [word])
    return bank


async def reads(bank, *names):
    """What the harness reads, by the shipped profile."""
    listener = await SocketHost().serve_stream(ModbusServer(bank).tcp)
    profile, _ = load_profile(profiles_root() / "cdu" / "meta_rpu" / "profile.yaml")
    entry = DeviceEntry.model_validate(
        {"profile": "cdu/meta_rpu", "address": f"modbus+tcp://127.0.0.1:{listener.port}/12"}
    )
    device = DeviceBuilder(Clock(), captures.ROOT).make("cdu", entry, profile, entry.address)
    try:
        await device.open()
        readings = await device.read(list(names))
        assert all(reading.is_good for reading in readings), readings
        return [reading.text for reading in readings]
    finally:
        await device.close()
        await listener.close()


@pytest.mark.parametrize(
    ("registers", "leak", "zones", "alarms", "level", "sensors"),
    [
        ({}, "dry", "none", "none", "ok", "none"),
        ({LEAKAGE: 0x0110}, "wet", "unit_internal+rack_pan", "none", "ok", "none"),
        ({LEAKAGE: 0x0800}, "wet", "rack_floor_relay", "none", "ok", "none"),
        ({STATUS: 0x0040}, "dry", "none", "pump", "ok", "none"),
        (
            {STATUS: 0x0001, SENSORS: 0x0060},
            "dry",
            "none",
            "reservoir",
            "low",
            "exchanger_outlet_air_1+exchanger_outlet_air_2",
        ),
    ],
)
def test_leaks_alarms_and_broken_sensors_are_read_where_the_device_has_them(
    registers, leak, zones, alarms, level, sensors
):
    names = ("leak", "leak_zones", "alarms", "level", "sensor_alarms")
    assert run(lambda: reads(unit(registers), *names)) == [leak, zones, alarms, level, sensors]


def test_serial_number_and_firmware_hold_nothing_of_their_neighbours():
    assert run(lambda: reads(unit({}), "serial", "firmware")) == ["SN12345678901234", "2.1.0"]
