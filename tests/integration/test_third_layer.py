"""Runner and guardian gone at once, under a service manager that obeys the shipped unit files, by the simulator's
truth: outlets off within fifteen seconds, the coolant on, and nothing energised again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from guarded_tools import OUTLETS, ROOT, Bay, diary, is_alive, kinds, said, until
from service_manager import Service

from harness.record.aftermath import aftermath
from harness.safety import armed

pytestmark = pytest.mark.timeout(180)
UNITS = ROOT / "packaging" / "systemd"
HARNESS = str(Path(sys.executable).parent / "harness")
WITHIN_S = 15.0
V3 = """version: "3"
user: harness-sim
auth_protocol: SHA256
auth_key: simulated-auth-phrase
priv_protocol: AES128
priv_key: simulated-priv-phrase
"""


class Station(Bay):
    """A bay whose station file has the real addresses, a folder for armed files, and services."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.armed = folder / "armed"
        self.armed.mkdir()
        self.services: list[Service] = []
        self.start_devices()
        found = json.loads(self.addresses.read_text())
        text = self.station.read_text()
        for old, device in (("snmp://127.0.0.1:16100", "pdu"), ("modbus+tcp://127.0.0.1:15020/12", "cdu")):
            text = text.replace(old, found["addresses"][device])
        (folder / "pdu.cred").write_text(V3)
        (folder / "pdu.cred").chmod(0o600)
        self.station.write_text(text.replace("counts: {outlet", "credentials: {file: pdu.cred}, counts: {outlet"))
        self.addresses.write_text(json.dumps({**found, "addresses": {}}))
        self.env |= {"HARNESS_ARMED": str(self.armed), "HARNESS_DATA": str(folder / "data")}
        self.env |= {"HARNESS_STATION": str(self.station), "PLAN": str(self.plan)}

    def serve(self, unit: str, instance: str = "") -> Service:
        service = Service(UNITS / unit, self.folder, self.env, HARNESS, instance)
        self.services.append(service)
        return service.start()

    def power_up_as_a_service(self) -> tuple[Service, Path, int, int]:
        """The run as a unit: (service, folder, process, guardian's process), all outlets on."""
        service = self.serve("harness@.service", "RACK-0042")
        until(lambda: self.outlets_on() == OUTLETS, 60)
        assert service.main is not None
        (folder,) = (path for path in (self.folder / "data").rglob("guardian.jsonl"))
        guardian = next(line["pid"] for line in diary(folder.parent) if line["kind"] == "start")
        return service, folder.parent, service.main.pid, guardian

    def armed_files(self) -> list[Path]:
        return armed.listed(self.armed)

    def close(self) -> None:
        for service in self.services:
            service.close()
        super().close()
        for path in self.armed_files():
            with contextlib.suppress(OSError, ValueError):
                os.unlink(armed.read(path)["live"])


@pytest.fixture
def bay(tmp_path: Path) -> Iterator[Station]:
    made = Station(tmp_path)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_both_gone_under_the_shipped_units(bay: Station, how: signal.Signals) -> None:
    supervisor = bay.serve("harness-supervisor.service")
    _, folder, runner, guardian = bay.power_up_as_a_service()
    (path,) = bay.armed_files()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"simulated-" not in path.read_bytes(), "a secret on the disk"
    os.kill(guardian, signal.SIGSTOP)  # it must not act in the moment between the two
    os.kill(runner, how)
    os.kill(guardian, how)
    assert until(lambda: bay.outlets_on() == 0, 40) <= WITHIN_S
    until(lambda: bay.armed_files() == [], 15)
    until(lambda: "safe, confirmed" in supervisor.text(), 5)
    assert [line.get("by") for line in diary(folder) if line["kind"] == "takeover"] == ["supervisor"]
    assert kinds(folder)[-1] == "safe"
    if how is signal.SIGKILL:
        assert "the supervisor took over" in aftermath(folder)
        assert "made the rack safe: confirmed" in aftermath(folder)
    assert bay.truth()["loop.flow"] > 5, "the coolant must stay on"
    if how is signal.SIGSTOP:
        os.kill(runner, signal.SIGCONT)
        os.kill(guardian, signal.SIGCONT)
        limit = time.monotonic() + 5
        while time.monotonic() < limit:
            assert bay.outlets_on() == 0, "a run that woke up energised the rack again"
            time.sleep(0.05)


def test_all_three_frozen_and_the_service_manager_starts_the_supervisor_again(bay: Station) -> None:
    supervisor = bay.serve("harness-supervisor.service")
    _, _, runner, guardian = bay.power_up_as_a_service()
    assert supervisor.main is not None
    for pid in (supervisor.main.pid, guardian, runner):
        os.kill(pid, signal.SIGSTOP)
    took = until(lambda: bay.outlets_on() == 0, 40)
    assert took <= WITHIN_S, (took, supervisor.text())
    assert supervisor.starts == 2
    until(lambda: bay.armed_files() == [], 15)


def test_without_a_supervisor_the_power_stays_on_and_the_run_had_said_so(bay: Station) -> None:
    service, _, runner, guardian = bay.power_up_as_a_service()
    assert "NO supervisor runs" in service.text()
    os.kill(guardian, signal.SIGSTOP)
    os.kill(runner, signal.SIGKILL)
    os.kill(guardian, signal.SIGKILL)
    time.sleep(WITHIN_S + 1)
    assert bay.outlets_on() == OUTLETS
    supervisor = bay.serve("harness-supervisor.service")  # the unit at the next start of the machine
    assert until(lambda: bay.outlets_on() == 0, 20) <= WITHIN_S
    until(lambda: "safe, confirmed" in supervisor.text(), 10)


def test_a_start_of_the_machine_finds_what_is_armed_though_the_process_numbers_belong_to_others(bay: Station) -> None:
    _, _, runner, guardian = bay.power_up_as_a_service()
    os.kill(guardian, signal.SIGSTOP)
    os.kill(runner, signal.SIGKILL)
    os.kill(guardian, signal.SIGKILL)
    (path,) = bay.armed_files()
    content = armed.read(path)
    os.unlink(content["live"])  # memory does not survive a start
    armed.write(path, {**content, "boot": "another", "pids": [os.getpid(), os.getppid()]})
    bay.serve("harness-supervisor.service")
    assert until(lambda: bay.outlets_on() == 0, 20) <= 5.0


def test_the_next_run_on_that_bay_makes_it_safe_before_it_opens_a_device(bay: Station) -> None:
    _, first, runner, guardian = bay.power_up_as_a_service()
    os.kill(guardian, signal.SIGSTOP)
    os.kill(runner, signal.SIGKILL)
    os.kill(guardian, signal.SIGKILL)
    bay.services.pop().close()
    assert bay.outlets_on() == OUTLETS
    second = bay.start_run()
    folder = Path(said(second)["folder"])
    until(lambda: bay.outlets_on() == 0, 30)
    assert kinds(folder) == [], "it has no guardian yet, so it has opened nothing"
    until(lambda: bay.outlets_on() == OUTLETS, 30)
    assert kinds(first)[-1] == "safe"
    assert [path.name for path in bay.armed_files()] == [f"{folder.name}.armed"]


def test_a_run_that_ends_well_leaves_nothing_armed(bay: Station) -> None:
    bay.plan.write_text(bay.plan.read_text().replace("within: 120 s", "within: 3 s"))
    runner = bay.start_run()
    until(lambda: bay.armed_files() != [], 30)
    live = armed.read(bay.armed_files()[0])["live"]
    assert stat.S_IMODE(Path(live).stat().st_mode) == 0o600
    until(lambda: bay.outlets_on() == OUTLETS, 30)
    assert runner.wait(60) == 1
    assert bay.armed_files() == []
    assert not Path(live).exists()
    assert bay.outlets_on() == 0


def test_a_guardian_that_made_the_rack_safe_leaves_nothing_armed(bay: Station) -> None:
    supervisor = bay.serve("harness-supervisor.service")
    runner, folder, guardian = bay.power_up()
    runner.kill()
    assert until(lambda: bay.outlets_on() == 0, 10) <= 3.0
    until(lambda: not is_alive(guardian), 15)
    assert bay.armed_files() == []
    assert "making the rack safe" not in supervisor.text()
    assert kinds(folder)[-1] == "safe"


def test_what_is_not_confirmed_stays_armed_until_it_is(bay: Station) -> None:
    runner, _, _ = bay.power_up()
    bay.ask("inject device_down:pdu")
    assert runner.wait(90) == 5
    assert len(bay.armed_files()) == 1
    supervisor = bay.serve("harness-supervisor.service")
    until(lambda: "making the rack safe" in supervisor.text(), 20)
    time.sleep(2)
    assert bay.outlets_on() == OUTLETS
    bay.ask("inject device_heal:pdu")
    until(lambda: bay.outlets_on() == 0, 30)
    until(lambda: bay.armed_files() == [], 15)


def test_a_run_that_wakes_up_after_the_supervisor_acted_ends_with_error(bay: Station) -> None:
    bay.serve("harness-supervisor.service")
    runner, _, guardian = bay.power_up()
    os.kill(guardian, signal.SIGSTOP)
    os.kill(runner.pid, signal.SIGSTOP)
    assert until(lambda: bay.outlets_on() == 0, 40) <= WITHIN_S
    os.kill(runner.pid, signal.SIGCONT)
    os.kill(guardian, signal.SIGCONT)
    most = 0
    while runner.poll() is None:
        most = max(most, bay.outlets_on())
        time.sleep(0.02)
    assert most == 0
    assert said(runner)["verdict"] == "ERROR"
    assert runner.returncode == 3


def test_a_frozen_guardian_is_noticed_within_three_seconds(bay: Station) -> None:
    runner, _, guardian = bay.power_up()
    os.kill(guardian, signal.SIGSTOP)
    assert until(lambda: bay.outlets_on() == 0, 20) <= 3.0 + 1.2
    os.kill(guardian, signal.SIGCONT)
    assert runner.wait(40) == 3
    outcome = said(runner)
    assert "frozen" in outcome["reason"]
    assert outcome["safe"]


def test_credentials_from_the_environment_are_refused_with_this_layer(bay: Station) -> None:
    bay.station.write_text(bay.station.read_text().replace("{file: pdu.cred}", "{env: PDU_CRED}"))
    command = [HARNESS, "run", str(bay.plan), "--serial", "RACK-0042"]
    env = {**bay.env, "PDU_CRED": V3}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert "$PDU_CRED" in done.stderr
    assert bay.armed_files() == []
    assert bay.outlets_on() == 0
    without = {key: value for key, value in env.items() if key != "HARNESS_ARMED"}
    process = subprocess.Popen(command, env=without, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: bay.outlets_on() == OUTLETS, 60)
    finally:
        process.terminate()
        assert process.wait(60) == 143
