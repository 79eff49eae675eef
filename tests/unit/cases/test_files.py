"""Mistakes in the files of a case: one line each, with its place; and a case that does not hold says what comes out."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from harness.device.registry import known_profiles
from tests.cases import ROOT, Case, find_cases
from tests.cases.check import check_case
from tests.cases.expected import Expected, Word

SNMP, MODBUS, SCPI, REDFISH = "pdu/apc_rpdu2", "shelf/orv3_hpr_psu", "daq/keysight_34461a", "shelf/redfish_power_shelf"
FILES = {
    "walk.txt": (
        SNMP,
        """\
.1.3.6.1.2.1.1.2.0 = OID: .1.3.6.1.4.1.318.1.3.4.6
.1.3.6.1.4.1.318.1.1.26.2.1.8.1 = STRING: "AP8941"
.1.3.6.1.4.1.318.1.1.26.4.3.1.5.1 = INTEGER: 123
""",
        """\
what: w
source: s
identity: {model: AP8941}
reads: {power: 1.23 kW}
bad: {load_state: missing}
absent: ["outlet[1].state"]
""",
    ),
    "registers.txt": (
        MODBUS,
        'holding\n0x8: "ECD17020037"\n0x3C: 0002\nrest: 0000\n',
        "what: w\nsource: s\nreads: {alarms: dcdc, output_voltage: 0 V}\n",
    ),
    "talk.txt": (
        SCPI,
        '*IDN? -> Keysight Technologies,34461A,X1,A.03\nSYST:ERR? -> +0,"No error"\nREAD? -> 49.5\n',
        "what: w\nsource: s\nreads: {voltage: 49.5 V}\n",
    ),
    "resources.json": (REDFISH, "{}", "what: w\nsource: s\nrefused: equipment\n"),
}
"""File: the profile that it is tried with, one that is right, and what to expect of it."""


@pytest.fixture
def reported(tmp_path):
    """What is told of a case after a change in one of its files."""

    def check(file, old="", new="", *, more="", within=None):
        profile, text, expected = FILES[file]
        for name, content in ((file, text), ("expected.yaml", expected)):
            if old and (within or file) == name:
                assert content.count(old) == 1, (old, content)
                content = content.replace(old, new)
            (tmp_path / name).write_text(content)
        if more:
            (tmp_path / more).touch()
        lines = check_case(Case(profile, known_profiles()[profile], tmp_path))
        assert all("\n" not in line for line in lines)
        return [line.replace(f"{tmp_path}/", "") for line in lines]

    return check


@pytest.mark.parametrize("file", FILES)
def test_a_right_case_tells_nothing(file, reported):
    assert reported(file) == []


UNREADABLE = [
    ("walk.txt", '"AP8941"', "AP8941\nrubbish", "3:1: this is no line of `snmpwalk -On`"),
    ("walk.txt", "INTEGER: 123", "123", "3:1: '123' has no type"),
    ("walk.txt", "INTEGER: 123", "INTEGER: 12.3", "3:1: '12.3' is no whole number"),
    ("walk.txt", "INTEGER: 123", "INTEGER: 2147483648", "3:1: expected an INTEGER of 32 bits"),
    ("walk.txt", "INTEGER: 123", "Counter99: 1", "3:1: 'Counter99: 1' cannot be read"),
    ("walk.txt", '"AP8941"', '"AP8941', "2:1: the text has no end"),
    ("walk.txt", "26.4.3.1.5.1", "26.2.1.8.1", "3:1: this object"),
    ("registers.txt", "holding\n", "", "1:1: which table? write one of coils, discrete, holding"),
    ("registers.txt", "0x3C: 0002", "0x3C 0002", "3:1: '0x3C 0002' is no register"),
    ("registers.txt", "0x3C: 0002", "0x3C: 2", "3:1: '2' is neither a word of four hex digits nor"),
    ("registers.txt", "0x3C: 0002", "[60]: 0x2", "3:1: how are registers counted? write `from 1`"),
    ("registers.txt", "0x3C: 0002", "from 1\n[0]: 0x2", "4:1: expected addresses of 0 to 65535"),
    ("registers.txt", "0x3C: 0002", "from 0\n[60]: 65536", "4:1: expected addresses of 0 to 65535"),
    ("registers.txt", "0x3C: 0002", "0x8: 0002", "3:1: address 8 stands here a second time"),
    ("registers.txt", "0x3C: 0002", "coils\n1: 2", "4:1: '2' are no bits"),
    ("registers.txt", "rest: 0000", "rest: 0000 0000", "4:1: rest is one word"),
    ("registers.txt", "rest: 0000", "Data type...: 32-bit float (little endian), output (holding) register table",
     "4:1: '32-bit float (little endian), output (holding) register table'"),
    ("talk.txt", "READ? -> 49.5", "READ? 49.5", "3:1: this is no query with its answer"),
    ("talk.txt", "READ? -> 49.5", "READ? -> 49.5\nREAD? -> 1", "4:1: READ? is answered a second time"),
    ("resources.json", "{}", "{\n 1}", "2:2: this is no JSON"),
    ("resources.json", "{}", "[]", " '' is no path of a resource"),
    ("resources.json", "{}", '{"/redfish/v1/A": 1}', " '/redfish/v1/A' is no path of a resource"),
    ("resources.json", "{}", '{"/redfish/v1": {"a": 1, "a": 2}}', "the key 'a' stands twice in one object"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "says"), UNREADABLE)
def test_a_line_that_cannot_be_read_is_named(file, old, new, says, reported):
    place, _, message = says.partition(": ") if says[0].isdigit() else ("", "", says)
    line = reported(file, old, new)[0]
    assert line.startswith(f"{file}:{place}" if place else f"{file}: HX-1206")
    assert message in line


EXPECTATIONS = [
    ("walk.txt", "power:", "powr:", "4:9: 'powr' is no signal of this profile, did you mean 'power'?"),
    ("walk.txt", "load_state:", "load_stat:", "5:7: 'load_stat' is no signal of this profile"),
    ("walk.txt", '"outlet[1].state"', '"outlet[1].stat"', "6:10: 'outlet[1].stat' is no signal"),
    ("walk.txt", "source: s", "source: s\ncounts: {outlt: 8}", "3:10: 'outlt' is none of the counts of this profile"),
    ("walk.txt", "source: s", "source: s\nparameters: {modul: 2}", "did you mean 'module'?"),
    ("walk.txt", "source: s", "source: s\ncounts: {outlet: 513}", "3:18: "),
    ("walk.txt", "source: s\n", "", "source"),
    ("walk.txt", "source: s", "sourc: s", "2:1: unknown key 'sourc', did you mean 'source'?"),
    ("walk.txt", "missing", "gone", "5:19: "),
    ("walk.txt", "1.23 kW", "1.23", "4:16: power: the unit is missing behind 1.23"),
    ("walk.txt", "1.23 kW", "1.23 A", "4:16: power: 'A' is a current"),
    ("walk.txt", "1.23 kW", "1.24 kW", "4:16: power is 1230 W, expected 1.24 kW"),
    ("walk.txt", "{model: AP8941}", "{model: AP8942}", "3:19: the model is 'AP8941', expected"),
    ("walk.txt", "missing", "sentinel", "load_state is BAD (missing in"),
    ("registers.txt", "reads: {alarms: dcdc, output_voltage: 0 V}", "bad: {alarms: nan}", "alarms is dcdc, expected"),
    ("walk.txt", "load_state", "power", "power stands under reads and bad"),
    ("walk.txt", '"outlet[1].state"', "load_state", "load_state stands under bad and absent"),
    ("walk.txt", '"outlet[1].state"', "apparent_power", "6:10: apparent_power is there, expected none"),
    ("walk.txt", "{power: 1.23 kW}", '{"outlet[2].state": "on"}', "outlet[2].state is not there"),
    ("walk.txt", "identity: {model: AP8941}", "refused: another model", "give what comes out"),
    ("registers.txt", "alarms: dcdc", "alarms: pfc", "3:17: alarms is dcdc, expected pfc"),
    ("registers.txt", "alarms: dcdc", "alarms: 2", "alarms is a text or a word: write 2 in quotes"),
    ("registers.txt", "reads: {alarms: dcdc, output_voltage: 0 V}", "refused: never", "let in as {'model': 'ECD1"),
    ("talk.txt", "{voltage: 49.5 V}", "{voltage: 49.6 V}", "voltage is 49.5 V, expected 49.6 V"),
    ("resources.json", "refused: equipment", "refused: serial", "refused, which should say 'serial': equipment"),
    ("resources.json", "refused: equipment", "reads: {alarms: none}", "refused, but must be let in: equipment"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "says"), EXPECTATIONS)
def test_what_does_not_come_out_is_told_where_it_is_expected(file, old, new, says, reported):
    lines = [re.sub(r" HX-1\d+", "", line) for line in reported(file, old, new, within="expected.yaml")]
    assert any(says in line for line in lines), lines
    assert all(line.startswith("expected.yaml:") for line in lines)


def test_a_query_that_nothing_answers_is_named(reported):
    lines = reported("talk.txt", "READ? ->", "READ2? ->")
    assert "talk.txt: HX-1206 the device is asked 'READ?', and no line answers it" in lines


def test_files_that_do_not_belong_to_a_case_are_named(reported):
    (line,) = reported("talk.txt", more="walk.txt")
    assert line.endswith("walk.txt: a case over scpi holds talk.txt and expected.yaml only")


def test_a_case_without_its_files_is_told(tmp_path):
    case = Case(SCPI, known_profiles()[SCPI], tmp_path)
    assert [line.partition(": ")[2] for line in check_case(case)] == ["HX-1001 is missing: it says what must come out"]
    (tmp_path / "expected.yaml").write_text(FILES["talk.txt"][2])
    (line,) = check_case(case)
    assert "talk.txt: HX-1001 cannot be read" in line


def test_every_protocol_has_cases():
    cases = find_cases()
    assert {next(path.name for path in each.folder.iterdir() if path.name != "expected.yaml") for each in cases} == set(
        FILES
    )
    assert len(cases) == len({str(each) for each in cases}) >= 12


def test_the_page_of_the_reference_names_every_file_key_and_word():
    page = (ROOT / "docs" / "reference" / "cases.md").read_text(encoding="utf-8")
    rows = {name for line in page.splitlines() if line.startswith("|") for name in re.findall(r"`([a-z._]+)`", line)}
    assert rows >= {*FILES, *Expected.model_fields, *get_args(Word)}
