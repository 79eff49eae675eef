"""What `check` accepts as an address can be opened; what cannot is refused before anything is contacted."""

from __future__ import annotations

import re

import pytest

from harness.device.address import parse_address
from harness.device.modbus.serial_line import line_settings
from harness.device.snmp.credentials import SnmpFile
from harness.errors import ConfigError
from harness.project.station import load_station
from harness.schema.problems import ProblemsError
from harness.schema.profiles.modbus import ModbusOptions, ModbusProfile
from harness.schema.source import parse_source, validate
from harness.transport.network import SocketNetwork
from harness.transport.visa.connect import open_instrument
from tests.plan_runs import PLANS

RIGHT = [
    "TCPIP::dmm::5025::SOCKET",
    "TCPIP0::10.0.0.7::5025::SOCKET",
    "TCPIP::[::1]::5025::SOCKET",
    "TCPIP::[fe80::1%eth0]::5025::SOCKET",
    "TCPIP::dmm::INSTR",
    "TCPIP::dmm::hislip0::INSTR",
    "ASRL/dev/ttyUSB0::INSTR",
    "ASRL1::INSTR",
    "USB0::0x2A8D::0x0101::MY1::INSTR",
    "GPIB0::12::INSTR",
]
WRONG = [
    ("TCPIP::[::1]::INSTR", "IPv6 is for TCPIP::[HOST]::PORT::SOCKET"),
    ("TCPIP::fe80::1::5025::SOCKET", "is not TCPIP::HOST::PORT::SOCKET"),
    ("TCPIP::[::1::5025::SOCKET", "is not TCPIP::HOST::PORT::SOCKET"),
    ("TCPIP::[::g]::5025::SOCKET", "'::g' is no IPv6 address"),
    ("TCPIP::dmm::5025", "ends in ::INSTR, or ::SOCKET"),
    ("TCPIP::dmm::0::SOCKET", "a port of 1 to 65535"),
    ("TCPIP::dmm::65536::SOCKET", "a port of 1 to 65535"),
    ("TCPIP::dmm::telnet::SOCKET", "a port of 1 to 65535"),
    ("TCPIP::10.0.0.1300::5025::SOCKET", "'10.0.0.1300' is no IPv4 address"),
    ("TCPIP::::5025::SOCKET", "is not a VISA resource"),
    ("ASRL::INSTR", "is not a VISA resource"),
    ("modbus+tcp://10.1.0.1300:502/1", "'10.1.0.1300' is no IPv4 address"),
    ("modbus+tcp://10.1.0:502/1", "'10.1.0' is no IPv4 address"),
    ("snmp://${PDU_A}:161", "a station file takes no variables"),
    ("snmp://pdu a:161", "is no host"),
    ("snmp://10.0.0.11:0", "no valid port (1 to 65535)"),
    ("modbus+tcp://10.0.0.12:0/1", "no valid port (1 to 65535)"),
    ("snmp://fe80::1:161", "an IPv6 address stands in brackets"),
    ("snmp://0.0.0.0:161", "the address of no one device"),
    ("modbus+tcp://255.255.255.255:502/1", "the address of no one device"),
    ("TCPIP::224.0.0.1::5025::SOCKET", "the address of no one device"),
    ("snmp://[ff02::1]:161", "the address of no one device"),
    ("snmp://pdü:161", "is no host"),
    (f"snmp://{'a' * 64}.example:161", "is no host"),
    ("modbus+rtu:///dev/ttyUSB0?baud=fast/1", "baud is 300 to 1000000"),
    ("modbus+rtu:///dev/ttyUSB0?baud=19200&parity=X/1", "parity N, E or O"),
    ("modbus+rtu:///dev/ttyUSB0?stop=3/1", "stop 1 or 2"),
]


@pytest.mark.parametrize("text", RIGHT)
def test_a_right_resource_is_right_for_check_and_for_open(text):
    where = parse_address(text)
    assert where.protocol == "scpi"
    assert str(where) == text
    open_instrument(text, SocketNetwork(), virtual=False)


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_wrong_address_is_told_by_check(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_address(text)
    if text.startswith(("TCPIP", "ASRL")):
        with pytest.raises(ConfigError) as refused:
            open_instrument(text, SocketNetwork(), virtual=False)
        assert message in refused.value.message


def test_hosts_that_are_right():
    for host in ("pdu-3.bay2.example", "pdu_3", "10.0.0.11", "[::1]", "[fe80::1]", "localhost", "pdu."):
        assert parse_address(f"snmp://{host}:161").port == 161


def test_the_line_is_set_as_the_address_says_else_as_the_profile_does():
    profile = ModbusProfile.model_construct(modbus=ModbusOptions(baud=9600, parity="N", stop=2))
    assert line_settings(profile, parse_address("modbus+rtu:///dev/ttyUSB0/7")) == (9600, "N", 2)
    assert line_settings(profile, parse_address("modbus+rtu:///dev/ttyUSB0?baud=38400&parity=e/7")) == (38400, "E", 2)
    assert line_settings(profile, parse_address("modbus+tcp://cdu/7")) is None


STATION = """schema: 1
station: s
devices:
  cdu: {profile: cdu/meta_rpu, address: "modbus+rtu:///dev/ttyUSB0?baud=19200/12"}
  bbu: {profile: cdu/meta_rpu, address: "modbus+rtu:///dev/ttyUSB0?baud=9600/13"}
"""


def test_two_settings_of_one_line_are_told_by_check(tmp_path):
    (tmp_path / "s.yaml").write_text(STATION)
    with pytest.raises(ProblemsError) as caught:
        load_station(tmp_path / "s.yaml")
    (line,) = [line for line in str(caught.value).splitlines() if "HX-1309" in line]
    assert ":5:" in line
    assert "bbu needs the line at 9600 baud" in line
    assert "cdu has it at 19200 baud" in line


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('telemetry: {influxdb: {url: "10.0.0.1:8086", bucket: b}}', "is not http"),
        ('telemetry: {influxdb: {url: "ftp://h:8086", bucket: b}}', "is not http"),
        ('telemetry: {influxdb: {url: "http://me:hidden@h:8086", bucket: b}}', "holds no user, password"),
        ('telemetry: {influxdb: {url: "http://h:99999", bucket: b}}', "no valid port"),
        ('telemetry: {influxdb: {url: "http://10.0.0.1300", bucket: b}}', "is no IPv4 address"),
        ('telemetry: {influxdb: {url: "http://$H", bucket: b}}', "takes no variables"),
        ('traps: {listen: "10.1.0.1300:10162", users: []}', "is no IPv4 address"),
        ("", ""),
        ('traps: {listen: "0.0.0.0:10162", users: []}', ""),
        ('traps: {listen: "[::]:10162", users: []}', ""),
        ('telemetry: {influxdb: {url: "https://[::1]:8086/influx", bucket: b}}', ""),
    ],
)
def test_addresses_of_no_device_are_checked_where_they_stand(tmp_path, line, message):
    path = tmp_path / "station.yaml"
    path.write_text(f"{(PLANS / 'stations/simulated.yaml').read_text()}\n{line}\n")
    reported = ()
    try:
        load_station(path)
    except ProblemsError as error:
        reported = error.problems
    assert [each.code for each in reported] == (["HX-1301"] if message else [])
    assert message in "".join(each.message for each in reported)
    assert "hidden" not in str(reported)


@pytest.mark.parametrize(("text", "version"), [("3", "3"), ('"3"', "3"), ("v3", "3"), ("v2c", "2c"), ("2", "2c")])
def test_a_version_is_read_as_people_write_it(text, version):
    assert validate(parse_source(f"version: {text}\n".encode(), "c"), SnmpFile).version == version
