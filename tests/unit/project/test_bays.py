"""A line of bays in one station file: which is meant, what differs, and what is wrong with the table."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.project.station import load_station
from harness.schema.problems import ProblemsError
from tests.plan_runs import STATION

BAYS = """bays:
  bay-1: {pdu: "snmp://127.0.0.1:16100", cdu: "modbus+tcp://127.0.0.1:15020/12"}
  bay-2: {pdu: "snmp://127.0.0.1:16200", cdu: "modbus+tcp://127.0.0.1:15022/12"}
"""


@pytest.fixture
def line(tmp_path):
    text = STATION.read_text()
    for name, address in (("pdu", "snmp://127.0.0.1:16100"), ("cdu", "modbus+tcp://127.0.0.1:15020/12")):
        assert f'"{address}"' in text
        text = text.replace(f'"{address}"', f'"${{{name}}}"')
    for other, port in (("15021/144", "1"), ("16101", "2"), ("15025", "3"), ("15026", "4")):
        assert other in text, port
    path = tmp_path / "line.yaml"
    path.write_text(text.replace("station: simulated\n", "station: ${bay}\n" + BAYS))
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
    ],
)
def test_what_is_wrong_with_the_table_is_told(old, new, said, line):
    changed(line, old, new)
    done = CliRunner().invoke(cli, ["check", str(line)])
    assert done.exit_code == 2
    assert said in done.stderr


def test_a_line_is_checked_as_a_whole(line):
    changed(line, "snmp://127.0.0.1:16200", "snmp://127.0.0.1:16100")
    done = CliRunner().invoke(cli, ["check", str(line)])
    assert done.exit_code == 2
    assert "HX-1386 pdu of bay-2 has the address of pdu of bay-1" in done.stderr
    assert "switch" in done.stderr  # that of both bays is written into the file: it is one device


def test_two_bays_that_share_nothing_are_fine(line):
    for name, port in (("shelf1", "modbus+tcp://127.0.0.1:15021/144"), ("switch", "snmp://127.0.0.1:16101")):
        own = port.replace("15021", "15031").replace("16101", "16201")
        changed(line, f'"{port}"', f'"${{{name}}}"')
        changed(line, "  bay-1: {", f'  bay-1: {{{name}: "{port}", ')
        changed(line, "  bay-2: {", f'  bay-2: {{{name}: "{own}", ')
    for name, port in (("rack", "15025"), ("daq", "15026")):
        changed(line, f'"TCPIP::127.0.0.1::{port}::SOCKET"', f'"${{{name}}}"')
        changed(line, "  bay-1: {", f'  bay-1: {{{name}: "TCPIP::127.0.0.1::{port}::SOCKET", ')
        changed(line, "  bay-2: {", f'  bay-2: {{{name}: "TCPIP::127.0.0.1::{port[:-2]}99::SOCKET", ')
    text = line.read_text().replace("15099::SOCKET", "15098::SOCKET", 1)
    line.write_text(text)
    done = CliRunner().invoke(cli, ["check", str(line)])
    assert done.exit_code == 0, done.stderr
    assert "a line of 2 bays: bay-1, bay-2" in done.stdout
