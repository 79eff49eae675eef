"""An interlock that cannot trip is refused by the check of the files: it would be a promise, not a guard."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.project.station import load_station
from harness.schema.problems import ProblemsError
from tests.plan_runs import STATION

ALARMS = "reservoir, supply_temperature, return_temperature, air_temperature, supply_pressure, exchanger_temperature"
NEVER = {
    "max: 100000 degC": ("cdu.supply_temperature", "HX-1371", "shows -20 to 120 degC"),
    "max: 120 degC": ("cdu.supply_temperature", "HX-1371", "a bound at 120 degC can never trip"),
    "min: -20 degC, max: 55 degC": ("cdu.supply_temperature", "HX-1371", "a bound at -20 degC can never trip"),
    "min: -1000 L/min": ("cdu.flow", "HX-1371", "shows 0 to 2000 L/min"),
    "min: 0 L/min": ("cdu.flow", "HX-1371", "can never trip"),
    "min: 20 L/min, for: 14 d": ("cdu.flow", "HX-1372", "longer than the 30 s"),
    "min: 20 L/min, for: 31 s": ("cdu.flow", "HX-1372", "longer than the 30 s"),
    "one_of: [dry, wet], on_trip: leak": ("cdu.leak", "HX-1371", "shows no other word"),
    f"one_of: [none, {ALARMS}, pump, loop_blocked, emergency_stop, not_ready, filter]": (
        "cdu.alarms", "HX-1371", "shows no other word"),
    "max_rate: 1000000 L/min/s": ("cdu.flow", "HX-1373", "cannot change by"),
    "max_rate: 667 L/min/s": ("cdu.flow", "HX-1373", "by 667 L/min/s for the 5 s"),
    "max_rate: 70 K/s": ("cdu.supply_temperature", "HX-1373", "cannot change by"),
    "max_rate: 5 K/s, for: 26 s": ("cdu.supply_temperature", "HX-1373", "by 5 K/s for the 31 s that it is looked at"),
    "max_rate: 5 kPa/s": ("cdu.supply_temperature", "HX-1373", "pressure"),
    "equals: dry, max_rate: 1 K/s": ("cdu.leak", "HX-1373", "no number"),
    "equals: dry": ("cdu.leak", "HX-1374", "no sequence of kind leak"),
    "equals: dry, on_trip: default": ("cdu.leak", "HX-1374", "'default', which is no sequence of kind leak"),
    "equals: ok": ("cdu.leak_zones", "HX-1312", "has no flag 'ok'"),
    "max: 3 A": ("pdu.outlet.current", "HX-1375", "is 8 signals"),
    "max: 40 MW": ("pdu.power", "HX-1371", "can never trip"),
    "max: 300 %": ("pdu.unbalance", "HX-1371", "shows 0 to 200 %"),
    "max: 100 K": ("cdu.delta_temperature", "HX-1371", "shows -100 to 100 K"),
    "min: 20 L/min, armed_when: {signal: pdu.power, min: 2 MW}": ("cdu.flow", "HX-1371", "never arms"),
}  # fmt: skip
"""What is written of an interlock that can never trip, its signal, the code, and words of the message."""


def station_with(folder, line: str, head: str = "schema: 1\n") -> Path:
    """The simulated station with one more interlock."""
    text = STATION.read_text().replace("interlocks:\n", f"interlocks:\n  - {{name: trial, {line}}}\n")
    path = folder / "station.yaml"
    path.write_text(text.replace("schema: 1\n", head, 1))
    return path


@pytest.mark.parametrize("setting", list(NEVER))
def test_what_can_never_trip_is_refused_at_its_key(tmp_path, setting):
    signal, code, words = NEVER[setting]
    path = station_with(tmp_path, f"signal: {signal}, {setting}")
    with pytest.raises(ProblemsError) as error:
        load_station(path)
    (found,) = [problem for problem in error.value.problems if problem.code == code]
    assert words in found.message
    line = path.read_text().splitlines()[found.line - 1]
    assert "name: trial" in line
    assert len(error.value.problems) == 1, "one mistake is told once"


@pytest.mark.parametrize(
    "line",
    [
        "signal: cdu.supply_temperature, max: 119.9 degC",
        "signal: cdu.flow, min: 0.1 L/min, for: 30 s",
        "signal: cdu.supply_temperature, max_rate: 2 K/s, for: 3 s",
        "signal: cdu.leak_zones, equals: none, on_trip: leak",
        "signal: cdu.leak_sensor, equals: ok",
        "signal: cdu.alarms, one_of: [none, filter]",
        "signal: pdu.unbalance, max: 60 %",
        'signal: "pdu.outlet[1].current", max: 3 A',
    ],
)
def test_what_can_trip_is_accepted(tmp_path, line):
    load_station(station_with(tmp_path, line))


def test_a_station_may_allow_its_interlocks_more_time_but_not_without_end(tmp_path):
    slow = "signal: cdu.flow, min: 20 L/min, for: 45 s"
    load_station(station_with(tmp_path, slow, "schema: 1\nlongest_for: 45 s\n"))
    with pytest.raises(ProblemsError, match=r"HX-1206 .*300 s that any interlock may wait"):
        load_station(station_with(tmp_path, slow, "schema: 1\nlongest_for: 1 d\n"))


def test_a_rate_of_what_is_read_too_rarely_cannot_be_seen(tmp_path):
    path = station_with(tmp_path, "signal: cdu.flow, max_rate: 20 L/min/s")
    load_station(path)
    path.write_text(path.read_text().replace("counts: {pump: 2}}", "counts: {pump: 2}, poll: 6 s}"))
    with pytest.raises(ProblemsError, match=r"HX-1373 cdu.flow is read every 6 s, a rate is seen over 5 s"):
        load_station(path)


SILENT = {
    "max_age: 10 h": "cdu.max_age lets interlock 'slow' believe cdu.input_voltage for 36000 s",
    "poll: 11 s": "cdu.poll lets interlock 'slow' believe cdu.input_voltage for 33 s",
    "grace: 10 h": "cdu.grace lets interlock 'slow' believe cdu.input_voltage for 36000 s",
    "slow: 31 s": "cdu.slow lets interlock 'slow' believe cdu.input_voltage for 31 s",
}


@pytest.mark.parametrize("times", SILENT)
def test_silence_that_no_interlock_would_see_in_time_is_refused_where_it_stands(times, tmp_path):
    path = station_with(tmp_path, "")
    slow = "{name: slow, signal: cdu.input_voltage, max: 60 V}"
    text = path.read_text().replace("{name: trial, }", slow)
    text = text.replace("counts: {pump: 2}}", f"counts: {{pump: 2}}, {times}}}")
    path.write_text(text)
    with pytest.raises(ProblemsError) as refused:
        load_station(path)
    (problem,) = refused.value.problems
    assert problem.code == "HX-1378"
    assert text.splitlines()[problem.line - 1].startswith("  cdu:")
    assert SILENT[times] in problem.message


def test_what_only_warns_or_is_not_looked_at_may_be_old(tmp_path):
    path = station_with(tmp_path, "signal: daq.channel[1].temperature, max: 60 degC, action: warn")
    text = path.read_text().replace("SOCKET, needed: monitor}", "SOCKET, needed: monitor, max_age: 10 h}")
    path.write_text(
        text.replace('SOCKET", needed: monitor}', 'SOCKET", needed: monitor, max_age: 10 h}').replace(
            "signal: daq.channel[1].temperature", 'signal: "daq.channel[1].temperature"'
        )
    )
    assert load_station(path).station.devices["daq"].max_age == 36000
