"""Mistakes that people make when they write files: the right place, the right cure, and no false follow-ups."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from harness.project.plan import load_project
from harness.project.station import load_station
from harness.quantity import UNITS, parse_duration, parse_quantity
from harness.schema.codes import CODES
from harness.schema.problems import ProblemsError
from harness.spelling import meant_duration, meant_number, meant_parameter, meant_unit

ROOT = Path(__file__).resolve().parents[3]
STATION = ROOT / "testplans" / "stations" / "simulated.yaml"
PLAN = """\
schema: 1
plan: x
limits: limits.yaml
parameters:
  soak_time: {default: 10 min, description: time}
show:
  - cdu.flow
  - pdu.power
steps:
  - {step: wait_until, signal: cdu.flow, min: 150 L/min, within: 60 s}
  - {step: power_on, outlets: pdu.outlet, stagger: 2 s}
  - step: set
    control: rack.level
    to: 100 %
  - step: soak
    for: ${soak_time}
    watch:
      - {signal: cdu.supply_temperature, max: 45 degC, for: 10 s}
      - {signal: cdu.flow, min: 100 L/min}
  - {step: measure, name: m, signal: cdu.flow, over: 3 s, limit: flow}
  - {step: measure, name: n, signal: cdu.flow, over: 3 s, limit: flow2}
"""
LIMITS = """\
schema: 1
limit_set: own
version: "1"
title: Own
limits:
  flow: {min: 150 L/min, max: 190 L/min, provenance: a test}
  flow2: {min: 150 L/min, max: 190 L/min, provenance: a test}
"""


@pytest.fixture(scope="module")
def station():
    return load_station(STATION)


def reported(folder: Path, station, plan: str = PLAN, limits: str = LIMITS, **settings) -> list[str]:
    """The lines of mistakes, without the folder."""
    (folder / "plan.yaml").write_text(plan)
    (folder / "limits.yaml").write_text(limits)
    try:
        load_project(folder / "plan.yaml", station, settings)
    except ProblemsError as error:
        return str(error).replace(f"{folder}/", "").splitlines()
    return []


MISTAKES = {
    "brace forgotten": (
        "within: 60 s}",
        "within: 60 s",
        "11:5: HX-1101 a '}' or ',' is missing, the bracket was opened in line 10",
    ),
    "brace forgotten above a quoted parameter": (
        "stagger: 2 s}\n  - step: set",
        'stagger: 2 s\n  - {step: hold, for: "${soak_time}"}\n  - step: set',
        "12:5: HX-1101 a '}' or ',' is missing, the bracket was opened in line 11",
    ),
    "parameter in braces not quoted": (
        "within: 60 s}",
        "within: ${soak_time}}",
        '10:67: HX-1101 ${...} inside { } or [ ] must be quoted, write "${name}" with quotes',
    ),
    "dash forgotten": ("  - {step: power_on", "    {step: power_on", "11:5: HX-1101 '- ' is missing before this entry"),
    "dash forgotten, outdented": (
        "  - {step: power_on",
        "  {step: power_on",
        "11:3: HX-1101 '- ' is missing before this",
    ),
    "dash forgotten in a block": (
        "  - step: soak",
        "    step: soak",
        "HX-1102 the key 'step' is given twice, first in line 12, begin each",
    ),
    "dash forgotten in a watch": (
        "      - {signal: cdu.flow",
        "        {signal: cdu.flow",
        "19:9: HX-1101 '- ' is missing before this entry",
    ),
    "dash forgotten in a list of texts": ("  - pdu.power", "  pdu.power", "8:3: HX-1101 '- ' is missing before this"),
    "blank behind the colon": ("    for: ${", "    for:${", "16:5: HX-1101 a blank is missing behind 'for:'"),
    "colon forgotten": ("    for: ${", "    for ${", "17:5: HX-1101 a ':' is missing, write 'key: value'"),
    "outlet in braces": (
        "pdu.outlet, stagger",
        "pdu.outlet[3], stagger",
        '11:41: HX-1101 a name with [ ] inside { } or [ ] must be quoted, write "pdu.outlet[3]"',
    ),
    "range of outlets": (
        "pdu.outlet, stagger",
        "pdu.outlet[1-8], stagger",
        'HX-1101 a name with [ ] inside { } or [ ] must be quoted, write "pdu.outlet[1-8]"',
    ),
    "range of outlets, upside down": (
        "pdu.outlet, stagger",
        '"pdu.outlet[8-1]", stagger',
        "HX-1206 'pdu.outlet[8-1]' is not a control, rows are written like pdu.outlet[7], pdu.outlet[1-8] or",
    ),
    "range of outlets that are not there": (
        "pdu.outlet, stagger",
        '"pdu.outlet[7-12]", stagger',
        "HX-1307 unknown control 'pdu.outlet[9]'",
    ),
    "decimal comma in braces": (
        "max: 45 degC",
        "max: 45,5 degC",
        "18:50: HX-1105 a decimal comma: 45,5 degC, write",
    ),
    "decimal comma": ("to: 100 %", "to: 99,5 %", "'99,5 %' is not written as numbers are here; did you mean '99.5 %'?"),
    "degree sign": ("max: 45 degC", "max: 45 °C", "18:47: HX-1206 unknown unit '°C', did you mean 'degC'?"),
    "one sign for both": ("max: 45 degC", "max: 45 ℃", "unknown unit '℃', did you mean 'degC'?"),
    "minus sign": (
        "max: 45 degC",
        "max: −5 degC",
        "'−5 degC' is not written as numbers are here, did you mean '-5",
    ),
    "litres": ("min: 150 L/min, w", "min: 150 lpm, w", "unknown unit 'lpm', did you mean 'L/min'?"),
    "litres in capitals": ("min: 150 L/min, w", "min: 150 LPM, w", "unknown unit 'LPM', did you mean 'L/min'?"),
    "unit forgotten": (
        "min: 150 L/min, w",
        "min: 150, w",
        "HX-1312 the unit is missing behind 150; a flow is needed, like '150 L/min'",
    ),
    "thousands": ("min: 150 L/min, w", "min: 1 000 L/min, w", "did you mean '1000 L/min'?"),
    "seconds": ("within: 60 s", "within: 60 sec", "'60 sec' is not a duration, did you mean '60 s'?"),
    "clock": ("within: 60 s", "within: 1:30", "'1:30' is not a duration, did you mean '1 min 30 s' or '1 h 30 min'?"),
    "parameter without dollar": ("for: ${soak_time}", "for: {soak_time}", "did you mean ${soak_time}?"),
    "parameter without braces": ("for: ${soak_time}", "for: $soak_time", "did you mean ${soak_time}?"),
    "default of a parameter": (
        "default: 10 min",
        "default: 10 mn",
        "5:24: HX-1206 '10 mn' is not a duration (the default of soak_time, used in line 16), did you mean '10 min'?",
    ),
    "two steps of one name": ("name: n,", "name: m,", "21:27: HX-1354 two steps bear the name 'm'"),
    "list as a mapping": (
        "    watch:\n      - {signal: cdu.supply_temperature, max: 45 degC, for: 10 s}\n      - {s",
        "    watch:\n      {s",
        "HX-1205 expected a list, found a mapping (key: value), begin each entry with '- '",
    ),
    "limit set of another name": (
        "limits: limits",
        "limits: limit",
        "3:9: HX-1342 no such file 'limit.yaml'",
    ),
    "limit that nothing meets": (
        "limit: flow2",
        "limit: {min: 5000 L/min}",
        "the band lies outside what cdu.flow",
    ),
    "digits of another script": ("min: 150 L/min, within", "min: １５０ L/min, within", "'１５０ L/min'"),
    "a duration in them": ("within: 60 s", "within: ６０ s", "'６０ s' is not a duration"),
    "power_on of a pump": ("outlets: pdu.outlet", "outlets: cdu.pump", "HX-1352 cdu.pump puts no power on the rack"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_with_its_place_and_its_cure(name, station, tmp_path):
    old, new, wanted = MISTAKES[name]
    assert old in PLAN
    lines = reported(tmp_path, station, PLAN.replace(old, new, 1))
    assert len(lines) == 1, lines
    assert wanted in lines[0]


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (
            "provenance: a test}\n  flow2",
            "provenanc: a test}\n  flow2",
            "limits.yaml:6:42: HX-1203 unknown key",
        ),
        ("flow2:", "flow2", "limits.yaml:7"),
        ("min: 150 L/min, max: 190", "min: 150 lpm, max: 190", "limits.yaml:6:15: HX-1206 unknown unit 'lpm', did you"),
    ],
)
def test_a_mistake_in_a_limit_set_is_not_told_again_where_its_limits_are_used(old, new, wanted, station, tmp_path):
    lines = reported(tmp_path, station, limits=LIMITS.replace(old, new, 1))
    assert len(lines) == 1, lines
    assert lines[0].startswith(wanted)


def test_a_misspelt_limit_is_still_told(station, tmp_path):
    (line,) = reported(tmp_path, station, PLAN.replace("limit: flow2", "limit: flow3"))
    assert "HX-1308 unknown limit 'flow3', did you mean 'flow'" in line


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("5 mn", "plan.yaml: HX-1206 --set soak_time: '5 mn' is not a duration, did you mean '5 min'?"),
        (5, "plan.yaml: HX-1206 --set soak_time: 5 is not a duration, write a unit"),
    ],
)
def test_a_bad_value_of_set_is_told_as_one_once(value, wanted, station, tmp_path):
    twice = PLAN + "  - {step: hold, for: '${soak_time}'}\n"
    (line,) = reported(tmp_path, station, twice, soak_time=value)
    assert line.startswith(wanted)


# --- spelling --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        *dict.fromkeys([("°C", "degC"), ("℃", "degC"), ("C", "degC"), ("Celsius", "degC"), ("°F", "degF")]),
        *dict.fromkeys([("lpm", "L/min"), ("LPM", "L/min"), ("l/m", "L/min"), ("litres/min", "L/min")]),
        *dict.fromkeys([("m³/h", "m3/h"), ("gal/min", "gpm"), ("watts", "W"), ("Volt", "V"), ("amps", "A")]),
        *dict.fromkeys([("µs", "us"), ("mΩ", "mohm"), ("Ω", "ohm"), ("KPA", "kPa"), ("rpm", "RPM")]),
        *dict.fromkeys([("furlong", ""), ("xyzzy", ""), ("€", "")]),
    ],
)
def test_the_unit_that_was_meant(written, unit):
    assert meant_unit(written, UNITS) == unit
    with pytest.raises(ValueError, match="unknown unit") as caught:
        parse_quantity(f"5 {written}")
    assert (f"did you mean {unit!r}?" in str(caught.value)) == bool(unit)


def test_every_alias_names_a_unit_and_is_none():
    from harness.spelling import _ALIASES

    assert set(_ALIASES.values()) <= set(UNITS)
    assert not [word for word in _ALIASES if word in UNITS and UNITS[word].name != _ALIASES[word] and word != "m"]


def test_numbers_as_others_write_them():
    assert meant_number("45,5 degC") == "45.5 degC"
    assert meant_number("−5 degC") == "-5 degC"
    assert meant_number("1 000 L/min") == "1000 L/min"
    assert meant_number("1'250.5 W") == "1250.5 W"
    assert meant_number("45.5 degC") == meant_number("80 L/min") == meant_number("words") == ""


def test_durations_as_others_write_them():
    known = ("us", "ms", "s", "min", "h", "d")
    for written, meant in (("1 minute", "1 min"), ("2 days 3 hrs", "2 d 3 h"), ("1,5 h", "1.5 h"), ("60 S", "60 s")):
        assert meant_duration(written, known) == meant
        parse_duration(meant)
    assert meant_duration("soon", known) == meant_duration("1 parsec", known) == meant_duration("-1 s", known) == ""


def test_parameters_as_others_write_them():
    assert meant_parameter("$soak_time") == meant_parameter({"soak_time": None}) == "${soak_time}"
    assert meant_parameter("${soak_time}") == meant_parameter("soak_time") == meant_parameter({"a": 1}) == ""


# --- codes -----------------------------------------------------------------------------------------------------------


def emitted() -> set[str]:
    """Every code of a mistake in a file that stands in the source."""
    found: set[str] = set()
    for path in (ROOT / "harness").rglob("*.py"):
        if path.name != "codes.py":
            found |= set(re.findall(r"HX-1[1-9]\d\d|HX-100[1-9]", path.read_text(encoding="utf-8")))
    return found


def test_every_code_has_its_meaning_and_every_meaning_its_code():
    assert emitted() == set(CODES)
    assert all(text and not text.endswith(".") for text in CODES.values())
    assert list(CODES) == sorted(CODES)
    tree = ast.parse((ROOT / "harness" / "schema" / "codes.py").read_text(encoding="utf-8"))
    keys = [key.value for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys]
    assert len(keys) == len(set(keys))


# --- one mistake is told once ----------------------------------------------------------------------------------------


def test_a_device_in_other_capitals_is_one_mistake_with_its_cure(tmp_path):
    text = STATION.read_text().replace("  cdu:    {profile", "  CDU:    {profile")
    (tmp_path / "station.yaml").write_text(text)
    with pytest.raises(ProblemsError) as caught:
        load_station(tmp_path / "station.yaml")
    reported = [str(each) for each in caught.value.problems]
    (line,) = [each for each in reported if "unknown device" in each]
    assert "unknown device 'cdu', did you mean 'CDU'? (and in " in line
    assert not any("'pdu'" in each for each in reported)


def test_a_number_in_quotes_is_told_to_be_without_them(tmp_path):
    (tmp_path / "station.yaml").write_text(STATION.read_text().replace("schema: 1", 'schema: "1"', 1))
    with pytest.raises(ProblemsError) as caught:
        load_station(tmp_path / "station.yaml")
    (problem,) = caught.value.problems
    assert "write it without quotes: it is a number here" in str(problem)
