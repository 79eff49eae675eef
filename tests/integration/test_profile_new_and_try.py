"""`harness profile new` and `try`: a beginning that is right as it is, and a first contact that writes nothing."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from harness.clock import run
from harness.device.registry import load_profile
from harness.project.station import load_station
from harness.schema.canonical import SIGNALS, missing_names
from sim.station import start
from tests.integration import forked
from tests.integration.cli_tools import harness
from tests.integration.forked import command

COMMUNITY = "N0tForReports"


async def tried(*arguments: str) -> tuple[int, str, str]:
    """Run `harness profile try` beside the simulated device of this process."""
    work = command("profile", "try", *arguments)
    return await asyncio.to_thread(forked.run, work, dict(os.environ), 40)


def station_with(folder: Path, profile: str, address: str) -> Path:
    """A station of one device."""
    path = folder / "station.yaml"
    path.write_text(f'schema: 1\nstation: trial\ndevices:\n  it: {{profile: {profile}, address: "{address}"}}\n')
    return path


async def simulated(path: Path):
    """The simulated device of a station file, over real sockets."""
    on = load_station(path)
    profiles = {entry.profile: on.catalog.profiles[name] for name, entry in on.station.devices.items()}
    return await start(on.station, profiles, virtual=False, seed=7, faults=(), ports=None)


@pytest.mark.parametrize("protocol", ["snmp", "modbus", "scpi", "redfish"])
@pytest.mark.parametrize("class_", ["pdu", "cdu", "load"])
def test_a_new_profile_passes_its_check_and_has_a_twin_that_can_be_tried(class_, protocol, tmp_path):
    made = harness("profile", "new", f"{class_}/acme_one", "--protocol", protocol, data=tmp_path / "d", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    path = tmp_path / "acme_one.yaml"
    profile, _ = load_profile(path)
    assert (profile.profile, profile.protocol) == (f"{class_}/acme_one", protocol)
    assert profile.unverified

    addresses = {"snmp": "snmp://h:161", "modbus": "modbus+tcp://h:502/1", "scpi": "TCPIP::h::5025::SOCKET"}
    address = {**addresses, "redfish": "redfishs://h"}[protocol]

    async def main():
        simulation = await simulated(station_with(tmp_path, "acme_one.yaml", address))
        try:
            return await tried(str(path), simulation.addresses["it"])
        finally:
            await simulation.close()

    code, out, errors = run(main)
    assert code == 0, out + errors
    assert "nothing was written" in out
    lines = out.splitlines()
    count = next(line for line in lines if line.endswith("nothing was written")).split()
    assert count[0] == count[2] != "0", out
    assert next(line.split() for line in lines if line.startswith("model "))[:2] == ["model", "Model"]


def test_an_existing_file_is_left_alone(tmp_path):
    (tmp_path / "acme_one.yaml").write_text("mine")
    made = harness("profile", "new", "pdu/acme_one", "--protocol", "snmp", data=tmp_path / "d", cwd=tmp_path)
    assert made.returncode == 2
    assert "exists already" in made.stderr
    assert (tmp_path / "acme_one.yaml").read_text() == "mine"


@pytest.mark.parametrize("name", ["acme", "car/acme", "pdu/Acme One", "pdu/../etc", "../pdu/x"])
def test_what_is_no_profile_name_is_refused(name, tmp_path):
    made = harness("profile", "new", name, "--protocol", "snmp", data=tmp_path / "d", cwd=tmp_path)
    assert made.returncode == 2, made.stderr
    assert not list(tmp_path.rglob("*.yaml"))


def test_names_that_plans_need_and_a_profile_lacks_are_noted(tmp_path):
    harness("profile", "new", "cdu/acme_one", "--protocol", "modbus", data=tmp_path / "d", cwd=tmp_path)
    checked = harness("profile", "check", "acme_one.yaml", data=tmp_path / "d", cwd=tmp_path)
    assert checked.returncode == 0
    assert "note: acme_one.yaml: plans for every cdu use signals that this profile lacks: flow," in checked.stderr
    assert missing_names(load_profile(tmp_path / "acme_one.yaml")[0])[0] == list(SIGNALS["cdu"])


def test_a_first_contact_shows_raw_numbers_and_neither_secrets_nor_serial(tmp_path):
    """The twin's serial number, the community and the address stay out; the outlets stay as they are."""
    secret = tmp_path / "snmp.cred"
    secret.write_text(f'version: "2c"\ncommunity: {COMMUNITY}\n')
    secret.chmod(0o600)

    async def main():
        simulation = await simulated(station_with(tmp_path, "pdu/apc_rpdu2", "snmp://h:161"))
        before = {k: v for k, v in simulation.truth().items() if k.startswith("outlet[") and k.endswith(".state")}
        try:
            address = simulation.addresses["it"]
            mine = await tried("pdu/apc_rpdu2", address)
            wrong = await tried("pdu/raritan_pdu2", address)
            refused = await tried("pdu/apc_rpdu2", address, "--credentials", str(secret))
            after = {k: v for k, v in simulation.truth().items() if k in before}
        finally:
            await simulation.close()
        return mine, wrong, refused, before, after

    (code, out, errors), wrong, refused, before, after = run(main)
    assert code == 0, out + errors
    assert next(line for line in out.splitlines() if line.startswith("outlet[1].state")).split() == [
        "outlet[1].state", "1", "off", "GOOD",
    ]  # fmt: skip
    assert next(line for line in out.splitlines() if line.startswith("serial")).split() == ["serial", "***", "GOOD"]
    assert "127.0.0.1" not in out
    assert before == after != {}
    assert wrong[0] == 3, wrong
    assert "but profile pdu/raritan_pdu2 is for" in wrong[2]
    assert "uptime" in wrong[1], "what can be read is shown all the same"
    assert refused[0] == 3, "the twin answers `public` only"
    assert COMMUNITY not in "".join(refused[1:])


def test_an_instrument_is_told_nothing_unless_asked_to(tmp_path):
    """`SYST:LOCK ON` takes an instrument out of the hands of whoever works with it: only with --configure."""

    async def main():
        simulation = await simulated(station_with(tmp_path, "load/ea_elr", "TCPIP::h::5025::SOCKET"))
        try:
            address = simulation.addresses["it"]
            return await tried("load/ea_elr", address), await tried("load/ea_elr", address, "--configure")
        finally:
            await simulation.close()

    (code, out, errors), (configured, more, _) = run(main)
    assert (code, configured) == (0, 0), out + errors
    assert "not sent: *CLS; SYST:LOCK ON" in out
    assert "not sent" not in more


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pdu/apc_rpdu3", "snmp://127.0.0.1:9"), "did you mean"),
        (("pdu/apc_rpdu2", "127.0.0.1"), "is not known"),
        (("pdu/apc_rpdu2", "modbus+tcp://127.0.0.1:9"), "speaks snmp"),
        (("pdu/apc_rpdu2", "snmp://127.0.0.1:9", "--parameter", "modul=2"), "did you mean 'module'"),
        (("pdu/apc_rpdu2", "snmp://127.0.0.1:9", "--parameter", "module=two"), "is a whole number"),
        (("pdu/apc_rpdu2", "snmp://127.0.0.1:9", "--credentials", "nowhere"), "cannot read the secret"),
    ],
)
def test_wrong_arguments_contact_nothing(arguments, said, tmp_path):
    result = harness("profile", "try", *arguments, data=tmp_path, cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert said in result.stderr
