"""Import of phosphor-modbus profiles: every key of theirs, and values equal to their formulas, over the wire."""

from __future__ import annotations

import copy
import json
import math
import random
import struct
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.commands.profile import profile as command
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.register_maps.phosphor import import_phosphor
from harness.device.registry import load_profile
from harness.errors import ConfigError
from harness.quantity import convert
from harness.schema.station import DeviceEntry
from sim.network import MemoryNetwork
from sim.servers.host import MemoryHost
from sim.servers.modbus import ModbusServer
from sim.servers.modbus_bank import HOLDING
from tests.tools.array_bank import ArrayBank

MAP = {
    "DeviceType": "ReservoirPumpUnit", "DeviceModel": "AcmeX900", "Parity": "Odd", "BaudRate": 38400,
    "ProbeRegister": {"Offset": "0x8", "Size": 8, "ExpectedValue": "X900-A"},
    "InventoryRegisters": [
        {"Type": "SparePartNumber", "Offset": "0x0", "Size": 8},
        {"Type": "Model", "Offset": "0x8", "Size": 8},
        {"Type": "PartNumber", "Offset": "0x1B", "Size": 1, "Format": "Integer"},
        {"Type": "SerialNumber", "Offset": "0x20", "Size": 16},
    ],
    "FirmwareRegisters": [
        {"Name": "PLC_FW_Revision", "Type": "Version", "Offset": "0x30", "Size": 4},
        {"Name": "PACK_FW", "Type": "Version", "Format": "Integer", "Offset": "0x34", "Size": 1},
        {"Name": "LOADER", "Type": "Update", "Offset": "0x35", "Size": 1},
    ],
    "SensorRegisters": [
        {"Name": "INLET_TEMP", "Type": "Temperature", "Offset": "0x100", "Size": 1, "Precision": 7, "IsSigned": True,
         "Format": "FixedPoint"},
        {"Name": "PACK_TEMP", "Type": "Temperature", "Offset": "0x101", "Size": 1, "Scale": 0.1, "Shift": -273.15,
         "Format": "FloatingPoint"},
        {"Name": "FLOW", "Type": "LiquidFlow", "Offset": "0x102", "Size": 2, "Scale": 2.0, "Format": "Float32"},
        {"Name": "CHARGE", "Type": "Charge", "Offset": "0x104", "Size": 1, "Scale": 1.0, "Format": "FixedPoint"},
        {"Name": "FAN", "Type": "FanTach", "Offset": "0x105", "Size": 2, "Scale": 9.0, "IsSigned": True,
         "Format": "Integer"},
        {"Name": "AIR", "Type": "Airflow", "Offset": "0x107", "Size": 1, "Scale": 0.5, "Format": "FixedPoint"},
        {"Name": "ANGLE", "Type": "RotationalPosition", "Offset": "0x108", "Size": 1, "Scale": 0.001,
         "Format": "FixedPoint"},
        {"Name": "TORQUE", "Type": "Torque", "Offset": "0x109", "Size": 1, "Format": "Integer"},
        {"Name": "WIDE", "Type": "Energy", "Offset": "0x110", "Size": 3, "IsSigned": True, "Format": "Integer"},
        {"Name": "LONG", "Type": "Energy", "Offset": "0x113", "Size": 4, "IsSigned": True, "Format": "Integer"},
        {"Name": "TOO_LONG", "Type": "Energy", "Offset": "0x120", "Size": 5, "Format": "Integer"},
    ],
    "MetricRegisters": [
        {"Name": "OPEN_TIME", "Type": "ValveOpenDuration", "Offset": "0x130", "Size": 2, "Scale": 60.0,
         "Format": "FixedPoint"},
    ],
    "StatusRegisters": [
        {"Name": "ALARM", "Offset": "0x200", "Bits": [
            {"Name": "PAN", "Type": "LeakDetectedCritical", "BitPosition": 3, "Value": True},
            {"Name": "ROPE", "Type": "LeakDetectedCritical", "BitPosition": 9, "Value": True},
            {"Name": "PUMP_1", "Type": "PumpFailure", "BitPosition": 0, "Value": True},
            {"Name": "READY", "Type": "ControllerFailure", "BitPosition": 15, "Value": False},
        ]},
        {"Offset": "0x201", "Bits": [
            {"Name": "EMPTY", "Type": "SensorReadingWarning", "BitPosition": 1, "Value": True},
            {"Name": "OLD", "Type": "FilterFailure", "BitPosition": 1, "Value": True},
        ]},
    ],
    "ConfigRegisters": [
        {"Type": "UnixTime", "Offset": "0x50", "Size": 2, "Period": 600},
        {"Name": "BACKUP_TIME", "Type": "Init", "Offset": "0x121", "Default": [90]},
    ],
}  # fmt: skip


@pytest.fixture
def imported(tmp_path):
    text, notes = import_phosphor(copy.deepcopy(MAP))
    (tmp_path / "profile.yaml").write_text(text, encoding="utf-8")
    return load_profile(tmp_path / "profile.yaml")[0], notes


def test_the_profile_says_what_the_map_said(imported):
    profile, _ = imported
    assert (profile.profile, profile.title) == ("cdu/acme_x900", "Acme X900 reservoir pump unit")
    options = profile.modbus
    assert (options.baud, options.parity, options.clock.address, options.clock.every) == (38400, "O", 0x50, 600)
    assert "rtu/profiles/AcmeX900ReservoirPumpUnit.json (Apache-2.0)" in profile.source
    assert not profile.is_judged
    signals = profile.signals
    shape = {name: (s.type, s.unit, s.precision, round(s.scale, 6), s.offset) for name, s in signals.items()}
    assert shape["inlet_temp"] == ("i16", "degC", 7, 1.0, 0.0)
    assert shape["pack_temp"] == ("u16", "degC", 0, 0.1, -273.15)
    assert shape["flow"] == ("f32", "L/min", 0, 2.0, 0.0)
    assert shape["fan"] == ("i32", "RPM", 0, 1.0, 0.0)
    assert shape["air"] == ("u16", "L/s", 0, 0.235974, 0.0)
    assert shape["angle"] == ("u16", "rad", 0, 0.001, 0.0)
    assert shape["torque"] == ("u16", "", 0, 1.0, 0.0)
    assert shape["wide"] == ("u48", "J", 0, 1.0, 0.0)
    assert shape["long"] == ("i64", "J", 0, 1.0, 0.0)
    assert shape["open_time"] == ("u32", "s", 0, 60.0, 0.0)
    assert signals["spare_part_number"].length == 8
    assert signals["part_number"].type == "u16"
    assert not {"too_long", "loader"} & set(signals)


def test_the_model_is_known_by_the_probe(imported):
    identity = imported[0].identity
    (rule,) = identity.match
    assert (rule.signal, rule.equals) == (("model",), "X900-A")
    assert (identity.model, identity.serial, identity.firmware) == ("model", "serial", "plc_fw_revision")


def test_alarms_keep_their_class_and_can_be_watched_by_it(imported):
    signals = imported[0].signals
    assert signals["alarm"].flags == {"pan": 3, "rope": 9, "pump_1": 0, "ready": 15}
    assert signals["alarm"].active_low == ("ready",)
    assert "leak detected critical: pan, rope; pump failure: pump_1" in signals["alarm"].description
    leak, pump = signals["alarm_leak_detected_critical"], signals["alarm_pump_failure"]
    assert (leak.address, leak.mask, leak.enum) == (0x200, 1 << 3 | 1 << 9, {"dry": 0, "wet": 1})
    assert (pump.mask, pump.enum) == (1, {"ok": 0, "failed": 1})
    assert "alarm_controller_failure" not in signals
    assert signals["status_201"].flags == {"empty_or_old": 1}
    assert signals["status_201_sensor_reading_warning"].enum == {"ok": 0, "warning": 1}


def test_what_cannot_be_expressed_is_named(imported):
    _, notes = imported
    for words in (
        ["FAN", "Integer", "ignored"],
        ["AIR", "CFM", "L/s"],
        ["TORQUE", "'Torque'", "no unit"],
        ["WIDE", "without a sign"],
        ["TOO_LONG", "5 registers"],
        ["CHARGE", "mAh"],
        ["LOADER", "left out"],
        ["BACKUP_TIME at 289", "[90]", "control"],
        ["ALARM", "[15]", "ControllerFailure", "when 0"],
        ["bit 1", "'EMPTY' and 'OLD'", "empty_or_old"],
        ["which unit"],
    ):
        assert any(all(word in note for word in words) for note in notes), (words, notes)
    assert len(notes) == 11


def theirs(entry, words):
    """What phosphor-modbus makes of the registers of a sensor."""
    data = b"".join(word.to_bytes(2, "big") for word in words)
    is_signed = entry.get("IsSigned", False) and len(words) != 3
    raw = (
        struct.unpack(">f", data)[0] if entry["Format"] == "Float32" else int.from_bytes(data, "big", signed=is_signed)
    )
    if entry["Format"] == "Integer":
        return float(raw)
    return entry.get("Shift", 0.0) + entry.get("Scale", 1.0) * raw / 2 ** entry.get("Precision", 0)


def test_values_over_the_wire_are_phosphors(imported):
    profile, _ = imported
    rng = random.Random(5)
    words = [rng.randrange(0x10000) for _ in range(0x300)]
    words[0x8:0x10] = [0x5839, 0x3030, 0x2D41, 0, 0, 0, 0, 0]
    words[0x102:0x104] = struct.unpack(">2H", struct.pack(">f", 77.125))

    async def main():
        network = MemoryNetwork()
        bank = ArrayBank((1,))
        bank.set_words(1, HOLDING, 0, words)
        listener = await MemoryHost(network).serve_stream(ModbusServer(bank).tcp)
        entry = DeviceEntry(profile=profile.profile, address=f"modbus+tcp://127.0.0.1:{listener.port}")
        device = DeviceBuilder(Clock(), Path(), network).make("dut", entry, profile)
        await device.open()
        names = [info.name.removeprefix("dut.") for info in device.signals]
        readings = dict(zip(names, await device.read(names), strict=True))
        await device.close()
        await listener.close()
        return readings

    readings = run(main, rate=math.inf)
    for entry in (*MAP["SensorRegisters"], *MAP["MetricRegisters"]):
        if entry["Name"] == "TOO_LONG":
            continue
        at, reading = int(entry["Offset"], 16), readings[entry["Name"].lower()]
        want = theirs(entry, words[at : at + entry["Size"]])
        got = reading.value / 0.4719474432 if entry["Type"] == "Airflow" else reading.value
        assert reading.is_good
        assert math.isclose(got, want, rel_tol=1e-9), entry
    assert readings["model"].text == "X900-A"
    assert (readings["alarm_leak_detected_critical"].text == "wet") == bool(words[0x200] & 0x0208)
    assert ("ready" in readings["alarm"].text.split("+")) == (not words[0x200] & 0x8000)
    assert convert(1.0, "rad", "deg") == pytest.approx(57.2957795)


def changed(**keys):
    return {**copy.deepcopy(MAP), **keys}


def test_a_probe_that_is_no_inventory_register_is_a_signal_of_its_own():
    text, _ = import_phosphor(changed(ProbeRegister={"Offset": "0x9", "Size": 2, "ExpectedValue": "ACME"}))
    assert 'match: [{signal: "probe", equals: "ACME"}]' in text
    assert 'probe: {address: 9, type: "string", length: 2, poll: "once"' in text


def test_a_number_as_probe_is_compared_as_a_number():
    text, _ = import_phosphor(changed(ProbeRegister={"Offset": "0x1B", "Size": 1, "ExpectedValue": 4}))
    assert 'match: [{signal: "part_number", equals: 4}]' in text


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([], "not a phosphor-modbus profile"),
        ({"registers": []}, "not a phosphor-modbus profile"),
        (changed(DeviceType="Kettle"), "DeviceType 'Kettle'"),
        (changed(Parity="Mark"), "Parity 'Mark'"),
        (changed(BaudRate="fast"), "'BaudRate' must be a whole number"),
        (changed(SensorRegisters={}), "SensorRegisters must be a list"),
        (changed(ProbeRegister={"Offset": "0x0", "Size": 1, "ExpectedValue": True}), "ExpectedValue"),
        (changed(ProbeRegister={"Offset": "xyz", "Size": 1, "ExpectedValue": 4}), "Offset must be an address"),
        (changed(ProbeRegister={"Offset": "0x10000", "Size": 1, "ExpectedValue": 4}), "Offset must be an address"),
        (changed(InventoryRegisters=[{"Type": "Model", "Offset": "0x0", "Size": 200}]), "Size 200"),
        (changed(SensorRegisters=[{**MAP["SensorRegisters"][0], "Format": "Text"}]), "Format 'Text'"),
        (changed(SensorRegisters=[{**MAP["SensorRegisters"][2], "Size": 1}]), "Float32 takes 2"),
        (changed(SensorRegisters=[{**MAP["SensorRegisters"][0], "Scale": math.nan}]), "Scale must be a number"),
        (changed(StatusRegisters=[{"Offset": "0x1", "Bits": []}]), "needs Bits"),
        (
            changed(StatusRegisters=[{"Offset": "0x1", "Bits": [{"Name": "A", "Type": "B", "BitPosition": 16}]}]),
            "BitPosition 16",
        ),
    ],
)
def test_what_is_no_map_is_refused(data, says):
    with pytest.raises(ConfigError, match=says):
        import_phosphor(data)


def test_the_command_takes_the_class_of_the_map_or_the_one_that_is_named(tmp_path):
    source, target = tmp_path / "map.json", tmp_path / "profile.yaml"
    source.write_text(json.dumps(MAP))
    result = CliRunner().invoke(command, ["import", "phosphor-modbus", str(source), "-o", str(target)])
    assert result.exit_code == 0, result.output
    assert load_profile(target)[0].class_ == "cdu"
    assert "note: ConfigRegisters: BACKUP_TIME" in result.stderr
    result = CliRunner().invoke(command, ["import", "phosphor-modbus", str(source), "--class", "valve"])
    assert "profile: valve/acme_x900" in result.output
