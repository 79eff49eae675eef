"""A line of bays in one station file: which is meant, what differs, and what is wrong with the table."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.project.station import load_station
from harness.schema.problems import ProblemsError
from tests.plan_runs import STATION

OWN = {
    "pdu": ("snmp://127.0.0.1:16100", "snmp://127.0.0.1:16200"),
    "cdu": ("modbus+tcp://127.0.0.1:15020/12", "modbus+tcp://127.0.0.1:15022/12"),
    "shelf1": ("modbus+tcp://127.0.0.1:15021/144", "modbus+tcp://127.0.0.1:15031/144"),
    "switch": ("snmp://127.0.0.1:16101", "snmp://127.0.0.1:16201"),
    "rack": ("TCPIP::127.0.0.1::15025::SOCKET", "TCPIP::127.0.0.1::15035::SOCKET"),
    "daq": ("TCPIP::127.0.0.1::15026::SOCKET", "TCPIP::127.0.0.1::15036::SOCKET"),
}


@pytest.fixture
def line(tmp_path):
    """Two bays that share nothing."""
    text = STATION.read_text()
    rows = ["bays:"]
    for at, bay in enumerate(("bay-1", "bay-2")):
        columns = ", ".join(f'{name}: "{each[at]}"' for name, each in OWN.items())
        rows.append(f"  {bay}: {{{columns}}}")
    for name, (address, _) in OWN.items():
        assert f'"{address}"' in text
        text = text.replace(f'"{address}"', f'"${{{name}}}"')
    path = tmp_path / "line.yaml"
    path.write_text(text.replace("station: simulated\n", "\n".join(["station: ${bay}", *rows, ""])))
    return path


def changed(line, old, new):
    text = line.read_text()
    assert old in text
    line.write_text(text.replace(old, new))
    return line


@pytest.mark.parametrize(("bay", "pdu"), [("bay-1", "snmp://127.0.0.1:16100"), ("bay-2", "snmp://127.0.0.1:16200")])
def test_each_bay_is_a_station_of_its_own(bay, pdu, line):
    on = load_station(f"{line}@{bay}")
    assert (on.station.station, on.station.devices["pdu"].address) == (bay, pdu)
    assert str(line) in on.hashes


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("", "6:3: HX-1392 this file is of 2 bays, name one, like"),
        ("@bay-9", "6:3: HX-1392 there is no bay 'bay-9'"),
        ("@", "6:3: HX-1392 this file is of 2 bays"),
    ],
)
def test_a_bay_that_is_not_named_or_not_there_is_one_line(named, said, line):
    with pytest.raises(ProblemsError) as error:
        load_station(f"{line}{named}")
    (problem,) = error.value.problems
    assert said in str(problem)


def test_a_file_of_one_station_has_no_bays():
    with pytest.raises(ProblemsError, match="has no bays"):
        load_station(f"{STATION}@bay-1")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("${bay}", "line", "a file of several bays is called by the bay"),
        (', cdu: "modbus+tcp://127.0.0.1:15022/12"', "", "bay-2 and bay-1 do not have the same values: cdu"),
        ("modbus+tcp://127.0.0.1:15022/12", "modbus+tcp:/127", "(cdu = modbus+tcp:/127)"),
        ("bay-2: {", "bay-2: {bay: two, ", "HX-1392 the bay's name is no column"),
        ("snmp://127.0.0.1:16200", "snmp://127.0.0.1:16100", "HX-1386 pdu of bay-2 has the address of pdu of bay-1"),
    ],
)
def test_what_is_wrong_with_the_table_is_told(old, new, said, line):
    changed(line, old, new)
    done = CliRunner().invoke(cli, ["check", str(line)])
    assert done.exit_code == 2
    assert said in done.stderr


def test_what_is_written_once_for_all_bays_is_one_device_and_told_with_any_bay(line):
    changed(line, '"${switch}"', '"snmp://127.0.0.1:16101"')
    for named in (str(line), f"{line}@bay-1"):
        done = CliRunner().invoke(cli, ["check", named])
        assert done.exit_code == 2
        assert "HX-1386 switch of bay-2 has the address of switch of bay-1" in done.stderr


def test_two_bays_that_share_nothing_are_fine(line):
    done = CliRunner().invoke(cli, ["check", str(line)])
    assert done.exit_code == 0, done.stderr
    assert "a line of 2 bays: bay-1, bay-2" in done.stdout
