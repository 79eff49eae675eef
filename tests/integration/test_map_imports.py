"""Every public map, imported: checked, compared with the map by code that shares nothing, simulated and read."""

from __future__ import annotations

import json
import math
import re

import pytest

import sim
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.register_maps.phosphor import import_phosphor
from harness.device.register_maps.rackmon import import_rackmon
from harness.device.registry import load_profile
from harness.quantity import Quality
from harness.schema.profile import Judge
from harness.schema.station import Station
from tests import maps
from tests.maps import compare

pytestmark = pytest.mark.skipif(not maps.available(), reason=maps.REASON)
NAMES = maps.map_names() if maps.available() else []


def imported(name, folder):
    """The profile that the importer makes of a map."""
    data = json.loads((maps.FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    text, notes = import_rackmon(data) if name.startswith("rackmon/") else import_phosphor(data)
    (folder / "profile.yaml").write_text(text, encoding="utf-8")
    return load_profile(folder / "profile.yaml")[0], notes


@pytest.mark.parametrize("name", NAMES)
def test_an_imported_map_says_what_the_map_says(name, tmp_path):
    profile, notes = imported(name, tmp_path)
    judged = profile.model_copy(update={"judged_by": (Judge(map=name, source="x", edition="y"),)})
    found = [each for each in compare.differences(judged) if not re.search(r"_bits_\d+$", each.signal)]
    if name.startswith("rackmon/"):  # units are told and never taken over; flags of four words became several signals
        assert {each.what for each in found} <= {"unit", "scale", "name", "word of bit 11"}, list(map(str, found))
        assert not [each for each in found if each.what == "scale" and profile.signals[each.signal].unit]
        assert any("names speak of" in note for note in notes) or "orv3_rpu" not in name
    else:
        assert {each.what for each in found} <= {"name"}, list(map(str, found))
        assert all(re.search("_failure|_fault|_critical|_warning", each.signal) for each in found)


@pytest.mark.parametrize("name", NAMES)
def test_an_imported_map_can_be_simulated_and_every_signal_read(name, tmp_path):
    profile, _ = imported(name, tmp_path)
    unit = profile.modbus.unit

    async def main():
        entry = {"profile": profile.profile, "address": f"modbus+tcp://127.0.0.1:1502/{unit}"}
        station = Station.model_validate({"schema": 1, "station": "one", "devices": {"dut": entry}})
        simulation = await sim.start(station, {profile.profile: profile}, virtual=True)
        builder = DeviceBuilder(Clock(), tmp_path, simulation.network)
        device = builder.make("dut", station.devices["dut"], profile, simulation.addresses["dut"])
        try:
            await device.open()
            frame = await device.poll()
            assert (frame.qualities == Quality.GOOD).all()
            return len(device.signals)
        finally:
            await device.close()
            await simulation.close()

    assert run(main, rate=math.inf) == len(profile.signals)
