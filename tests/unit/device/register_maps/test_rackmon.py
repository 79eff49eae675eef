"""Import of rackmon maps: every key, and values equal to rackmon's own formulas, over the wire and from the twin."""

from __future__ import annotations

import asyncio
import json
import math
import random
from pathlib import Path

import pytest

import sim
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.register_maps.rackmon import import_rackmon
from harness.device.register_maps.writing import identifier
from harness.device.registry import load_profile
from harness.errors import ConfigError
from harness.quantity import Quality
from harness.schema.station import DeviceEntry, Station
from sim.network import MemoryNetwork
from sim.servers.host import MemoryHost
from sim.servers.modbus import ModbusServer
from sim.servers.modbus_bank import HOLDING
from sim.twins.points import points
from tests.tools.array_bank import ArrayBank

MAP = {
    "name": "ORV9_TEST_UNIT",
    "address_range": [[70, 75], [80, 80]],
    "probe_register": 999,
    "baudrate": 115200,
    "parity": "ODD",
    "max_span_length": 16,
    "time_sync": {"address": 900, "interval": 1800},
    "special_handlers": [
        {"reg": 910, "len": 2, "period": 3600, "action": "write",
         "info": {"interpret": "INTEGER", "shell": "date +%s"}},
        {"reg": 912, "len": 1, "period": 30, "action": "write", "info": {"interpret": "INTEGER", "value": "7"}},
        {"reg": 913, "len": 2, "action": "write", "info": {"interpret": "STRING", "value": "go"}},
    ],
    "registers": [
        {"begin": 0, "length": 4, "name": "MFR_Model", "format": "STRING"},
        {"begin": 4, "length": 3, "name": "Raw Bytes!", "keep": 10, "changes_only": True},
        {"begin": 8, "length": 1, "name": "Uptime", "format": "INTEGER", "interval": 1},
        {"begin": 9, "length": 2, "name": "Big_Counter", "format": "INTEGER"},
        {"begin": 11, "length": 2, "name": "Little", "format": "INTEGER", "endian": "L", "sign": True},
        {"begin": 13, "length": 1, "name": "Little_Word", "format": "INTEGER", "endian": "L"},
        {"begin": 14, "length": 4, "name": "Long", "format": "LONG", "sign": True},
        {"begin": 18, "length": 3, "name": "48_Bits", "format": "INTEGER"},
        {"begin": 21, "length": 1, "name": "Temp", "format": "FLOAT", "precision": 0, "scale": 0.1, "shift": -273.15,
         "unit": "DegreesC", "interval": 60},
        {"begin": 22, "length": 1, "name": "Current", "format": "FLOAT", "precision": 6, "sign": True,
         "unit": "Amperes"},
        {"begin": 23, "length": 2, "name": "Power", "format": "FLOAT", "precision": 3, "endian": "L", "unit": "Watts"},
        {"begin": 25, "length": 1, "name": "Fan_Air", "format": "FLOAT", "precision": 1, "unit": "CFM"},
        {"begin": 26, "length": 1, "name": "Pressure", "format": "FLOAT", "precision": 0, "scale": 0.1,
         "unit": "Pascals"},
        {"begin": 27, "length": 1, "name": "Status", "format": "FLAGS",
         "flags": [[0, "Fan Fail"], [15, "off"], [3, "Fan_Fail"]]},
        {"begin": 28, "length": 2, "name": "Wide", "format": "FLAGS", "flags": [[0, "low"], [31, "top"]]},
        {"begin": 30, "length": 5, "name": "Very_Wide", "format": "FLAGS", "flags": [[1, "a"], [33, "b"], [79, "c"]]},
        {"begin": 40, "length": 1, "name": "Clear_Leak", "format": "INTEGER"},
        {"begin": 40, "length": 1, "name": "Clear_Log", "format": "INTEGER"},
        {"begin": 41, "length": 1, "name": "Clear_Log", "format": "INTEGER", "unit": "Percent"},
        {"begin": 45, "length": 6, "name": "Too_Long", "format": "INTEGER"},
    ],
}  # fmt: skip


def combined(words, *, little=False, sign=False):
    """rackmon's combineRegister: big-endian, or all bytes turned round; two's complement over the whole length."""
    data = b"".join(word.to_bytes(2, "big") for word in words)
    return int.from_bytes(data, "little" if little else "big", signed=sign)


def expected(register, words):
    """What rackmon would report of a register."""
    kind = register.get("format", "RAW")
    if kind == "RAW" or len(words) > 4:
        return b"".join(word.to_bytes(2, "big") for word in words).hex()
    if kind == "STRING":
        return b"".join(word.to_bytes(2, "big") for word in words).split(b"\0")[0].decode("latin-1").strip()
    sign = register.get("sign", False)
    if kind == "FLOAT":
        raw = combined(words, sign=sign)
        return register.get("shift", 0.0) + register.get("scale", 1.0) * raw / 2 ** register["precision"]
    return combined(words, little=register.get("endian") == "L", sign=sign)


@pytest.fixture
def imported(tmp_path):
    text, notes = import_rackmon(json.loads(json.dumps(MAP)), "shelf")
    path = tmp_path / "profile.yaml"
    path.write_text(text, encoding="utf-8")
    profile, _ = load_profile(path)
    return profile, notes


def test_the_profile_says_what_the_map_said(imported):
    profile, _ = imported
    options = profile.modbus
    assert (profile.profile, profile.title) == ("shelf/orv9_test_unit", "ORV9_TEST_UNIT")
    assert (options.unit, options.baud, options.parity, options.max_span, options.max_gap) == (70, 115200, "O", 16, 0)
    assert (options.clock.address, options.clock.every) == (900, 1800)
    assert (options.watchdog.address, options.watchdog.value, options.watchdog.every) == (912, 7, 30)
    assert profile.identity.model == "mfr_model"
    assert profile.signals["probe"].address == 999
    assert profile.signals["temp"].unit == "degC"
    assert profile.signals["temp"].poll == "slow"
    assert profile.signals["uptime"].poll == "fast"
    assert profile.signals["status"].flags == {"fan_fail": 0, "off": 15, "fan_fail_2": 3}
    assert {profile.signals[name].address for name in ("clear_leak", "clear_log")} == {40}
    assert profile.signals["clear_log_2"].address == 41
    wide = {name: (s.address, s.flags) for name, s in profile.signals.items() if name.startswith("very_wide")}
    assert wide == {
        "very_wide_bits_0": (33, {"a": 1}),
        "very_wide_bits_32": (31, {"b": 1}),
        "very_wide_bits_64": (30, {"c": 15}),
    }


def test_what_cannot_be_expressed_is_named(imported):
    _, notes = imported
    for words in (
        ["address_range", "70-75, 80"],
        ["910", "date +%s", "never taken over"],
        ["913", "'go'", "cannot be expressed"],
        ["Power at 23", "endian L", "ignored"],
        ["Fan_Air", "'CFM'"],
        ["Pressure", "kPa"],
        ["Clear_Log at 40", "'clear_leak'", "both are kept"],
        ["Clear_Log at 41", "clear_log_2"],
        ["'Fan_Fail' twice", "fan_fail_2"],
        ["Very_Wide at 30", "one signal for every 2 words"],
        ["Too_Long at 45", "raw bytes"],
        ["keep (of 1 registers)"],
        ["changes_only (of 1 registers)"],
        ["interval (1 s, 60 s)"],
        ["identity", "address only"],
    ):
        assert any(all(word in note for word in words) for note in notes), (words, notes)


def test_values_over_the_wire_are_rackmons(imported):
    profile, _ = imported
    rng = random.Random(11)
    words = [rng.randrange(0x10000) for _ in range(1000)]
    words[0:4] = [0x4F52, 0x5639, 0x2D37, 0x0041]

    async def main():
        network = MemoryNetwork()
        bank = ArrayBank((70,))
        bank.set_words(70, HOLDING, 0, words)
        listener = await MemoryHost(network).serve_stream(ModbusServer(bank).tcp)
        clock = Clock()
        entry = DeviceEntry(profile=profile.profile, address=f"modbus+tcp://127.0.0.1:{listener.port}")
        device = DeviceBuilder(clock, Path(), network).make("dut", entry, profile)
        await device.open()
        frame = await device.poll()
        assert (frame.qualities == Quality.GOOD).all()
        place = {info.name.removeprefix("dut."): k for k, info in enumerate(device.signals)}
        seen = 0
        for register in MAP["registers"]:
            if register["name"] in ("Very_Wide", "Clear_Log"):
                continue
            at = register["begin"]
            want = expected(register, words[at : at + register["length"]])
            k = place[identifier(register["name"])]
            got = frame.texts[k] if isinstance(want, str) else frame.values[k]
            assert got == want if isinstance(want, str) else math.isclose(got, want, rel_tol=1e-12), register
            seen += 1
        assert seen == 17
        assert frame.values[place["very_wide_bits_32"]] == words[31] << 16 | words[32]
        assert frame.values[place["clear_log_2"]] == words[41]
        written = bank.read(70, HOLDING, 912, 1)
        assert written == b"\0\7"
        await device.close()
        await listener.close()

    run(main, rate=math.inf)


def test_it_simulates_and_reads_back_equal(imported):
    profile, _ = imported

    async def main():
        entry = {"profile": profile.profile, "address": "modbus+tcp://127.0.0.1:1502/70"}
        station = Station.model_validate({"schema": 1, "station": "one", "devices": {"dut": entry}})
        simulation = await sim.start(station, {profile.profile: profile}, virtual=True)
        device = DeviceBuilder(Clock(), Path(), simulation.network).make(
            "dut", station.devices["dut"], profile, simulation.addresses["dut"]
        )
        await device.open()
        frame = await device.poll()
        assert (frame.qualities == Quality.GOOD).all()
        twins = points(simulation.devices["dut"].twin)
        for k, info in enumerate(device.signals):
            point = twins[info.name.removeprefix("dut.")]
            if info.name in ("dut.clear_leak", "dut.clear_log") or point.text is not None:
                continue
            step = abs(point.spec.scale) / 2**point.spec.precision
            highest = point.spec.offset + step * (2.0 ** (16 * point.spec.words_long) - 1)
            assert frame.values[k] == pytest.approx(min(point.number(), highest), abs=step), info.name
        await asyncio.sleep(61)
        await device.poll()
        await device.close()
        await simulation.close()

    run(main, rate=math.inf)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([], "not a rackmon register map"),
        ({"name": "X", "registers": []}, "not a rackmon register map"),
        ({"registers": [{"begin": 1, "length": 1, "name": "a"}]}, "'name' must be a text"),
        ({"name": "X", "registers": [{"begin": "1", "length": 1, "name": "a"}]}, "'begin' must be a whole number"),
        ({"name": "X", "registers": [{"begin": 1, "length": 1, "name": "a", "format": "WHAT"}]}, "format 'WHAT'"),
        ({"name": "X", "registers": [{"begin": 1, "length": 1, "name": "a", "format": "FLOAT"}]}, "'precision'"),
        ({"name": "X", "registers": [{"begin": 1, "length": 1, "name": "a", "format": "FLAGS"}]}, "needs flags"),
        ({"name": "X", "parity": "MARK", "registers": [{"begin": 1, "length": 1, "name": "a"}]}, "parity"),
    ],
)
def test_what_is_no_map_is_refused(data, says):
    with pytest.raises(ConfigError, match=says):
        import_rackmon(data)


def test_units_in_names_are_told_and_never_taken_over(tmp_path):
    names = ["Coolant_Temp_C", "Outlet_Temp_C", "Supply_P_kPa", "Flow_LPM", "Fan_PWM_TACH_Pct", "Pump1_TACH_RPM",
             "Hum_Pct_RH", "Total_W", "HEX_Input_Current_V", "Pump_Status", "Total_Up_Time"]  # fmt: skip
    registers = [{"begin": 10 + k, "length": 1, "name": name, "format": "INTEGER"} for k, name in enumerate(names)]
    registers.append({"begin": 90, "length": 1, "name": "Sump_Temp_C", "format": "INTEGER", "unit": "DegreesC"})
    text, notes = import_rackmon({"name": "X", "address_range": [[1, 1]], "registers": registers}, "cdu")
    assert text.count("unit: ") == 2, "the one that the map states, and the address of the device"
    said = "\n".join(notes)
    for line in (
        "2 names speak of degC: add `unit: degC` to Coolant_Temp_C, Outlet_Temp_C",
        "1 names speak of kPa: add `unit: kPa` to Supply_P_kPa",
        "add `unit: L/min` to Flow_LPM",
        "add `unit: %` to Fan_PWM_TACH_Pct",
        "add `unit: RPM` to Pump1_TACH_RPM",
        "add `unit: %RH` to Hum_Pct_RH",
        "add `unit: W` to Total_W",
        "HEX_Input_Current_V: the name ends with V and speaks of a current",
        "none in the name, of Pump_Status, Total_Up_Time",
    ):
        assert line in said, (line, said)
    assert "Sump_Temp_C" not in said


def test_two_words_of_one_bit_become_one_that_says_both(tmp_path):
    flags = [[11, "BBU not_insert"], [14, "BBU protection"], [11, "BBU eol"]]
    register = {"begin": 1, "length": 1, "name": "Status", "format": "FLAGS", "flags": flags}
    text, notes = import_rackmon({"name": "X", "address_range": [[1, 1]], "registers": [register]})
    (tmp_path / "p.yaml").write_text(text)
    profile, _ = load_profile(tmp_path / "p.yaml")
    assert profile.signals["status"].flags == {"bbu_not_insert_or_bbu_eol": 11, "bbu_protection": 14}
    assert any("bit 11 is 'BBU not_insert' and 'BBU eol'" in note for note in notes)
