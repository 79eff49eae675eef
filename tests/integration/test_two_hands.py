"""Two hands on one rack: what each of them may do and is told, judged by the truth of the simulated devices.

Runs, commands and guardians are processes of their own, some of them another user's.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.record.index import summarise
from harness.safety.lock import digest
from harness.safety.names import listed, state_of
from tests.integration import forked
from tests.integration.forked import Forked
from tests.integration.guarded_tools import OUTLETS, Bay, guardian_log, is_alive, kinds, until
from tests.integration.hand_tools import (
    Relay,
    as_nobody,
    forwarded,
    harness,
    needs_root,
    run_again,
    said_last,
    set_,
    write_station,
)


@contextlib.contextmanager
def made_in(folder: Path) -> Iterator[Bay]:
    """A bay with its devices, and a station file of them for others."""
    made = Bay(folder)
    try:
        made.start_devices()
        write_station(made, "a.yaml")
        yield made
    finally:
        made.close()


@pytest.fixture
def bay(tmp_path: Path) -> Iterator[Bay]:
    with made_in(tmp_path) as made:
        yield made


@dataclass(frozen=True)
class Occupied:
    """A bay whose run goes on."""

    bay: Bay
    runner: Forked
    folder: Path


@pytest.fixture(scope="module")
def occupied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Occupied]:
    """One run for all who are refused: none of them may change anything."""
    with made_in(tmp_path_factory.mktemp("occupied")) as made:
        runner, folder, _ = made.power_up()
        yield Occupied(made, runner, folder)
        assert made.outlets_on() == OUTLETS
        assert made.truth()["loop.flow"] > 5
        assert runner.poll() is None


def verdict_of(folder: Path) -> tuple[str, str]:
    found = summarise(folder)
    return str(found.verdict), found.reason


# --- who comes second ------------------------------------------------------------------------------------------------


def test_no_login_no_folder_no_name_and_no_file_gets_a_second_run_in(occupied: Occupied, tmp_path: Path) -> None:
    bay, runner, folder = occupied.bay, occupied.runner, occupied.folder
    same = bay.folder / "a.yaml"
    other = write_station(bay, "b.yaml", host="localhost", name="another name")
    for done in (
        run_again(bay, same, XDG_RUNTIME_DIR=str(tmp_path)),
        run_again(bay, same, data="data"),
        run_again(bay, other),
        run_again(bay, other, HOME=str(tmp_path), HARNESS_RUNTIME=str(tmp_path)),
    ):
        assert done.code == 6, done.said
        assert folder.name in done.said
        assert f"process {runner.pid}" in done.said
    assert bay.outlets_on() == OUTLETS
    assert not (bay.folder / "data-2" / "runs").exists(), "nothing was begun"


@needs_root
def test_another_users_start_is_refused_and_told_whose_the_rack_is(occupied: Occupied) -> None:
    bay = occupied.bay
    done = harness(
        bay, "run", bay.plan, "--station", bay.folder / "a.yaml", "--serial", "X", "--data", bay.folder / "data-2",
        user=as_nobody,
    )  # fmt: skip
    assert done.code == 6
    assert "by root, process" in done.said


@pytest.fixture
def relay(bay: Bay) -> Iterator[Relay]:
    address = json.loads(bay.addresses.read_text())["addresses"]["pdu"]
    made = Relay(int(address.rpartition(":")[2]))
    yield made
    made.close()


def test_a_run_by_another_route_is_refused_by_the_devices_own_serial_and_touches_nothing(
    bay: Bay, relay: Relay
) -> None:
    runner, folder, _ = bay.power_up()
    other = write_station(bay, "route.yaml", name="by another route", pdu=f"snmp://127.0.0.1:{relay.port}")
    text = other.read_text()
    for broken in (False, True):
        if broken:  # a start that fails switches off what it finds on, but not what another run has put on
            other.write_text(re.sub(r"(cdu: {[^}]*address: )\"[^\"]*\"", r'\1"modbus+tcp://127.0.0.1:9/12"', text))
        done = run_again(bay, other)
        assert done.code == 6, done.said
        assert "serial number SIM-" in done.said
        assert folder.name in done.said
        assert bay.outlets_on() == OUTLETS
    assert set_(bay, other, "pdu.outlet[1]", "off").code == 6
    assert bay.outlets_on() == OUTLETS
    address = json.loads(bay.addresses.read_text())["addresses"]["cdu"]
    with forwarded(int(address.rpartition(":")[2].partition("/")[0])) as port:
        replaced = {"pdu": f"snmp://127.0.0.1:{relay.port}", "cdu": f"modbus+tcp://127.0.0.1:{port}/12"}
        cooling = write_station(bay, "cooling.yaml", name="all by another route", **replaced)
        done = set_(bay, cooling, "cdu.pump", "off")
        assert done.code == 6, done.said
        assert "serial number SIM-" in done.said
    assert runner.poll() is None
    done = harness(bay, "safe", other)
    assert done.code == 0, done.said
    assert bay.outlets_on() == 0
    assert said_last(runner)["verdict"] == "ABORTED"


# --- set -------------------------------------------------------------------------------------------------------------


def test_set_is_refused_while_a_run_has_the_rack(occupied: Occupied) -> None:
    bay, runner, folder = occupied.bay, occupied.runner, occupied.folder
    other = write_station(bay, "b.yaml", host="localhost", name="b")
    for station in (bay.folder / "a.yaml", other):
        for control, value in (("pdu.outlet[3]", "off"), ("pdu.outlet", "on"), ("cdu.pump", "off")):
            done = set_(bay, station, control, value)
            assert done.code == 6, done.said
            assert folder.name in done.said
            assert "--force" in done.said
    assert bay.outlets_on() == OUTLETS
    assert bay.truth()["loop.flow"] > 5
    assert runner.poll() is None


def test_set_of_a_shared_unit_is_refused_although_the_file_names_no_switch(occupied: Occupied) -> None:
    bay = occupied.bay
    only = bay.folder / "cdu.yaml"
    address = json.loads(bay.addresses.read_text())["addresses"]["cdu"]
    only.write_text(
        f'{{schema: 1, station: plant, devices: {{cdu: {{profile: cdu/meta_rpu, address: "{address}", '
        "counts: {pump: 2}}}}\n"
    )
    done = set_(bay, only, "cdu.pump", "off")
    assert done.code == 6, done.said
    assert bay.truth()["loop.flow"] > 5


@needs_root
def test_set_by_force_goes_through_and_ends_the_run_in_the_name_of_who_typed_it(bay: Bay) -> None:
    runner, folder, _ = bay.power_up()
    done = set_(bay, bay.folder / "a.yaml", "pdu.outlet[3]", "off", "--force", user=as_nobody)
    assert done.code == 0, done.said
    assert "pdu.outlet[3] = off  confirmed" in done.said
    end = said_last(runner)
    assert runner.returncode == 130
    assert end["verdict"] == "ABORTED"
    assert "nobody set pdu.outlet[3] to off by force" in end["reason"]
    assert verdict_of(folder)[0] == "ABORTED"
    assert bay.outlets_on() == 0
    assert set_(bay, bay.folder / "a.yaml", "pdu.outlet[1]", "on").code == 0, "the rack is free again"
    assert bay.outlets_on() == 1


# --- safe ------------------------------------------------------------------------------------------------------------


@needs_root
def test_safe_by_another_user_ends_the_run_as_aborted_in_his_name(bay: Bay) -> None:
    runner, folder, _ = bay.power_up()
    other = write_station(bay, "b.yaml", host="localhost", name="b")
    done = harness(bay, "safe", other, user=as_nobody)
    assert done.code == 0, done.said
    assert "SAFE CONFIRMED" in done.said
    assert f"a run goes on and ends as ABORTED: it is in use by {folder.name}" in done.said
    assert bay.outlets_on() == 0
    end = said_last(runner)
    assert runner.returncode == 130
    assert (end["verdict"], end["safe"], end["sealed"]) == ("ABORTED", True, True)
    assert re.search(r"nobody made the rack safe with `harness safe` \(process \d+\)", end["reason"])


def test_while_safe_acts_nobody_begins_and_nobody_sets(bay: Bay) -> None:
    bay.ask("inject device_slow:pdu=0.5s")
    station = bay.folder / "a.yaml"
    with (bay.folder / "safe.out").open("w") as out:
        safe = Forked(forked.command("safe", station), env=bay.env, stdout=out, stderr=out)
    try:
        port = json.loads(bay.addresses.read_text())["addresses"]["pdu"].rpartition(":")[2]
        until(lambda: listed(f"harness.safe.{digest(f'udp 127.0.0.1 {port}')}."), 10)
        for done in (run_again(bay, station), set_(bay, station, "pdu.outlet", "on")):
            assert done.code == 6, done.said
            assert "in use by `harness safe`" in done.said
        assert bay.outlets_on() == 0
    finally:
        assert safe.wait(90) == 0, (bay.folder / "safe.out").read_text()


def test_safe_judges_the_rack_and_not_the_file(bay: Bay) -> None:
    station = bay.folder / "a.yaml"
    assert set_(bay, station, "pdu.outlet", "on").code == 0
    part = bay.folder / "part.yaml"
    sets = '{set: pdu.outlet, to: "off", confirm_within: 3 s, confirm_by: {signal: pdu.power, max: 500 W}}'
    assert sets in station.read_text()
    part.write_text(station.read_text().replace(sets, '{set: "pdu.outlet[2]", to: "off", confirm_within: 3 s}'))
    assert run_again(bay, part).code == 2, "no run begins with such a file"
    done = harness(bay, "safe", part)
    assert done.code == 5, done.said
    assert "SAFE CONFIRMED" not in done.said
    for number in (1, 3, 4):
        assert f"pdu.outlet[{number}] is on" in done.said
    assert bay.outlets_on() == OUTLETS - 1
    done = harness(bay, "safe", station)
    assert done.code == 0, done.said
    assert bay.outlets_on() == 0


def test_what_must_stay_on_is_read_back_and_shown(bay: Bay) -> None:
    station = bay.folder / "a.yaml"
    assert set_(bay, station, "pdu.outlet", "on").code == 0
    off = [f'{{set: "pdu.outlet[{number}]", to: "off", confirm_within: 3 s}}' for number in (1, 2, 3)]
    text = station.read_text().partition("safe_state:")[0]
    text += f"safe_state:\n  default: [{', '.join(off)}]\n"
    text += f"  leak: {{kind: leak, actions: [{', '.join(off)}, {{set: cdu.pump, to: 'off', confirm_within: 5 s}}]}}\n"
    station.write_text(text + 'stays_on: {"pdu.outlet[4]": feeds the CDU}\n')
    done = harness(bay, "safe", station)
    assert done.code == 0, done.said
    assert "stays on: pdu.outlet[4] is on (feeds the CDU)" in done.said
    assert bay.truth()["outlet[4].state"] > 0.5
    assert bay.outlets_on() == 1
    assert set_(bay, station, "pdu.outlet[4]", "off").code == 0
    done = harness(bay, "safe", station)
    assert done.code == 0, done.said
    assert "stays on: pdu.outlet[4] is OFF (feeds the CDU)" in done.said


@pytest.mark.parametrize("name", ["press me", "default"])
def test_safe_never_switches_on(bay: Bay, name: str) -> None:
    station = bay.folder / "on.yaml"
    text = (bay.folder / "a.yaml").read_text()
    text = text.replace("safe_state:", f'safe_state:\n  {name}: [{{set: pdu.outlet, to: "on", confirm_within: 3 s}}]')
    if name == "default":
        text = text.replace("\n  default:\n", "\n  other:\n")
    station.write_text(text)
    done = harness(bay, "safe", station, "--sequence", name)
    assert done.code == 2, done.said
    assert "puts power on, and nothing was sent" in done.said
    time.sleep(0.5)
    assert bay.outlets_on() == 0


def test_a_mistake_that_would_keep_a_run_back_keeps_nobody_from_switching_off(bay: Bay) -> None:
    station = bay.folder / "a.yaml"
    assert set_(bay, station, "pdu.outlet", "on").code == 0
    station.write_text(station.read_text().replace("for: 30 s", "for: 14 d"))
    assert run_again(bay, station).code == 2
    done = harness(bay, "safe", station)
    assert done.code == 0, done.said
    assert "harness check" in done.said
    assert bay.outlets_on() == 0


def test_safe_says_of_a_switch_that_does_not_tell_that_it_is_not_safe(bay: Bay) -> None:
    bay.ask("inject device_silent:pdu")
    done = harness(bay, "safe", bay.folder / "a.yaml")
    assert done.code == 5, done.said
    assert "pdu.outlet[1] cannot be read" in done.said


# --- a rack whose run is dead ----------------------------------------------------------------------------------------


def test_until_a_dead_runs_rack_is_safe_it_belongs_to_its_guardian_by_every_name(bay: Bay) -> None:
    runner, folder, guardian = bay.power_up()
    bay.ask("inject outlet_stuck:1")
    runner.kill()
    runner.wait()
    until(lambda: "takeover" in kinds(folder), 10)
    other = write_station(bay, "b.yaml", host="localhost", name="b")
    for station in (bay.folder / "a.yaml", other):
        done = run_again(bay, station)
        assert done.code == 6, done.said
        assert f"the guardian of {folder.name} is still making the rack safe" in done.said
        assert str(guardian) in done.said
        done = set_(bay, station, "pdu.outlet", "on")
        assert done.code == 6, done.said
        assert "guardian" in done.said
    until(lambda: bay.outlets_on() == 1, 10)
    done = harness(bay, "safe", other)
    assert done.code == 5, "the outlet is stuck, whoever switches it off"
    assert is_alive(guardian)
    assert any("harness safe" in json.dumps(line) or line.get("do") == "safe" for line in guardian_log(folder)), (
        guardian_log(folder)
    )


def test_when_the_guardian_has_done_its_work_the_rack_is_free(bay: Bay) -> None:
    runner, _, guardian = bay.power_up()
    runner.kill()
    runner.wait()
    until(lambda: not is_alive(guardian), 20)
    assert bay.outlets_on() == 0
    assert set_(bay, bay.folder / "a.yaml", "pdu.outlet[1]", "on").code == 0


def test_a_frozen_guardian_is_said_to_be_frozen_and_its_rack_is_nobodys_but_safes(bay: Bay) -> None:
    runner, folder, guardian = bay.power_up()
    os.kill(guardian, signal.SIGSTOP)
    until(lambda: state_of(guardian) == "T", 5)
    runner.kill()
    runner.wait()
    other = write_station(bay, "b.yaml", host="localhost", name="b")
    for done in (run_again(bay, bay.folder / "a.yaml"), run_again(bay, other), set_(bay, other, "pdu.outlet", "on")):
        assert done.code == 6, done.said
        assert f"the guardian of {folder.name}" in done.said
        assert f"process {guardian}) is frozen (state T, stopped): it makes nothing safe" in done.said
        assert f"kill -9 {guardian}" in done.said
    assert bay.outlets_on() == OUTLETS, "nobody is left who could help"
    done = harness(bay, "safe", other)
    assert done.code == 0, done.said
    assert f"process {guardian}) is frozen" in done.said
    assert bay.outlets_on() == 0
    os.kill(guardian, signal.SIGKILL)
    until(lambda: not is_alive(guardian), 5)
    assert set_(bay, other, "pdu.outlet[1]", "on").code == 0
    assert bay.outlets_on() == 1


def test_a_rack_with_a_frozen_runner_and_a_dead_guardian_is_locked_and_says_who(bay: Bay) -> None:
    runner, _, guardian = bay.power_up()
    os.kill(runner.pid, signal.SIGSTOP)
    until(lambda: state_of(runner.pid) == "T", 5)
    os.kill(guardian, signal.SIGKILL)
    until(lambda: not is_alive(guardian), 5)
    done = set_(bay, bay.folder / "a.yaml", "pdu.outlet", "off")
    assert done.code == 6, done.said
    assert f"process {runner.pid} is frozen (state T, stopped)" in done.said
    os.kill(runner.pid, signal.SIGKILL)
