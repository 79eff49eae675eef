"""One bit, one raw value, one answer has one word: of two names the second would silently win."""

from __future__ import annotations

import pytest

from harness.device.registry import known_profiles, load_profile
from harness.schema.problems import ProblemsError

HEADS = {
    "modbus": "protocol: modbus\nclass: shelf",
    "snmp": "protocol: snmp\nclass: pdu",
    "scpi": "protocol: scpi\nclass: meter",
    "redfish": "protocol: redfish\nclass: pdu",
}


def problems(folder, protocol, signal, section="signals"):
    path = folder / "p.yaml"
    path.write_text(
        f"schema: 1\nprofile: p.yaml\ntitle: t\n{HEADS[protocol]}\nsource: a table\nunverified: new\n"
        f"{section}:\n  state: {signal}\n"
    )
    with pytest.raises(ProblemsError) as caught:
        load_profile(path)
    return [(p.line, p.column, p.message) for p in caught.value.problems]


@pytest.mark.parametrize(
    ("protocol", "signal", "column", "message"),
    [
        ("modbus", "{address: 1, flags: {a: 11, b: 11}}", 41, "bit 11 is 'a' and 'b'"),
        ("modbus", "{address: 1, enum: {'off': 1, 'on': 1}}", 46, "raw value 1 is 'off' and 'on'"),
        ("modbus", "{address: 1, enum: {'off': 1, 'on': [2, 1]}}", 46, "raw value 1 is 'off' and 'on'"),
        ("modbus", "{address: 1, enum: {'off': 1, 'on': [2, 2]}}", 46, "raw value 2 is twice"),
        ("snmp", "{oid: 1.3.6.1.4.1.1.1.0, enum: {'off': 1, 'on': 1}}", 58, "raw value 1 is 'off' and 'on'"),
        (
            "scpi",
            "{query: 'A?', parse: word, answers: {'off': 'X', 'on': 'X'}}",
            65,
            "the answer 'X' is 'off' and 'on'",
        ),
        (
            "redfish",
            "{path: /a, pointer: /b, answers: {'off': X, 'on': [Y, X]}}",
            60,
            "the answer 'X' is 'off' and 'on'",
        ),
        (
            "redfish",
            "{path: /a, pointer: /b, answers: {'off': X, 'on': [Y, x]}}",
            60,
            "the answer 'x' is 'off' and 'on'",
        ),
    ],
)
def test_two_words_for_one_value_are_refused_where_the_second_stands(tmp_path, protocol, signal, column, message):
    ((line, found, text),) = problems(tmp_path, protocol, signal)
    assert (line, found) == (9, column)
    assert text.startswith(message)


def test_the_same_in_a_repetition_is_told_once(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(
        "schema: 1\nprofile: p.yaml\ntitle: t\nprotocol: modbus\nclass: shelf\nsource: a table\nunverified: new\n"
        "repeat:\n  cell:\n    count: 12\n    signals:\n      state: {address: 1, enum: {a: 1, b: 1}}\n"
    )
    with pytest.raises(ProblemsError) as caught:
        load_profile(path)
    assert [(p.line, p.column) for p in caught.value.problems] == [(12, 43)]


@pytest.mark.parametrize(
    ("protocol", "control", "column", "message"),
    [
        ("modbus", "{address: 1, commands: {'off': 0, 'on': 0}}", 50, "raw value 0 is 'off' and 'on'"),
        ("snmp", "{oid: 1.3.6.1.4.1.1.1.0, commands: {'off': 1, 'on': 1}}", 62, "raw value 1 is 'off' and 'on'"),
        ("scpi", "{texts: {'off': OUTP 0, 'on': outp 0}}", 40, "the command 'outp 0' is 'off' and 'on'"),
        (
            "modbus",
            "{address: 1, commands: {'off': 0, 'on': 1}, confirm: {signal: a, words: {'off': x, 'on': x}}}",
            82,
            "on and off are confirmed by the same word",
        ),
    ],
)
def test_two_commands_that_do_or_prove_the_same_are_refused(tmp_path, protocol, control, column, message):
    ((line, found, text),) = problems(tmp_path, protocol, control, "controls")
    assert (line, found) == (9, column)
    assert text.startswith(message)


@pytest.mark.parametrize(
    ("point", "column", "message"),
    [
        ("{address: 1, enum: {'off': 0, 'on': 65536}}", 46, "65536 is no number that type u16 can hold (0 to 65535)"),
        (
            "{address: 1, type: i16, enum: {'off': 0, 'on': 40000}}",
            57,
            "40000 is no number that type i16 can hold (-32768",
        ),
        ("{address: 1, type: u16, enum: {'off': 0, 'on': -1}}", 57, "-1 is no number"),
        (
            "{address: 1, type: u8_low, enum: {'off': 0, 'on': [1, 256]}}",
            60,
            "256 is no number that type u8_low can hold",
        ),
        ("{address: 1, bit: 3, enum: {'off': 0, 'on': 8}}", 54, "8 is no number that 1 bit can hold (0 to 1)"),
        (
            "{address: 1, bit: 0, width: 3, enum: {'off': 0, 'on': 8}}",
            64,
            "8 is no number that 3 bits can hold (0 to 7)",
        ),
        ("{address: 1, mask: 12, enum: {'off': 0, 'on': 4}}", 56, "4 is no number that one bit can hold"),
        (
            "{address: 1, table: coil, type: bool, enum: {'off': 0, 'on': 2}}",
            71,
            "2 is no number that one bit can hold",
        ),
        ("{address: 1, type: bcd16, enum: {'off': 0, 'on': 10000}}", 59, "10000 is no number that type bcd16 can hold"),
        ("{address: 1, type: i16, sentinels: [-32768, 32768]}", 54, "32768 is no number that type i16 can hold"),
        (
            "{address: 1, type: i16, sign: magnitude, sentinels: [-32768]}",
            63,
            "-32768 is no number that type i16 can hold",
        ),
        ("{address: 1, flags: {none: 1}}", 37, "'none' cannot be told from what is shown of flags"),
        ("{address: 1, flags: {a: 1, a+b: 2}}", 42, "'a+b' cannot be told from what is shown of flags"),
    ],
)
def test_what_no_register_can_hold_or_nobody_could_read_is_refused(tmp_path, point, column, message):
    ((line, found, text),) = problems(tmp_path, "modbus", point)
    assert (line, found) == (9, column)
    assert text.startswith(message)


@pytest.mark.parametrize(
    ("control", "message"),
    [
        ("{address: 1, commands: {'off': 0, 'on': 65536}}", "65536 is no number that type u16 can hold"),
        ("{address: 1, table: coil, type: bool, commands: {'off': 0, 'on': 65280}}", "65280 is no number that one bit"),
        ("{address: 1, bit: 2, commands: {'off': 0, 'on': 4}}", "4 is no number that one bit can hold"),
    ],
)
def test_what_no_register_takes_is_refused(tmp_path, control, message):
    ((line, _, text),) = problems(tmp_path, "modbus", control, "controls")
    assert line == 9
    assert text.startswith(message)


def test_no_shipped_profile_has_any():
    for path in known_profiles().values():
        load_profile(path)
