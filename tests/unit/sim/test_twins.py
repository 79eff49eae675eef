"""Twins: encoding of registers, bindings to the plant, and what a write means, without a socket."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.device.protocol import protocol
from harness.errors import ConfigError
from harness.schema.profiles.modbus import ModbusSignal
from harness.schema.source import parse_source, validate
from sim.physics import Plant
from sim.rack import make_sources
from sim.servers.modbus_bank import ModbusFault
from sim.servers.snmp.values import COUNTER64, INTEGER, OCTETS, Value
from sim.station_faults import StationFault, fault_names, parse_fault
from sim.twin import unit_of
from sim.twins.image import Column, from_words, string_words, to_words
from sim.twins.modbus import ModbusBank
from sim.twins.points import Twin, controls, points
from sim.twins.scpi import instrument
from sim.twins.snmp import SnmpObjects

MODBUS = """
schema: 1
profile: cdu/test
title: Test
class: cdu
protocol: modbus
source: made up for this test
unverified: made up
parameters: {pump: 2}
modbus: {unit: 9, order: CDAB, address_base: 1}
identity: {match: [{signal: model, one_of: [M7, M8]}], model: model}
signals:
  model: {address: 1, type: string, length: 4, swap_string: true}
  flow: {address: 11, type: f32, unit: m3/h, sim: loop.flow}
  pressure: {address: 13, type: i16, unit: bar, scale: 0.01, offset: -1, sim: loop.return_pressure}
  energy: {address: 14, type: u64, unit: kWh, scale: 0.001, sim: 1234567.891}
  digits: {address: 18, type: bcd32, sim: 20391}
  speed: {address: 20, type: i16, sign: magnitude, unit: "%", sim: -5}
  words: {address: 21, flags: {wet: 3, idle: 0}, active_low: [idle], sim: {flags: {wet: {of: loop.flow, above: 9}}}}
  input_word: {address: 31, table: input, sim: 77}
  coil:
    {address: 41, table: coil, type: bool, enum: {"off": 0, "on": 1}, sim: {of: pump.run, words: {"off": 0, "on": 1}}}
  unbound: {address: 50, unit: degC, range: [30, 90], scale: 0.5}
  broken: {address: 51, type: i16, unit: kPa, sentinels: [-32768], sim: loop.supply_pressure}
controls:
  run: {address: 41, table: coil, type: bool, commands: {"on": 1, "off": 0}, sim: pump.run}
  setpoint: {address: 61, type: f32, unit: m3/h, range: [1, 20], sim: flow.setpoint}
  mode: {address: 70, mask: 12, commands: {manual: 4, auto: 8}, sim: pump.mode, sim_words: {manual: 0, auto: 1}}
  locked: {address: 72, unlock: [{address: 71, value: 5}], unit: degC, scale: 0.1, sim: supply_temperature.setpoint}
repeat:
  pump:
    count: 3
    signals:
      rpm: {address: 80, stride: 10, unit: RPM, sim: "pump[{i}].rpm"}
"""

SNMP = """
schema: 1
profile: pdu/test
title: Test
class: pdu
protocol: snmp
source: made up for this test
unverified: made up
parameters: {module: 4}
signals:
  energy: {oid: "1.3.6.1.4.1.9999.1.{module}", unit: J, type: decimal_text, sim: 0.5}
  flow: {oid: 1.3.6.1.4.1.9999.2, unit: L/s, digits: 1.3.6.1.4.1.9999.3, sim: loop.flow,
         bind: {labels: 1.3.6.1.4.1.9999.4, equals: [Coolant flow]}}
repeat:
  outlet:
    count: 12
    first: 0
    control:
      command_oids: {"on": {oid: "1.3.6.1.4.1.9999.5.{i}", value: 0}, "off": {oid: "1.3.6.1.4.1.9999.6.{i}", value: 0}}
      sim: "outlet[{i}]"
      sim_words: {"on": 1, "off": 0}
    signals:
      state:
        oid: "1.3.6.1.4.1.9999.7.{i}"
        enum: {"on": 7, "off": 8}
        sim: {of: "outlet[{i}].state", words: {"on": 1, "off": 0}}
      octets: {oid: "1.3.6.1.4.1.9999.8.{i}", counter: 64, sim: 5}
"""


def twin_of(text, **options):
    source = parse_source(text.encode(), "profile.yaml")
    plant = Plant(seed=3)
    sources = make_sources(plant)
    sources.now = lambda: plant.time
    return Twin("dev", validate(source, protocol(source.data["protocol"]).part("profile")), sources, **options), plant


def words_of(bank, at, count, table=3):
    data = bank.read(9, table, at, count)
    return list(struct.unpack(f">{count}H", data))


@given(st.integers(-(2**31), 2**31 - 1), st.sampled_from(["ABCD", "CDAB", "BADC", "DCBA"]))
def test_integers_are_laid_out_as_the_order_says(value, order):
    a, b, c, d = struct.pack(">i", value)
    expected = {"ABCD": (a, b, c, d), "CDAB": (c, d, a, b), "BADC": (b, a, d, c), "DCBA": (d, c, b, a)}[order]
    words = to_words(value, "i32", order)
    assert b"".join(word.to_bytes(2, "big") for word in words) == bytes(expected)
    assert from_words(words, "i32", order) == value


@given(st.floats(width=32, allow_nan=False), st.sampled_from(["ABCD", "CDAB", "BADC", "DCBA"]))
def test_floats_come_back(value, order):
    assert from_words(to_words(value, "f32", order), "f32", order) == value


def test_64_bits_keep_the_order_of_words():
    assert to_words(0x0102030405060708, "u64", "ABCD") == [0x0102, 0x0304, 0x0506, 0x0708]
    assert to_words(0x0102030405060708, "u64", "DCBA") == [0x0807, 0x0605, 0x0403, 0x0201]
    assert to_words(1.5, "f64", "CDAB") == [0, 0, 0, 0x3FF8]
    assert string_words("ABC", 2, swap=False) == [0x4142, 0x4300]
    assert string_words("ABC", 2, swap=True) == [0x4241, 0x0043]


def test_a_column_clips_and_marks_what_is_absent():
    spec = ModbusSignal(address=0, type="i16", scale=0.1, sentinels=(32767,))
    column = Column.of([(at, spec, False) for at in range(4)])
    image = np.zeros(8, np.uint16)
    column.encode(np.array([-1.26, 9999.0, float("nan"), 0.04]), image)
    assert image.tolist() == [65536 - 13, 32766, 32767, 0, 0, 0, 0, 0]


def test_registers_follow_the_profile():
    twin, plant = twin_of(MODBUS)
    bank = ModbusBank(twin, 9)
    assert bank.read(9, 3, 0, 4)[:4] == b"7M\0\0"
    low, high = words_of(bank, 10, 2)
    (flow,) = struct.unpack(">f", struct.pack(">HH", high, low))
    assert flow == pytest.approx(plant.truth("loop.flow") * 0.06, rel=0.03)
    (raw,) = words_of(bank, 12, 1)
    assert raw * 0.01 - 1 == pytest.approx(plant.truth("loop.return_pressure") / 100, abs=0.03)
    words = words_of(bank, 13, 4)
    assert sum(word << 16 * n for n, word in enumerate(words)) == 1234567891
    assert words_of(bank, 17, 2) == [0x0391, 0x0002]
    assert words_of(bank, 19, 1) == [0x8005]
    assert words_of(bank, 20, 1) == [1 << 3 | 1]
    assert words_of(bank, 30, 1, table=4) == [77]
    assert bank.read(9, 1, 40, 1) == b"\x01"
    assert words_of(bank, 49, 1) == [60], "an unbound temperature is plausible and in range"
    assert words_of(bank, 79, 1) == [round(plant.sensed("pump[1].rpm"))]
    assert words_of(bank, 99, 1) == [0], "the plant has no third pump"
    plant.inject("sensor_nan", "loop.supply_pressure")
    plant.advance(1.0)
    assert words_of(bank, 50, 1) == [0x8000]
    with pytest.raises(ModbusFault) as fault:
        bank.read(9, 3, 200, 10)
    assert fault.value.code == 2
    with pytest.raises(ModbusFault) as fault:
        bank.read(8, 3, 10, 1)
    assert fault.value.code == 0x0B


def test_writes_move_the_plant_only_when_all_of_them_are_right():
    twin, plant = twin_of(MODBUS)
    bank = ModbusBank(twin, 9)
    bank.write(9, 1, 40, b"\0", 1)
    assert plant.loop.run is False
    high, low = struct.unpack(">HH", struct.pack(">f", 6.0))
    bank.write(9, 3, 60, struct.pack(">HH", low, high), 2)
    assert plant.loop.flow_setpoint == pytest.approx(100.0)
    assert words_of(bank, 60, 2) == [low, high]
    bank.write(9, 3, 69, struct.pack(">H", 0x8004), 1)
    assert plant.loop.mode == 0
    assert words_of(bank, 69, 1) == [0x8004]
    bank.write(9, 3, 70, struct.pack(">HH", 5, 415), 2)
    assert plant.loop.supply_setpoint == pytest.approx(41.5)
    for at, values, code in ((60, (low,), 3), (60, (0, 0), 3), (71, (9000,), 3), (12, (1,), 2), (71, (300, 1), 2)):
        with pytest.raises(ModbusFault) as fault:
            bank.write(9, 3, at, struct.pack(f">{len(values)}H", *values), len(values))
        assert fault.value.code == code
    assert plant.loop.supply_setpoint == pytest.approx(41.5)
    twin.refuses = True
    with pytest.raises(ModbusFault) as fault:
        bank.read(9, 3, 10, 1)
    assert fault.value.code == 4


def test_objects_follow_the_profile():
    twin, plant = twin_of(SNMP, counts={"outlet": 11})
    view = SnmpObjects(twin).view
    base = (1, 3, 6, 1, 4, 1, 9999)
    assert view.get((*base, 1, 4)) == Value(OCTETS, b"0.5")
    (row, label) = view.next((*base, 4))
    assert label == Value(OCTETS, b"Coolant flow")
    flow = view.get((*base, 2, *row[len(base) + 1 :]))
    assert view.get((*base, 3, *row[len(base) + 1 :])) == Value(INTEGER, 2)
    assert flow.value / 100 == pytest.approx(plant.truth("loop.flow") / 60, rel=0.03)
    assert view.get((*base, 7, 2)) == Value(INTEGER, 8)
    assert view.get((*base, 7, 10)) == Value(INTEGER, 8), "beyond the plant: off"
    assert view.get((*base, 7, 11)) is None, "the station says that there are 11"
    assert view.get((*base, 8, 0)) == Value(COUNTER64, 5)
    assert view.set((*base, 5, 2), Value(INTEGER, 1)) == 10
    assert view.set((*base, 5, 2), Value(INTEGER, 0)) == 0
    plant.advance(3.0)
    assert view.get((*base, 7, 2)) == Value(INTEGER, 7)
    assert plant.truth("outlet[2].state") == 1.0
    assert view.set((*base, 6, 2), Value(INTEGER, 0)) == 0
    plant.advance(6.0)
    assert plant.truth("outlet[2].state") == 0.0


def test_a_binding_to_nothing_names_the_nearest():
    twin, _ = twin_of(MODBUS.replace("sim: loop.flow}", "sim: loop.flwo}"))
    with pytest.raises(ConfigError, match=r"loop\.flow"):
        points(twin)


def test_a_repetition_is_written_out_with_its_controls():
    twin, _ = twin_of(SNMP)
    assert [name for name, *_ in controls(twin)][:2] == ["outlet[1]", "outlet[2]"], (
        "names count from 1, whatever the index"
    )
    assert len([name for name in points(twin) if name.endswith(".state")]) == 12


SCPI = """
schema: 1
profile: load/test
title: Test
class: load
protocol: scpi
source: made up for this test
unverified: made up
scpi: {at_open: ["*CLS", "SYST:REM"]}
signals:
  model: {query: "*IDN?", parse: field, index: 1, sim: {text: L9}}
  power: {query: "MEAS:ALL?", parse: list, index: 2, unit: W, scale: 1000, sim: rack.power}
  voltage: {query: "MEAS:ALL?", parse: list, index: 0, unit: mV, sim: bus.voltage}
controls:
  current: {set: "CURR {value}", unit: mA, range: [0, 50000], sim: eload.current}
"""


def test_queries_share_one_answer():
    twin, plant = twin_of(SCPI)
    device = instrument(twin)
    plant.command("outlet[1]", 1)
    plant.advance(5.0)
    voltage, gap, power = (float(text) for text in device.handle("MEAS:ALL?").split(","))
    assert voltage == pytest.approx(1000 * plant.truth("bus.voltage"), rel=0.01)
    assert gap == 0
    assert power * 1000 == pytest.approx(plant.truth("rack.power"), rel=0.03)
    assert device.handle("SYST:REM") is None
    device.handle("CURR 12500")
    assert plant.eload.setpoint == 12.5
    assert device.handle("SYST:ERR?").startswith("0,")
    device.handle("CURR 60000")
    assert device.handle("SYST:ERR?").startswith("-222,")
    twin.refuses = True
    assert device.handle("MEAS:ALL?") is None
    assert device.handle("SYST:ERR?").startswith("-200,")


COMPOUND = """
schema: 1
profile: load/test
title: Test
class: load
protocol: scpi
source: made up for this test
unverified: made up
scpi: {at_open: ["*CLS", "SYST:LANG SCPI;:SYST:REM"]}
repeat:
  channel:
    count: 3
    first: 4
    signals:
      temperature: {query: "CHAN {i};:MEAS:TEMP?", unit: degC, sim: {value: 20}}
      speed: {query: "CHAN {i};:SPEED?", unit: "%", sim: "pump[1].speed"}
    controls:
      outlet:
        texts: {"on": "CHAN {i};:OUTP ON", "off": "CHAN {i};:OUTP OFF"}
        sim: "outlet[{i}]"
        sim_words: {"on": 1, "off": 0}
      duty: {set: "CHAN {i};:DUTY {value}", unit: "%", range: [0, 100], sim: "pump[1].speed"}
"""


def test_compound_lines_mean_their_own_channel():
    twin, plant = twin_of(COMPOUND)
    device = instrument(twin)
    assert device.handle("SYST:LANG SCPI;:SYST:REM") is None
    assert float(device.handle("CHAN 6;:MEAS:TEMP?")) == 20.0
    device.handle("chan 5;:outp on")
    device.handle("CHAN 4;:DUTY 33.5")
    plant.advance(3.0)
    assert [plant.truth(f"outlet[{n}].state") for n in (4, 5, 6)] == [0.0, 1.0, 0.0]
    assert plant.loop.duty[0] == pytest.approx(0.335)
    assert device.handle("SYST:ERR?").startswith("0,")
    device.handle("CHAN 4;:DUTY 101")
    assert device.handle("SYST:ERR?").startswith("-222,")
    device.handle("CHAN 9;:OUTP ON")
    assert device.handle("SYST:ERR?").startswith("-113,")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("filter_clog", StationFault("filter_clog")),
        ("device_silent:cdu@10s", StationFault("device_silent", "cdu", 10.0)),
        ("outlet_stuck:3@5", StationFault("outlet_stuck", "3", 5.0)),
        ("sensor_offset:cdu.flow=-2@1 h 30 min", StationFault("sensor_offset", "cdu.flow=-2", 5400.0)),
    ],
)
def test_faults_are_written_name_argument_time(text, expected):
    assert parse_fault(text) == expected


def test_every_fault_is_described():
    assert all(text and text != "a fault of the plant" for text in fault_names().values())
    with pytest.raises(ConfigError, match="filter_clog"):
        parse_fault("filter_clogged")


class Entry:
    def __init__(self, address):
        self.address = address


@pytest.mark.parametrize(
    ("address", "unit"),
    [
        ("modbus+tcp://10.0.0.12:502/12", 12),
        ("modbus+rtu:///dev/ttyUSB0?baud=115200&parity=E/200", 200),
        ("modbus+tcp://10.0.0.12", 9),
    ],
)
def test_the_unit_stands_in_the_address(address, unit):
    twin, _ = twin_of(MODBUS)
    assert unit_of(Entry(address), twin.profile) == unit
