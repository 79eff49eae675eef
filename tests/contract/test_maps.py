"""Every Modbus profile against the public maps that it names; and whether the comparison itself sees a wrong table."""

from __future__ import annotations

import json

import pytest

from harness.device.registry import known_profiles, load_profile
from tests import captures, maps
from tests.maps import compare, page, registers

here = pytest.mark.skipif(not maps.available(), reason=maps.REASON)


@here
@pytest.mark.parametrize("name", compare.modbus_profiles())
def test_every_difference_from_a_public_map_is_explained(name):
    profile = compare.modbus_profiles()[name]
    missing = set(compare.named_maps(profile)) - set(compare.maps_of(profile))
    if not compare.maps_of(profile):
        pytest.skip(f"not here: {', '.join(missing)}" if missing else "no public map is known for it, and it says so")
    assert [str(each) for each in compare.unexplained(profile)] == []


@here
def test_no_explanation_outlives_its_difference():
    assert compare.stale() == []


@here
@pytest.mark.parametrize("name", maps.map_names())
def test_every_map_that_is_here_judges_a_profile_or_is_said_not_to(name):
    if name in page.uncovered() - set(page.NOT_COVERED):
        pytest.skip("a map that no profile names: import it, or say in NOT_COVERED why not")
    assert (name in page.NOT_COVERED) == (name in page.uncovered())


@here
def test_the_page_of_the_reference_is_what_the_maps_say():
    assert maps.PAGE.read_text(encoding="utf-8") == page.page(), "run python -m tests.maps"


def test_a_profile_names_the_captures_that_it_is_compared_with_and_no_others():
    said = {
        (judge.capture, name)
        for name, path in known_profiles().items()
        for judge in load_profile(path)[0].judged_by
        if judge.capture
    }
    assert said == set(captures.PROFILES.items())


# --- the comparison itself, on maps made up here; it must see every kind of mistake

RACKMON = {
    "name": "PLANT", "address_range": [[10, 12]], "probe_register": 0, "baudrate": 19200, "parity": "NONE",
    "registers": [
        {"begin": 0, "length": 8, "format": "STRING", "name": "MFR_Model"},
        {"begin": 20, "length": 1, "format": "FLOAT", "precision": 0, "scale": 0.1, "sign": True,
         "name": "Inlet_Temp_C"},
        {"begin": 21, "length": 1, "format": "FLOAT", "precision": 6, "name": "Output_Current"},
        {"begin": 22, "length": 2, "format": "INTEGER", "name": "Total_Up_Time"},
        {"begin": 30, "length": 1, "format": "FLAGS", "flags": [[0, "AC_UVP"], [1, "AC_OVP"], [8, "Fan_Fail"]],
         "name": "Alarm_Status"},
    ],
}  # fmt: skip
PHOSPHOR = {
    "DeviceType": "PowerSupplyUnit", "DeviceModel": "PlantX", "Parity": "None", "BaudRate": 19200,
    "ProbeRegister": {"Offset": "0x0", "Size": 8, "ExpectedValue": "X1"},
    "InventoryRegisters": [{"Type": "Model", "Offset": "0x0", "Size": 8}],
    "SensorRegisters": [{"Name": "OUTPUT_CURR", "Type": "Current", "Offset": "0x15", "Size": 1, "Precision": 6,
                         "Format": "FixedPoint"}],
}  # fmt: skip
RIGHT = """
schema: 1
profile: shelf/plant
title: a supply
class: shelf
protocol: modbus
source: the maps of this test
unverified: made up
judged_by:
  - {map: rackmon/plant, source: this test, edition: now}
  - {map: phosphor-modbus/plant, source: this test, edition: now}
modbus: {unit: 11, max_gap: 0, baud: 19200, parity: N}
identity: {match: [{signal: model, equals: X1}], model: model}
signals:
  model: {address: 0, type: string, length: 8, poll: once}
  inlet_temperature: {address: 20, type: i16, scale: 0.1, unit: degC}
  output_current: {address: 21, precision: 6, unit: A}
  uptime: {address: 22, type: u32, unit: s}
  alarms: {address: 30, flags: {ac_undervoltage: 0, ac_overvoltage: 1, fan: 8}}
  fan: {address: 30, bit: 8, enum: {ok: 0, failed: 1}}
"""


@pytest.fixture
def found(tmp_path, monkeypatch):
    """How a profile differs from the two maps: {signal: what}."""
    monkeypatch.setattr(registers, "FOLDER", tmp_path)
    for kind, data in (("rackmon", RACKMON), ("phosphor-modbus", PHOSPHOR)):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "plant.json").write_text(json.dumps(data))

    def differences(text):
        (tmp_path / "p.yaml").write_text(text)
        return sorted({(each.signal, each.what) for each in compare.differences(load_profile(tmp_path / "p.yaml")[0])})

    return differences


def test_a_profile_that_agrees_with_its_maps_has_no_difference(found):
    assert found(RIGHT) == []


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("{address: 21,", "{address: 24,", ("output_current", "address")),
        ("{address: 21,", "{address: 20,", ("output_current", "name")),
        ("{address: 30, flags", "{address: 31, flags", ("alarms", "address")),
        ("{address: 30, bit", "{address: 31, bit", ("fan", "address")),
        ("bit: 8", "bit: 9", ("fan", "bits")),
        ("bit: 8", "bit: 1", ("fan", "name")),
        ("length: 8", "length: 9", ("model", "words")),
        ("{address: 22, type: u32", "{address: 22, type: u16", ("uptime", "words")),
        ("{address: 22, type: u32", "{address: 22, type: f32", ("uptime", "kind")),
        ("{address: 22, type: u32", "{address: 22, order: CDAB, type: u32", ("uptime", "order")),
        ("{address: 22, type: u32", "{address: 22, table: input, type: u32", ("uptime", "table")),
        ("type: i16", "type: u16", ("inlet_temperature", "sign")),
        ("scale: 0.1", "scale: 0.01", ("inlet_temperature", "scale")),
        ("scale: 0.1", "scale: 0.1, offset: -273.15", ("inlet_temperature", "scale")),
        ("unit: degC", "unit: V", ("inlet_temperature", "unit")),
        ("unit: degC", "unit: degF", ("inlet_temperature", "scale")),
        ("unit: A", "unit: V", ("output_current", "unit")),
        ("inlet_temperature:", "outlet_temperature:", ("outlet_temperature", "name")),
        ("ac_undervoltage: 0, ac_overvoltage: 1", "ac_undervoltage: 1, ac_overvoltage: 0", ("alarms", "word of bit 0")),
        ("ac_overvoltage: 1, ", "", ("alarms", "bits")),
        ("fan: 8}", "fan: 8, output: 9}", ("alarms", "bits")),
        ("equals: X1", "contains: PLANT", ("-", "identity")),
        ("unit: 11", "unit: 13", ("-", "default unit")),
        ("baud: 19200", "baud: 9600", ("-", "baud")),
        ("parity: N}", "parity: N, clock: {address: 22}}", ("-", "clock")),
        ("max_gap: 0", "max_gap: 12", ("-", "request")),
    ],
)
def test_every_kind_of_mistake_is_seen(found, right, wrong, expected):
    assert RIGHT.count(right) == 1
    assert expected in found(RIGHT.replace(right, wrong))
