"""Secrets that a station needs: missing or wrong ones are told before a run, in words, and never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.device.snmp.credentials import snmp_credentials
from harness.errors import ConfigError
from harness.project.checks.secrets import secret_problems
from harness.project.station import load_station
from harness.schema.station import FileRef

STATION = """\
schema: 1
station: s
devices:
  pdu: {profile: pdu/apc_rpdu2, address: "snmp://127.0.0.1:1", credentials: {file: snmp.cred}, counts: {outlet: 8}}
  cdu: {profile: cdu/meta_rpu, address: "modbus+tcp://127.0.0.1:1/12"}
  box: {profile: cdu/redfish_cdu, address: "redfishs://127.0.0.1:1?ca=box.pem"}
safe_state: {default: [{set: pdu.outlet, to: "off"}]}
"""
PLAN = """\
schema: 1
plan: x
steps:
  - {step: measure, name: v, signal: "pdu.phase[1].voltage", over: 3 s, limit: {min: 216 V}}
"""
GOOD = """\
version: '3'
user: monitor
auth_protocol: SHA-256
auth_key: secret-phrase
priv_protocol: AES
priv_key: other-phrase
"""


def station(folder: Path, credentials: str | None = GOOD, mode: int = 0o600) -> Path:
    path = folder / "station.yaml"
    path.write_text(STATION.replace("?ca=box.pem", "?insecure=true"))
    if credentials is not None:
        (folder / "snmp.cred").write_text(credentials)
        (folder / "snmp.cred").chmod(mode)
    return path


def problems(path: Path) -> list[str]:
    return [str(each).replace(f"{path.parent}/", "") for each in secret_problems(load_station(path))]


def test_what_net_snmp_calls_the_protocols_is_read(tmp_path):
    assert problems(station(tmp_path)) == []
    found = snmp_credentials(FileRef(file="snmp.cred"), tmp_path)
    assert (found.auth_protocol, found.priv_protocol) == ("SHA256", "AES128")


@pytest.mark.parametrize(
    ("credentials", "mode", "wanted"),
    [
        (None, 0o600, "station.yaml:4:77: HX-1310 cannot read the secret in snmp.cred: No such file or directory"),
        (GOOD, 0o644, "HX-1310 snmp.cred can be read or changed by others, chmod 600"),
        (GOOD.replace("SHA-256", "hunter22"), 0o600, "3:16 expected one of MD5, SHA1, SHA224, SHA256, SHA384, SHA512"),
        (GOOD.replace("user:", "hunter22:"), 0o600, "2:1 an unknown key, allowed are version, community, user"),
        (GOOD.replace("secret-phrase", "12345678"), 0o600, "4:11 expected text, quote the value"),
        (GOOD.replace("auth_key: ", "auth_key "), 0o600, "not YAML: indentation, quotes, brackets, tabs"),
        (GOOD.replace("version: '3'\n", ""), 0o600, "missing key 'version'"),
        ("hunter22", 0o600, "expected a mapping (key: value)"),
        ("", 0o600, "not YAML: indentation, quotes, brackets, tabs; or the file is empty"),
        ("version: '2c'\ncommunity: public\nuser: hunter22\n", 0o600, "SNMP version 2c has no use for user"),
    ],
)
def test_what_is_wrong_is_said_in_words_that_hold_no_secret(credentials, mode, wanted, tmp_path):
    (line,) = problems(station(tmp_path, credentials, mode))
    assert "HX-1310" in line
    assert wanted in line
    for secret in ("hunter22", "secret-phrase", "other-phrase", "12345678"):
        assert secret not in line


def test_a_secret_of_the_environment(tmp_path, monkeypatch):
    path = station(tmp_path)
    path.write_text(path.read_text().replace("{file: snmp.cred}", "{env: NO_SUCH_SECRET}"))
    (line,) = problems(path)
    assert "HX-1310 the environment variable NO_SUCH_SECRET is not set" in line
    monkeypatch.setenv("NO_SUCH_SECRET", GOOD)
    assert problems(path) == []


def test_certificates_and_devices_without_a_log_in(tmp_path):
    path = station(tmp_path)
    text = path.read_text().replace("?insecure=true", "?ca=box.pem")
    path.write_text(text.replace(':1/12"}', ':1/12", credentials: {file: snmp.cred}}'))
    reported = problems(path)
    assert len(reported) == 2
    assert "station.yaml:5:" in reported[0]
    assert "modbus has no log-in: nobody uses these credentials" in reported[0]
    assert "station.yaml:6:" in reported[1]
    assert "no such file" in reported[1]
    (tmp_path / "box.pem").write_text("no certificate")
    assert "the certificates cannot be read" in problems(path)[1]


@pytest.mark.parametrize("kind", ["fifo", "folder", "long", "device"])
def test_a_secret_is_a_short_regular_file(kind, tmp_path):
    path = tmp_path / "snmp.cred"
    if kind == "fifo":
        os.mkfifo(path, 0o600)
    elif kind == "folder":
        path.mkdir()
    elif kind == "long":
        path.write_text("x" * 100_000)
        path.chmod(0o600)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match="cannot read the secret in"):
        snmp_credentials(FileRef(file="snmp.cred"), tmp_path)


def test_check_and_run_tell_it_before_anything_is_contacted(tmp_path):
    path = station(tmp_path, None)
    (tmp_path / "plan.yaml").write_text(PLAN)
    plan = str(tmp_path / "plan.yaml")
    env = {"HARNESS_DATA": str(tmp_path / "data"), "HARNESS_STATION": ""}

    def invoke(*arguments: str):
        return CliRunner().invoke(cli, arguments, env=env)

    checked = invoke("check", str(path))
    assert checked.exit_code == 0  # the file may be checked where its secrets are not
    assert "HX-1310" in checked.stderr
    run = invoke("run", plan, "--station", str(path), "--serial", "R1")
    assert run.exit_code == 2, run.output
    assert "HX-1310 cannot read the secret" in run.stderr
    assert not list((tmp_path / "data").glob("runs/*"))
    simulated = invoke("run", plan, "--station", str(path), "--simulate", "--virtual")
    assert "HX-1310" not in simulated.output  # a simulated device asks for nothing
    warned = invoke("check", plan, "--station", str(path))
    assert warned.exit_code == 0
    assert "HX-1310" in warned.stderr
