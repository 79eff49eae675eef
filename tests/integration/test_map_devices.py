"""Devices made from the public maps alone, opened and read by the profiles that were compared with them.

The registers are filled by what the map says (`tests/maps/registers.py`), nothing of the profile goes in but the ranges
that numbers are chosen from; what the harness reads must be what the map says they mean.
"""

from __future__ import annotations

import random

import pytest

from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.quantity import convert
from harness.schema.station import DeviceEntry
from sim.servers.host import SocketHost
from sim.servers.modbus import ModbusServer
from sim.servers.modbus_bank import HOLDING, ArrayBank
from tests import maps
from tests.maps import compare
from tests.maps.points import points_of
from tests.maps.registers import read_map

pytestmark = pytest.mark.skipif(not maps.available(), reason=maps.REASON)
UNIT = 11
PAIRS = [(name, source) for name, profile in compare.modbus_profiles().items() for source in compare.maps_of(profile)]


def words(data, length):
    return [int.from_bytes(data.ljust(2 * length, b"\0")[at : at + 2], "big") for at in range(0, 2 * length, 2)]


class MapDevice:
    """A device of one map: texts say where they stand, numbers and flags are drawn by `dice`."""

    def __init__(self, source, profile, dice):
        self.bank = ArrayBank((UNIT,))
        self.raw = {}
        ranges = {p.address: (p, profile) for p in points_of(profile)}
        for entry in source.registers:
            if entry.kind == "text":
                text = self._identity(profile, entry.address) or f"T{entry.address}"
                self.raw[entry.address] = text
                content = words(text.encode(), entry.words)
            else:
                raw = self._drawn(entry, ranges.get(entry.address), dice)
                self.raw[entry.address] = raw
                content = words((raw % (1 << 16 * entry.words)).to_bytes(2 * entry.words, "big"), entry.words)
            self.bank.set_words(UNIT, HOLDING, entry.address, content)

    def _identity(self, profile, address):
        rules = [rule for rule in profile.identity.match if profile.signals[rule.signal].address == address]
        return next((text for rule in rules for text in (*rule.one_of, rule.equals, rule.contains) if text), "")

    def _drawn(self, entry, mine, dice):
        if entry.kind == "flags":
            return sum(1 << bit for bit in entry.bits if dice.random() < 0.4)
        top = 1 << min(16 * entry.words, 31) - entry.is_signed
        drawn = [dice.randrange(-top if entry.is_signed else 0, top - 1) for _ in range(2000)]
        if mine is None:
            return drawn[0]
        point, profile = mine
        spec = self._spec(profile, point)
        low, high = (spec.range or (-1e9, 1e9)) if spec is not None else (-1e9, 1e9)
        unit = entry.unit or point.unit
        values = (raw for raw in drawn if low <= convert(entry.offset + entry.factor * raw, unit, point.unit) <= high)
        return next(values, 0)

    def _spec(self, profile, point):
        group, _, column = point.name.partition("[].")
        return profile.repeat[group].signals.get(column) if column else profile.signals.get(point.name)


@pytest.mark.parametrize(("name", "source"), PAIRS)
def test_a_device_of_the_map_reads_as_the_map_says(name, source):
    profile = compare.modbus_profiles()[name]
    read = read_map(source)
    fake = MapDevice(read, profile, random.Random(f"{name} {source}"))

    async def main():
        listener = await SocketHost().serve_stream(ModbusServer(fake.bank).tcp)
        entry = DeviceEntry.model_validate(
            {"profile": name, "address": f"modbus+tcp://127.0.0.1:{listener.port}/{UNIT}"}
        )
        device = DeviceBuilder(Clock(), maps.ROOT).make("dut", entry, profile, entry.address)
        try:
            await device.open()
            points = {}
            for point in points_of(profile):
                if not point.is_control:
                    points[point.name.replace("[]", f"[{point.row}]")] = point
            return points, dict(zip(points, await device.read(list(points)), strict=True))
        finally:
            await device.close()
            await listener.close()

    points, readings = run(main)
    judged = 0
    for key, point in points.items():
        found = read.at(point.address)
        if found is None or point.kind == "bits" or not readings[key].is_good:
            continue
        raw, reading = fake.raw[found.address], readings[key]
        if found.kind == "text":
            assert reading.text == raw, key
        elif found.kind == "flags":
            expected = {point.bits[bit] for bit in point.bits if raw >> bit & 1}
            assert set(reading.text.split("+")) - {"none"} == expected, key
        elif reading.text and not reading.unit and not point.unit:
            continue  # a time shown as a text
        else:
            unit = found.unit or point.unit
            assert convert(reading.value, reading.unit, unit) == pytest.approx(found.offset + found.factor * raw), key
        judged += 1
    assert judged >= 0.8 * sum(read.at(p.address) is not None and p.kind != "bits" for p in points.values())
