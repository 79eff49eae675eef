"""What a `sim:` key may not name: told by check with line and column, and at `--simulate` before anything starts."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from harness.cli.commands.check import check
from harness.cli.commands.profile import profile as profile_command
from harness.clock import run
from harness.device.registry import known_profiles, load_profile
from harness.project.station import load_station
from harness.schema.problems import ProblemsError
from harness.simulator import binding_problems, start_simulation
from sim.bindings import TWIN, variables

HEAD = """schema: 1
profile: unit.yaml
title: t
class: pdu
protocol: modbus
source: a table
unverified: new
"""
STATION = """schema: 1
station: one
devices:
  pdu: {profile: unit.yaml, address: "modbus+tcp://127.0.0.1:1502"}
safe_state: {default: [{set: pdu.outlet, to: "off"}]}
unguarded: {emergency_stop: none, door: none, leak: none, coolant: none, temperature: none}
"""
OUTLET = """repeat:
  outlet:
    count: 8
    control:
      address: 10
      commands: {"on": 1, "off": 0}
      confirm: {signal: state}
      energises: true
      danger: true
      sim: "outlet[{i}]"
      sim_words: {"on": 1, "off": 0}
    signals:
      state: {address: 20, enum: {"on": 1, "off": 0}, sim: {of: "outlet[{i}].state", words: {"on": 1, "off": 0}}}
"""


def write(folder, signals, rest=""):
    path = folder / "unit.yaml"
    path.write_text(f"{HEAD}signals:\n{signals}{rest}")
    return path


def reported(path):
    result = CliRunner().invoke(check, [str(path)], standalone_mode=False)
    return result.return_value, [line for line in result.stderr.splitlines() if line]


@pytest.mark.parametrize(
    ("signal", "column", "words"),
    [
        ("a: {address: 1, unit: VA, sim: pdu.power}", 34, "pdu.power does not fit: 'W' is a power, but 'VA'"),
        ("a: {address: 1, sim: pdu.nonsense}", 24, "no variable 'pdu.nonsense'"),
        ("a: {address: 1, sim: {of: loop.folw}}", 29, "'loop.folw', did you mean 'loop.flow'?"),
        ("a: {address: 1, sim: twin.nonsense}", 24, "'twin.nonsense'"),
        ("a: {address: 1, flags: {x: 1}, sim: {flags: {y: leak.rack}}}", 51, "'y' is no flag of this signal, it has x"),
        ("a: {address: 1, flags: {x: 1}, sim: {flags: {x: leak.roof}}}", 51, "'leak.roof'"),
        ("a: {address: 1, enum: {x: 1}, sim: {of: pump.run, words: {z: 1}}}", 64, "'z' is no word of this signal"),
        ("a: {address: 1, enum: {x: 1}, sim: {text: z}}", 45, "'z' is no word of this signal, it has x"),
    ],
)
def test_check_tells_a_wrong_signal_with_its_place(tmp_path, signal, column, words):
    path = write(tmp_path, f"  {signal}\n")
    code, lines = reported(path)
    (line,) = lines
    assert code == 2
    assert line.startswith(f"{path}:9:{column}: HX-1402 "), line
    assert words in line
    result = CliRunner().invoke(profile_command, ["check", str(path)], standalone_mode=False)
    assert (result.return_value, result.stderr.splitlines()) == (2, lines)


@pytest.mark.parametrize(
    ("right", "wrong", "line", "words"),
    [
        ('sim: "outlet[{i}]"\n', 'sim: "outlot[{i}]"\n', 19, "nothing of a simulated rack can be set by 'outlot[1]'"),
        ('sim: "outlet[{i}]"\n', 'sim: "outlet[{i}].state"\n', 19, "can be set by 'outlet[1].state'"),
        ('sim_words: {"on": 1', 'sim_words: {"up": 1', 20, "'up' is no command of this control, it has off, on"),
        ('of: "outlet[{i}].state"', 'of: "outlet[{i}].stat"', 22, "'outlet[1].stat', did you mean 'outlet[1].state'?"),
    ],
)
def test_check_tells_a_wrong_control_or_row_with_its_place(tmp_path, right, wrong, line, words):
    assert OUTLET.count(right) == 1
    path = write(tmp_path, "  a: {address: 1}\n", OUTLET.replace(right, wrong))
    code, lines = reported(path)
    assert code == 2
    assert lines[0].startswith(f"{path}:{line}:")
    assert words in lines[0]
    assert len(lines) == 1


def test_a_setting_in_another_kind_of_unit_is_told(tmp_path):
    control = "controls:\n  flow: {address: 5, unit: kPa, confirm: {signal: a}, sim: flow.setpoint}\n"
    code, (line,) = reported(write(tmp_path, "  a: {address: 5, unit: kPa}\n", control))
    assert code == 2
    assert "unit.yaml:11:" in line
    assert "flow.setpoint does not fit: 'kPa' is a pressure" in line


def test_what_is_right_or_only_beyond_the_rack_is_no_mistake(tmp_path):
    signals = (
        "  a: {address: 1, unit: RPM, sim: 'pump[7].rpm'}\n  b: {address: 2, sim: {of: own.anything, value: 5}}\n"
        "  c: {address: 3, unit: '%RH', sim: ambient.humidity}\n  d: {address: 4, unit: s, sim: twin.uptime}\n"
    )
    assert reported(write(tmp_path, signals, OUTLET)) == (0, [])


def test_several_mistakes_are_told_at_once_and_those_of_a_station_too(tmp_path):
    path = write(tmp_path, "  a: {address: 1, sim: x.y}\n  b: {address: 2, unit: V, sim: loop.flow}\n", OUTLET)
    _, lines = reported(path)
    assert [line.split(": HX-1402")[0].rpartition("unit.yaml:")[2] for line in lines] == ["9:24", "10:33"]
    (tmp_path / "station.yaml").write_text(STATION)
    code, again = reported(tmp_path / "station.yaml")
    assert code == 2
    assert [line for line in again if "HX-1402" in line] == lines


def test_a_simulation_is_refused_with_the_same_lines(tmp_path):
    path = write(tmp_path, "  a: {address: 1, unit: VA, sim: pdu.power}\n", OUTLET)
    (tmp_path / "station.yaml").write_text(STATION)
    on = load_station(tmp_path / "station.yaml")
    with pytest.raises(ProblemsError) as caught:
        run(lambda: start_simulation(on, virtual=True))
    assert str(caught.value).startswith(f"{path}:9:34: HX-1402 ")


@pytest.mark.parametrize("name", known_profiles())
def test_no_shipped_profile_names_what_is_not_there(name):
    assert binding_problems(*load_profile(known_profiles()[name])) == []


def test_the_list_of_variables_holds_what_profiles_name():
    known = {name: (unit, shown, moved) for name, unit, shown, moved in variables()}
    assert known["loop.flow"] == ("L/min", True, False)
    assert known["pump[i].speed"] == ("%", True, True)
    assert known["outlet[i]"] == ("", True, True)
    assert known["pdu.apparent_power"] == ("VA", True, False)
    assert "twin.uptime" in TWIN
