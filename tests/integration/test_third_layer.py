"""The third layer under a service manager that obeys the shipped unit files, by the simulator's truth. What becomes of
racks whose run and guardian are both gone, with a supervisor and without, is in `tests/chaos/orphans.py`."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.safety import armed
from tests.integration import forked
from tests.integration.forked import Forked
from tests.integration.guarded_tools import OUTLETS, is_alive, kinds, said, until
from tests.integration.hand_tools import harness
from tests.integration.service_bay import V3, WITHIN_S, ServiceBay

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def devices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceBay]:
    """The simulated devices: one process for all tests of this file, each of which leaves them off."""
    made = ServiceBay(tmp_path_factory.mktemp("bay"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def bay(devices: ServiceBay) -> Iterator[ServiceBay]:
    station, plan = devices.station.read_text(), devices.plan.read_text()
    try:
        yield devices
    finally:
        devices.clear()
        devices.station.write_text(station)
        devices.plan.write_text(plan)
        if devices.outlets_on():
            harness(devices, "safe", devices.station)


def test_all_three_frozen_and_the_service_manager_starts_the_supervisor_again(bay: ServiceBay) -> None:
    supervisor = bay.supervise()
    _, begun = bay.begin_as_a_service()
    assert supervisor.main is not None
    for pid in (supervisor.main.pid, begun.guardian, begun.runner):
        os.kill(pid, signal.SIGSTOP)
    took = until(lambda: bay.outlets_on() == 0, 40)
    assert took <= WITHIN_S, (took, supervisor.text())
    assert supervisor.starts == 2
    until(lambda: bay.armed_files() == [], 15)


def test_a_start_of_the_machine_finds_what_is_armed_though_its_processes_are_others(bay: ServiceBay) -> None:
    service, begun = bay.begin_as_a_service()
    assert "NO supervisor runs" in service.text()
    begun.end(signal.SIGKILL)
    (path,) = bay.armed_files()
    content = armed.read(path)
    os.unlink(content["live"])  # memory does not survive a start
    armed.write(path, {**content, "boot": "another", "pids": [os.getpid(), os.getppid()]})
    bay.supervise()
    assert until(lambda: bay.outlets_on() == 0, 20) <= 5.0


def test_the_armed_file_is_private_and_gone_when_the_run_has_ended_well(bay: ServiceBay) -> None:
    bay.plan.write_text(bay.plan.read_text().replace("within: 120 s", "within: 3 s"))
    runner = bay.start_run()
    until(lambda: bay.armed_files() != [], 30)
    (path,) = bay.armed_files()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"simulated-" not in path.read_bytes(), "a secret on the disk"
    live = armed.read(path)["live"]
    assert stat.S_IMODE(Path(live).stat().st_mode) == 0o600
    until(lambda: bay.outlets_on() == OUTLETS, 30)
    assert runner.wait(60) == 1
    assert bay.armed_files() == []
    assert not Path(live).exists()
    assert bay.outlets_on() == 0


def test_a_guardian_that_made_the_rack_safe_leaves_nothing_armed(bay: ServiceBay) -> None:
    supervisor = bay.supervise()
    runner, folder, guardian = bay.power_up()
    runner.kill()
    assert until(lambda: bay.outlets_on() == 0, 10) <= 3.0
    until(lambda: not is_alive(guardian), 15)
    assert bay.armed_files() == []
    assert "making the rack safe" not in supervisor.text()
    assert kinds(folder)[-1] == "safe"


def test_what_is_not_confirmed_stays_armed_until_it_is(bay: ServiceBay) -> None:
    """Also when the device was away while the supervisor connected to it."""
    bay.station.write_text(bay.station.read_text().replace("counts: {outlet", "grace: 2 s, counts: {outlet"))
    runner, folder, _ = bay.power_up()
    bay.ask("inject device_down:pdu")
    assert runner.wait(90) == 5
    assert len(bay.armed_files()) == 1
    supervisor = bay.supervise()
    until(lambda: kinds(folder)[-1] == "unclear", 20)
    assert "making the rack safe" in supervisor.text()
    assert bay.outlets_on() == OUTLETS
    bay.ask("inject device_heal:pdu")
    until(lambda: bay.outlets_on() == 0, 30)
    until(lambda: bay.armed_files() == [], 15)


def test_a_frozen_guardian_is_noticed_within_three_seconds(bay: ServiceBay) -> None:
    runner, _, guardian = bay.power_up()
    os.kill(guardian, signal.SIGSTOP)
    assert until(lambda: bay.outlets_on() == 0, 20) <= 3.0 + 1.2
    os.kill(guardian, signal.SIGCONT)
    assert runner.wait(40) == 3
    outcome = said(runner)
    assert "frozen" in outcome["reason"]
    assert outcome["safe"]


def test_credentials_from_the_environment_are_refused_with_this_layer(bay: ServiceBay) -> None:
    bay.station.write_text(bay.station.read_text().replace("{file: pdu.cred}", "{env: PDU_CRED}"))
    command = ("run", bay.plan, "--serial", "RACK-0042")
    done = harness(bay, *command, PDU_CRED=V3)
    assert done.code == 2, done.said
    assert "$PDU_CRED" in done.said
    assert bay.armed_files() == []
    assert bay.outlets_on() == 0
    with (bay.folder / "without.out").open("w") as out:
        env = {**bay.env, "PDU_CRED": V3, "HARNESS_ARMED": ""}
        process = Forked(forked.command(*command), env=env, stdout=out, stderr=out)
    try:
        until(lambda: bay.outlets_on() == OUTLETS, 60)
    finally:
        process.terminate()
        assert process.wait(60) == 143
