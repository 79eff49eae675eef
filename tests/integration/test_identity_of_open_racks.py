"""Open Rack devices of several makers: the texts that their registers really hold open the profile of their kind.

The texts are what openbmc's phosphor-modbus knows each model by (rtu/profiles, ProbeRegister, 2026-08-05).
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import sim
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.registry import known_profiles, load_profile
from harness.errors import IdentityError
from harness.schema.station import Station

REAL = [
    ("cdu/meta_rpu", {"model": "RDF040DSS5193E0"}),
    ("shelf/orv3_hpr_psu", {"model": "ECD17020037"}),
    ("shelf/orv3_hpr_psu", {"model": "700-037147-0000"}),
    ("shelf/orv3_hpr_bbu", {"manufacturer": "Delta", "model": "BU123AE000"}),
    ("shelf/orv3_hpr_bbu", {"manufacturer": "Panasonic", "model": "BJA3C0002A"}),
    ("shelf/orv3_hpr_pmm", {"manufacturer": "Delta", "model": "ECD70000017"}),
    ("shelf/orv3_hpr_pmm", {"manufacturer": "Panasonic", "model": "BJBPM103A"}),
    ("shelf/orv3_hpr_pmm", {"manufacturer": "ARTESYN", "model": "7000555240000"}),
]
OTHERS = [
    ("cdu/meta_rpu", {"model": "ECD17020037"}),
    ("cdu/meta_rpu", {"model": ""}),
    ("shelf/orv3_hpr_psu", {"model": "ECD27010006"}),
    ("shelf/orv3_hpr_psu", {"model": "Delta"}),
    ("shelf/orv3_hpr_psu", {"model": ""}),
    ("shelf/orv3_hpr_bbu", {"manufacturer": "ECD17020037", "model": "ECD17020037"}),
    ("shelf/orv3_hpr_bbu", {"manufacturer": "", "model": ""}),
    ("shelf/orv3_hpr_pmm", {"manufacturer": "700-037147-0000", "model": ""}),
    ("shelf/orv3_hpr_pmm", {"manufacturer": "", "model": ""}),
]
"""What another device of such a rack has in the registers that the profile reads."""


def opened(folder: Path, name: str, texts: dict[str, str]) -> str:
    """Open the shipped profile on a twin whose registers hold these texts; '' or why it was refused."""
    signals = "".join(f'  {key}: {{sim: {{text: "{text or " "}"}}}}\n' for key, text in texts.items())
    (folder / "there.yaml").write_text(
        f"schema: 1\nprofile: there.yaml\nextends: {name}\nidentity: null\nsignals:\n{signals}"
    )
    there, mine = load_profile(folder / "there.yaml")[0], load_profile(known_profiles()[name])[0]
    entry = {"profile": "there.yaml", "address": "modbus+tcp://127.0.0.1:15020/7"}
    station = Station.model_validate({"schema": 1, "station": "rack", "devices": {"it": entry}})

    async def main() -> str:
        simulation = await sim.start(station, {"there.yaml": there}, virtual=True)
        builder = DeviceBuilder(Clock(), folder, simulation.network)
        device = builder.make("it", station.devices["it"], mine, simulation.addresses["it"])
        try:
            await device.open()
        except IdentityError as error:
            return error.message
        finally:
            await device.close()
            await simulation.close()
        return ""

    return run(main, rate=math.inf)


@pytest.mark.parametrize(("name", "texts"), REAL)
def test_a_real_device_is_let_in(name, texts, tmp_path):
    assert opened(tmp_path, name, texts) == ""


@pytest.mark.parametrize(("name", "texts"), OTHERS)
def test_another_device_of_the_rack_is_not(name, texts, tmp_path):
    assert "but profile" in opened(tmp_path, name, texts)


def test_a_capacitor_bank_is_no_battery(tmp_path):
    """Same maker, same registers of identity, but no word of permanent failures: that register is refused."""
    (tmp_path / "bank.yaml").write_text(
        "schema: 1\nprofile: bank.yaml\ntitle: Capacitor bank\nclass: shelf\nprotocol: modbus\nsource: made up\n"
        "unverified: a test\nmodbus: {max_gap: 0}\nsignals:\n"
        "  manufacturer: {address: 0, type: string, length: 8, poll: once, sim: {text: Delta}, description: Maker.}\n"
        "  model: {address: 8, type: string, length: 8, poll: once, sim: {text: ECD27010006}, description: Model.}\n"
        "  status: {address: 153, sim: 0, description: Status word.}\n"
    )
    there = load_profile(tmp_path / "bank.yaml")[0]
    mine = load_profile(known_profiles()["shelf/orv3_hpr_bbu"])[0]
    entry = {"profile": "bank.yaml", "address": "modbus+tcp://127.0.0.1:15020/7"}
    station = Station.model_validate({"schema": 1, "station": "rack", "devices": {"it": entry}})

    async def main() -> None:
        simulation = await sim.start(station, {"bank.yaml": there}, virtual=True)
        builder = DeviceBuilder(Clock(), tmp_path, simulation.network)
        device = builder.make("it", station.devices["it"], mine, simulation.addresses["it"])
        try:
            with pytest.raises(IdentityError, match="there is no permanent_failures"):
                await device.open()
        finally:
            await device.close()
            await simulation.close()

    run(main, rate=math.inf)
