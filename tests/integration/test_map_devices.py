"""Devices made from the public maps alone: read by the profiles that were compared with them, refused by all others."""

from __future__ import annotations

import math
import random
import re
from contextlib import asynccontextmanager

import pytest

from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.errors import DeviceError, IdentityError
from harness.quantity import convert
from harness.schema.station import DeviceEntry
from sim.network import MemoryNetwork
from sim.servers.host import MemoryHost
from sim.servers.modbus import ModbusServer
from sim.servers.modbus_bank import HOLDING
from tests import maps
from tests.maps import compare
from tests.maps.device import UNIT, MapDevice, common
from tests.maps.points import points_of
from tests.maps.registers import read_map

pytestmark = pytest.mark.skipif(not maps.available(), reason=maps.REASON)
JUDGED = {name: profile for name, profile in compare.modbus_profiles().items() if compare.maps_of(profile)}
PAIRS = [(name, source) for name, profile in JUDGED.items() for source in compare.maps_of(profile)]


def made(name, model=""):
    """A device of all the maps that a profile was compared with."""
    profile = JUDGED[name]
    if missing := set(compare.named_maps(profile)) - set(compare.maps_of(profile)):
        pytest.skip(f"a part of such a device is told by a map that is not here: {', '.join(missing)}")
    return MapDevice(profile, [read_map(each) for each in compare.maps_of(profile)], random.Random(name), model)


@asynccontextmanager
async def serving(fake):
    """Makes the harness' own device by the name of a profile, in front of a device that is served."""
    network = MemoryNetwork()
    listener = await MemoryHost(network).serve_stream(ModbusServer(fake.bank).tcp)

    def device(name):
        profile = compare.modbus_profiles()[name]
        entry = DeviceEntry.model_validate(
            {"profile": name, "address": f"modbus+tcp://127.0.0.1:{listener.port}/{UNIT}"}
        )
        return DeviceBuilder(Clock(), maps.ROOT, network).make("dut", entry, profile, entry.address)

    try:
        yield device
    finally:
        await listener.close()


@pytest.mark.parametrize(("name", "source"), PAIRS)
def test_a_device_of_the_map_reads_as_the_map_says(name, source):
    read, fake = read_map(source), made(name)
    points = {p.name.replace("[]", f"[{p.row}]"): p for p in points_of(JUDGED[name]) if not p.is_control}

    async def main():
        async with serving(fake) as made_by:
            device = made_by(name)
            try:
                await device.open()
                words = {key for key, point in device.expansion.signals.items() if getattr(point.spec, "enum", None)}
                return dict(zip(points, await device.read(list(points)), strict=True)), words
            finally:
                await device.close()

    readings, words = run(main, rate=math.inf)
    judged = 0
    for key, point in points.items():
        found = read.at(point.address)
        if found is None or point.kind == "bits" or not readings[key].is_good:
            continue
        raw, reading = fake.raw[found.address], readings[key]
        if found.kind == "text":
            assert reading.text == raw, key
        elif found.kind == "flags":
            expected = {point.bits[bit] for bit in point.bits if bit in found.bits and raw >> bit & 1}
            ours = {point.bits[bit] for bit in point.bits if bit in found.bits}
            assert set(reading.text.split("+")) & ours == expected, key
        elif reading.text and not reading.unit and not point.unit:
            continue  # a time shown as a text
        else:
            unit = common(found, point)
            assert convert(reading.value, reading.unit, unit) == pytest.approx(found.offset + found.factor * raw), key
        judged += 1
    asked = [key for key, p in points.items() if read.at(p.address) is not None and p.kind != "bits"]
    assert judged >= 0.8 * len([key for key in asked if key not in words])  # made-up numbers are seldom words


BY_TEXT_ONLY = {
    "shelf/delta_ecd68000047": {"shelf/orv3_hpr_psu_shelf"},
    "shelf/orv3_hpr_storage_shelf": {"shelf/orv3_hpr_psu_shelf"},
}
"""Kinds of one maker that only the model tells apart: their registers hold nothing that the other has not."""


def family(name):
    """The profiles of one kind of device: those that extend each other."""
    profiles = compare.modbus_profiles()
    roots = {each: profile.extends or each for each, profile in profiles.items()}
    return {each for each, root in roots.items() if root == roots[name]}


def who_lets_in(fake, refusal):
    """The profiles by which a device opens; the others must refuse it, and in that way."""

    async def main():
        let_in = set()
        async with serving(fake) as made_by:
            for other in compare.modbus_profiles():
                device = made_by(other)
                try:
                    await device.open()
                    let_in.add(other)
                except refusal:
                    pass
                finally:
                    await device.close()
        return let_in

    return run(main, rate=math.inf)


@pytest.mark.parametrize("model", ["reported", "unknown"])
@pytest.mark.parametrize("name", JUDGED)
def test_a_device_is_let_in_by_profiles_of_its_own_kind_only(name, model):
    """Even where the text of the model is another than expected: other kinds differ in what they have."""
    is_told = model == "reported" and bool(JUDGED[name].extends)  # a family has no model of its own
    fake = made(name, re.sub(r".*/[a-z]+_", "", name).upper() if is_told else "X 1")
    let_in = who_lets_in(fake, IdentityError)
    assert name in let_in
    assert let_in <= family(name) | (set() if is_told else BY_TEXT_ONLY.get(name, set()))


NOT_TOLD_APART = {
    "shelf/delta_bbubu123ae000": {"shelf/delta_ecd27010006"},  # one maker, and zeros where the other has its cells
    "shelf/panasonic_bjbpm103a": {"shelf/orv3_psu"},  # a number of 40 to 60 stands where the other has its set point
}


@pytest.mark.parametrize("filler", [0, 0xFFFF], ids=["zeros", "ones"])
@pytest.mark.parametrize("name", ["nothing at all", *JUDGED])
def test_a_device_that_refuses_nothing_is_let_in_by_its_own_kind_only(name, filler):
    fake = (
        MapDevice(JUDGED[next(iter(JUDGED))], [], random.Random(1)) if name == "nothing at all" else made(name, "X 1")
    )
    fake.bank.rest[HOLDING] = filler
    let_in = who_lets_in(fake, DeviceError)
    if name == "nothing at all":
        assert let_in == set()
    else:
        assert let_in <= family(name) | BY_TEXT_ONLY.get(name, set()) | NOT_TOLD_APART.get(name, set())
