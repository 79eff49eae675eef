"""Rows, scales and units that are found on the device: what is read, what is left out, what is BAD."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.registry import load_profile
from harness.device.snmp.values import number
from harness.quantity import Quality
from harness.schema.station import DeviceEntry
from harness.transport.snmp import Kind, VarBind
from sim.network import MemoryNetwork
from sim.servers.host import MemoryHost
from sim.servers.snmp.mib import TableView
from sim.servers.snmp.responder import SnmpResponder

PROFILE = """\
schema: 1
profile: trial.yaml
title: Trial
class: pdu
protocol: snmp
source: made up
unverified: made up
parameters: {module: 2}
signals:
  total: {unit: W, sum_of: feed.power, description: Sum.}
  name: {oid: 1.3.6.1.4.1.9.5, type: text, first_row: true, between: ["SN: ", " "], poll: once, description: Serial.}
  light: {oid: 1.3.6.1.4.1.9.6.0, unit: dBm, unit_from: {oid: 1.3.6.1.4.1.9.7.0, words: {"6": W, "14": dBm}},
          digits: 1.3.6.1.4.1.9.8.0, sentinels: [-1], description: Optical power.}
  oil: {oid: 1.3.6.1.4.1.9.40.20, type: decimal_text, unit: degC, description: Bound by label and unit.,
        bind: {labels: 1.3.6.1.4.1.9.40.10, equals: [Oil, Fluid]},
        unit_from: {oid: 1.3.6.1.4.1.9.40.30, words: {deg C: degC, deg F: degF}}}
controls:
  oil_setpoint: {at_signal: oil, type: text, unit: degC, range: [0, 90], description: Setpoint.}
repeat:
  feed:
    count: 2
    walk: 1.3.6.1.4.1.9.1.*.5
    where: [{column: 1.3.6.1.4.1.9.2, one_of: ["{module}"], absent: true}]
    signals:
      power: {oid: "1.3.6.1.4.1.9.1.{i}.5", unit: W, digits: "1.3.6.1.4.1.9.3.{i}", sentinels: [-1], description: P.}
      unit_number: {oid: "1.3.6.1.4.1.9.4.{i.0}", description: Of the unit.}
  probe:
    count: 9
    walk: [1.3.6.1.4.1.9.20, 1.3.6.1.4.1.9.21]
    signals:
      value: {oid: "1.3.6.1.4.1.9.20.{i}", unit: degC, scale: 0.1, description: Temperature.,
              fallbacks: [{oid: "1.3.6.1.4.1.9.21.{i}", scale: 1}], range: [-40, 150],
              unit_from: {oid: 1.3.6.1.4.1.9.22.0, words: {"0": degC, "1": degF}}}
  loop:
    count: 3
    signals:
      hours: {oid: 1.3.6.1.4.1.9.40.20, type: decimal_text, optional: true, description: Named after its row.,
              bind: {labels: 1.3.6.1.4.1.9.40.10, equals: ["Loop {i} hours", "Loop {i} h"]}}
  point:
    count: 9
    walk: 1.3.6.1.4.1.9.40.10
    others: true
    signals:
      value: {oid: "1.3.6.1.4.1.9.40.20.{i}", type: decimal_text, description: The rest.}
"""
BASE = (1, 3, 6, 1, 4, 1, 9)
OBJECTS = {
    (1, 1, 7, 5): 1234, (1, 1, 7, 6): 999, (1, 1, 8, 5): 500, (1, 2, 1, 5): 7, (1, 1, 9, 5): 42,
    (2, 1, 7): 2, (2, 1, 8): 2, (2, 2, 1): 1,
    (3, 1, 7): 1, (3, 1, 8): 0, (3, 1, 9): 0,
    (4, 1): 11, (5, 31): b"MN:X SN: 4711 MD:1",
    (6, 0): 6322, (7, 0): 6, (8, 0): 7,
    (20, 3): 770, (21, 3): 50, (21, 12): 212, (22, 0): 1,
    (40, 10, 1, 5): b"oil", (40, 20, 1, 5): b"212.0 F", (40, 30, 1, 5): b"deg F",
    (40, 10, 1, 6): b"Oil", (40, 20, 1, 6): b"100.0", (40, 30, 1, 6): b"deg C",
    (40, 10, 1, 7): b"Hours", (40, 20, 1, 7): b"12", (40, 30, 1, 7): b"hr",
}  # fmt: skip


LOOPS = {
    (40, 10, 1, 8): b"Loop 3 h", (40, 20, 1, 8): b"33",
    (40, 10, 1, 9): b"loop 1 Hours", (40, 20, 1, 9): b"11",
}  # fmt: skip


def device_with(folder, changes=()):
    """What the trial profile reads of an agent with OBJECTS and changes: (device, readings by name)."""
    path = folder / "trial.yaml"
    path.write_text(PROFILE)
    profile, _ = load_profile(path)
    objects = {**OBJECTS, **dict(changes)}

    async def main():
        network = MemoryNetwork()
        view = TableView(
            ((*BASE, *oid), 4 if isinstance(v, bytes) else 2, v) for oid, v in objects.items() if v is not None
        )
        listener = await MemoryHost(network).serve_datagram(lambda: SnmpResponder(view))
        entry = DeviceEntry.model_validate({"profile": "trial.yaml", "address": f"snmp://a:{listener.port}"})
        device = DeviceBuilder(Clock(), Path(), network).make("it", entry, profile)
        await device.open()
        try:
            frame = await device.poll()
            names = [info.name.partition(".")[2] for info in device.signals]
            texts = {names[k]: text for k, text in frame.texts.items()}
            values = {
                name: (float(v), Quality(int(q)))
                for name, v, q in zip(names, frame.values, frame.qualities, strict=True)
            }
            control = device.expansion.controls["oil_setpoint"]
            sent = await device.link.commands(control, 45.0, "")
            return values, texts, list(device.events), sent, device.link.reading(device.expansion.signals["total"])
        finally:
            await device.close()
            await listener.close()

    return run(main, rate=math.inf)


def test_rows_scales_and_units_come_from_the_device(tmp_path):
    values, texts, events, sent, total = device_with(tmp_path, {(3, 1, 8): 1, (1, 1, 9, 5): None})
    good = {name: value for name, (value, quality) in values.items() if quality is Quality.GOOD}
    assert good["feed[1].power"] == pytest.approx(123.4)
    assert good["feed[2].power"] == pytest.approx(50.0)
    assert "feed[3].power" not in values, "the row of module 1 is not of module 2"
    assert good["total"] == pytest.approx(173.4)
    assert good["feed[2].unit_number"] == 11
    assert good["probe[1].value"] == pytest.approx(25.0), "77.0 degF, from the finer column"
    assert good["probe[2].value"] == pytest.approx(100.0), "212 degF, from the coarser column with its own scale"
    assert good["light"] == pytest.approx(10 * math.log10(0.6322), abs=1e-6)
    assert texts["name"] == "4711"
    assert good["oil"] == 100.0, "the row in degC is taken"
    assert "point[3].value" not in values
    assert good["point[2].value"] == 12.0
    assert (sent[0].oid, sent[0].text) == ("1.3.6.1.4.1.9.40.20.1.6", "45")
    assert (total.type, total.factor, len(total.join)) == ("sum", 0.1, 1)
    assert events == []


def test_more_rows_than_the_profile_counts_are_told(tmp_path):
    values, _, events, *_ = device_with(tmp_path, {(3, 1, 7): 0})
    assert "feed[3].power" not in values
    assert len(events) == 1
    assert "1 rows more" in events[0]


def test_a_part_that_is_no_measurement_makes_the_sum_none(tmp_path):
    values, *_ = device_with(tmp_path, {(1, 1, 8, 5): -1, (1, 1, 9, 5): None, (3, 1, 8): 1})
    assert values["feed[2].power"][1] is Quality.BAD_SENTINEL
    assert values["total"][1] is Quality.BAD_SENTINEL


def test_a_sentinel_is_the_raw_number_and_no_light_is_no_level(tmp_path):
    values, *_ = device_with(tmp_path, {(6, 0): -1, (3, 1, 8): 1, (1, 1, 8, 5): -10, (1, 1, 9, 5): None})
    assert values["light"][1] is Quality.BAD_SENTINEL
    assert values["feed[2].power"] == (pytest.approx(-1.0), Quality.GOOD), "-10 with one digit is -1, not `absent`"
    values, *_ = device_with(tmp_path, {(6, 0): 0, (3, 1, 8): 1, (1, 1, 9, 5): None})
    assert values["light"][1] is Quality.BAD_RANGE


def test_an_unknown_unit_is_not_guessed(tmp_path):
    values, *_ = device_with(tmp_path, {(22, 0): 9, (7, 0): 3, (3, 1, 8): 1, (1, 1, 9, 5): None})
    assert values["probe[1].value"][1] is not Quality.GOOD
    assert values["light"][1] is not Quality.GOOD


def test_only_a_row_in_another_unit_is_converted_and_written_back_in_it(tmp_path):
    values, _, _, sent, _ = device_with(
        tmp_path, {(40, 10, 1, 6): b"Other", (3, 1, 8): 1, (1, 1, 9, 5): None, (20, 3): None}
    )
    assert values["oil"] == (pytest.approx(100.0), Quality.GOOD)
    assert (sent[0].oid, sent[0].text) == ("1.3.6.1.4.1.9.40.20.1.5", "113")
    assert values["probe[1].value"][0] == pytest.approx(10.0), "50 degF"


def test_a_label_may_name_the_row(tmp_path):
    values, *_ = device_with(tmp_path, {(3, 1, 8): 1, (1, 1, 9, 5): None, **LOOPS})
    assert values["loop[1].hours"] == (11.0, Quality.GOOD)
    assert values["loop[3].hours"] == (33.0, Quality.GOOD)
    assert "loop[2].hours" not in values


@pytest.mark.parametrize(
    ("text", "unit", "scale", "value"),
    [
        (b"12.5", "degC", 1.0, 12.5),
        (b"12.5 C", "degC", 1.0, 12.5),
        (b"12.5 deg C\0\0", "degC", 1.0, 12.5),
        (b"12.5\0\0", "V", 1.0, 12.5),
        (b"5 kW", "kW", 1.0, 5.0),
        (b"5 kW", "W", 1000.0, 5.0),
        (b"5 kW", "W", 1.0, math.nan),
        (b"95 deg F", "degC", 1.0, math.nan),
        (b"5 MW", "mW", 1.0, math.nan),
        (b"12 .5 V", "V", 1.0, math.nan),
        (b"12 -", "A", 1.0, math.nan),
        (b"5 \0garb", "V", 1.0, math.nan),
        (b"12 500 W", "W", 1.0, math.nan),
        (b"12 V", "", 1.0, math.nan),
        (b" ", "V", 1.0, math.nan),
        (b"", "V", 1.0, math.nan),
    ],
)
def test_a_text_is_a_number_only_with_nothing_else_behind_it_than_its_unit(text, unit, scale, value):
    answer = VarBind("1.3", Kind.OCTET_STRING, text)
    assert number(answer, "decimal_text", unit, scale) == pytest.approx(value, nan_ok=True)
