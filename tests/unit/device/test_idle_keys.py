"""Keys that others beside them leave nothing to do are refused, where they stand and with the reason."""

from __future__ import annotations

import pytest

from harness.device.registry import known_profiles, load_profile
from harness.schema.problems import ProblemsError

HEAD = """\
schema: 1
profile: own/box
title: Box
class: meter
protocol: PROTOCOL
source: made up
unverified: made up
"""
PLACES = {"modbus": "address: 1", "snmp": "oid: 1.3.6.1.9.1", "scpi": 'query: "X?"', "redfish": "path: /r, pointer: /X"}
WORDS = "commands: {go: 1}"
ROW = "repeat:\n  row: {{count: 2, signals: {{x: {{{spec}}}}}}}\n"


def load(folder, protocol: str, body: str) -> None:
    path = folder / "profile.yaml"
    path.write_text(HEAD.replace("PROTOCOL", protocol) + body)
    load_profile(path)


def signal(protocol: str, keys: str) -> str:
    return f"signals:\n  x: {{{PLACES[protocol]}, {keys}}}\n"


def control(spec: str) -> str:
    return f"controls:\n  x: {{{spec}}}\n"


IDLE = [
    ("modbus", signal("modbus", "type: string, length: 2, scale: 2"), "scale"),
    ("modbus", signal("modbus", "type: string, length: 2, sentinels: [1]"), "sentinels"),
    ("modbus", signal("modbus", "enum: {a: 1}, unit: kW"), "unit"),
    ("modbus", signal("modbus", "flags: {a: 1}, range: [0, 9]"), "range"),
    ("modbus", signal("modbus", "flags: {a: 1}, counter: 16"), "counter"),
    ("modbus", signal("modbus", "type: u32, length: 2"), "length"),
    ("modbus", signal("modbus", "type: raw, length: 2, swap_string: true"), "swap_string"),
    ("modbus", signal("modbus", "type: raw, length: 2, characters: high"), "characters"),
    ("modbus", signal("modbus", "width: 2"), "width"),
    ("modbus", signal("modbus", "sign: magnitude"), "sign"),
    ("modbus", signal("modbus", "stride: 2"), "stride"),
    ("modbus", signal("modbus", "enum: {a: 1}, scale_from: x"), "scale_from"),
    ("scpi", signal("scpi", "index: 2"), "index"),
    ("scpi", signal("scpi", "parse: list, stride: 2"), "stride"),
    ("scpi", ROW.format(spec='query: "X?", stride: 2'), "stride"),
    ("scpi", signal("scpi", "answers: {a: B}"), "answers"),
    ("scpi", signal("scpi", "parse: field, suffix: V"), "suffix"),
    ("snmp", signal("snmp", "between: [a, b]"), "between"),
    ("snmp", signal("snmp", "type: text, digits: 1.3.6.1.9.2"), "digits"),
    ("snmp", signal("snmp", "enum: {a: 1}, factor_from: 1.3.6.1.9.2"), "factor_from"),
    ("snmp", signal("snmp", "lookup: {}, fallbacks: [1.3.6.1.9.2]"), "fallbacks"),
    ("redfish", signal("redfish", "type: text, precision: 2"), "precision"),
    ("redfish", signal("redfish", "answers: {a: B}, offset: 2"), "offset"),
    ("modbus", control(f"address: 1, {WORDS}, range: [0, 9]"), "range"),
    ("modbus", control(f"address: 1, {WORDS}, step: 2"), "step"),
    ("modbus", control("address: 1, sim_words: {go: 1}"), "sim_words"),
    ("modbus", control("address: 1, stride: 2"), "stride"),
    ("scpi", control(f"texts: {{go: RUN}}, {WORDS}"), "commands"),
    ("scpi", control("texts: {go: RUN}, scale: 2"), "scale"),
    ("snmp", control(f"command_oids: {{on: {{oid: 1.3.6.1.9.1, value: 1}}}}, {WORDS}"), "commands"),
    ("snmp", control("command_oids: {on: {oid: 1.3.6.1.9.1, value: 1}}, type: gauge"), "type"),
    ("snmp", signal("snmp", "scale: 1") + control("at_signal: x, digits: 1.3.6.1.9.2"), "digits"),
]
SUM = """\
signals:
  x: {sum_of: row.v, KEY}
repeat:
  row: {count: 2, signals: {v: {oid: "1.3.6.1.9.{i}"}}}
"""
IDLE += [("snmp", SUM.replace("KEY", each), each.partition(":")[0]) for each in ("digits: 1.3.6.1.9.2", "type: number")]


@pytest.mark.parametrize(("protocol", "body", "key"), IDLE, ids=[f"{row[0]} {row[2]}" for row in IDLE])
def test_a_key_without_effect_is_refused(tmp_path, protocol, body, key):
    with pytest.raises(ProblemsError, match=f"HX-1401 {key} has no effect here: ") as error:
        load(tmp_path, protocol, body)
    (problem,) = error.value.problems
    lines = (HEAD + body).splitlines()
    assert lines[problem.line - 1][problem.column - 1 :].strip(), "the place of the key's value"


@pytest.mark.parametrize(
    ("protocol", "body"),
    [
        ("modbus", signal("modbus", "type: string, length: 2, swap_string: true, characters: high")),
        ("modbus", signal("modbus", "bit: 1, width: 2, enum: {a: 1}, sentinels: [3]")),
        ("modbus", signal("modbus", "type: i16, sign: magnitude, scale: 0.1, unit: kW, counter: 16")),
        ("modbus", ROW.format(spec="address: 1, stride: 2")),
        ("scpi", ROW.format(spec='query: "X?", parse: list, index: 1, stride: 2, suffix: V')),
        ("snmp", signal("snmp", "type: text, between: [a, b]")),
        ("snmp", control(f"oid: 1.3.6.1.9.1, type: gauge, {WORDS}")),
    ],
)
def test_the_same_keys_beside_what_they_need(tmp_path, protocol, body):
    load(tmp_path, protocol, body)


def test_a_key_that_is_inherited_is_taken_away_with_null(tmp_path):
    (tmp_path / "parent.yaml").write_text(HEAD.replace("PROTOCOL", "modbus") + signal("modbus", "unit: kW, scale: 0.1"))
    own = tmp_path / "own.yaml"
    text = "schema: 1\nprofile: own/other\nextends: parent.yaml\nsignals:\n  x: {enum: {a: 1}, MORE}\n"
    own.write_text(text.replace(", MORE", ""))
    with pytest.raises(ProblemsError, match="scale has no effect"):
        load_profile(own)
    own.write_text(text.replace("MORE", "unit: null, scale: null"))
    load_profile(own)


def test_no_profile_that_ships_has_one():
    for path in known_profiles().values():
        load_profile(path)
