"""What becomes of the rack when the runner or its guardian is killed or frozen, by the simulator's ground truth."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.record.verification import verify
from tests.integration.guarded_tools import (
    AT_ONCE,
    ONE_BY_ONE,
    OUTLETS,
    Bay,
    guardian_log,
    is_alive,
    kinds,
    said,
    until,
    wanted,
)

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def bay(tmp_path: Path) -> Iterator[Bay]:
    made = Bay(tmp_path)
    try:
        made.start_devices()
        yield made
    finally:
        made.close()


def test_a_killed_runner_leaves_a_safe_rack(bay: Bay) -> None:
    runner, folder, guardian = bay.power_up()
    runner.kill()
    assert until(lambda: bay.outlets_on() == 0, 10) <= 3.0
    until(lambda: not is_alive(guardian), 15)
    lines = guardian_log(folder)
    (takeover,) = wanted(lines, "takeover")
    assert "gone" in takeover["cause"]
    assert takeover["revoked_epoch"] == lines[0]["epoch"]
    assert {f"pdu.outlet[{k}]" for k in range(1, OUTLETS + 1)} <= set(takeover["armed"])
    confirmed = {line["control"] for line in wanted(lines, "confirmed")}
    assert confirmed == {f"outlet[{k}]" for k in range(1, OUTLETS + 1)}
    assert lines[-1]["kind"] == "safe"
    assert lines[-1]["unconfirmed"] == []
    assert bay.truth()["loop.flow"] > 5, "the coolant must stay on"


def test_a_frozen_runner_loses_its_epoch_and_never_energises_again(bay: Bay) -> None:
    runner, folder, guardian = bay.power_up()
    os.kill(runner.pid, signal.SIGSTOP)
    stopped = time.monotonic()
    took = until(lambda: bay.outlets_on() == 0, 10)
    assert took <= 4.0
    until(lambda: time.monotonic() - stopped >= 5.0, 10)
    os.kill(runner.pid, signal.SIGCONT)
    most = 0
    while runner.poll() is None:
        most = max(most, bay.outlets_on())
        time.sleep(0.02)
        assert time.monotonic() - stopped < 60
    assert most == 0
    outcome = said(runner)
    assert outcome["verdict"] == "ERROR"
    assert "frozen" in outcome["reason"]
    assert outcome["safe"]
    assert runner.returncode == 3
    assert not is_alive(guardian)
    assert "frozen" in next(wanted(guardian_log(folder), "takeover"))["cause"]
    assert verify(folder) == [], "the guardian's part belongs to the sealed record"


def test_a_freeze_in_the_middle_of_powering_up_is_not_continued(bay: Bay) -> None:
    bay.plan.write_text(bay.plan.read_text().replace(AT_ONCE, ONE_BY_ONE.replace("50 ms", "1 s")))
    runner = bay.start_run()
    folder = Path(said(runner)["folder"])
    until(lambda: bay.outlets_on() == 2, 30)
    os.kill(runner.pid, signal.SIGSTOP)
    until(lambda: bay.outlets_on() == 0, 4)
    until(lambda: "safe" in kinds(folder), 10)
    os.kill(runner.pid, signal.SIGCONT)
    most = 0
    while runner.poll() is None:
        most = max(most, bay.outlets_on())
        time.sleep(0.02)
    assert most == 0
    assert runner.returncode == 3


def test_without_its_guardian_the_runner_makes_the_rack_safe(bay: Bay) -> None:
    runner, _, guardian = bay.power_up()
    os.kill(guardian, signal.SIGKILL)
    assert until(lambda: bay.outlets_on() == 0, 10) <= 3.0
    assert runner.wait(30) == 3
    outcome = said(runner)
    assert outcome["verdict"] == "ERROR"
    assert f"process {guardian}" in outcome["reason"]
    assert outcome["safe"]


def test_signals_that_end_a_run_do_not_end_its_guardian(bay: Bay) -> None:
    runner, _, guardian = bay.power_up()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGABRT, signal.SIGPIPE):
        os.kill(guardian, number)
    assert os.getsid(guardian) != os.getsid(runner.pid)
    time.sleep(0.5)
    assert is_alive(guardian)
    runner.kill()
    assert until(lambda: bay.outlets_on() == 0, 10) <= 3.0


def test_a_killed_runner_whose_devices_are_gone_too_is_noted_and_tried_again(bay: Bay) -> None:
    runner, folder, guardian = bay.power_up()
    bay.started[0].kill()
    runner.kill()
    until(lambda: "NOT CONFIRMED" in kinds(folder), 30)
    assert is_alive(guardian), "it goes on trying"
    problems = {line["problem"] for line in wanted(guardian_log(folder), "not confirmed")}
    assert problems
    second = bay.start_run()
    refused = said(second)["refused"]
    assert "guardian" in refused
    assert folder.name in refused
    assert second.wait(20) == 6


def test_a_run_that_commanded_nothing_is_noted_and_left_alone(bay: Bay) -> None:
    bay.plan.write_text(bay.plan.read_text().replace(AT_ONCE, ""))
    bay.plan.write_text(bay.plan.read_text().replace("  - \n", ""))
    runner = bay.start_run()
    folder = Path(said(runner)["folder"])
    until(lambda: "ready" in kinds(folder), 20)
    time.sleep(1.0)
    runner.kill()
    until(lambda: kinds(folder)[-1:] == ["runner gone"], 10)
    assert "command" not in kinds(folder)


def test_after_both_were_killed_the_next_run_answers_for_what_is_on(bay: Bay) -> None:
    runner, first, guardian = bay.power_up()
    os.kill(guardian, signal.SIGSTOP)  # it must not act in the moment between the two
    runner.kill()
    os.kill(guardian, signal.SIGKILL)
    runner.wait()
    time.sleep(1.0)
    assert bay.outlets_on() == OUTLETS, "nobody is left who could help"
    bay.plan.write_text(bay.plan.read_text().replace(AT_ONCE, ""))
    bay.plan.write_text(bay.plan.read_text().replace("  - \n", ""))
    second = bay.start_run()
    folder = Path(said(second)["folder"])
    until(lambda: "ready" in kinds(folder), 20)
    time.sleep(2.0)
    second.kill()
    assert until(lambda: bay.outlets_on() == 0, 10) <= 3.0
    until(lambda: "safe" in kinds(folder), 10)
    takeover = next(wanted(guardian_log(folder), "takeover"))
    assert set(takeover["armed"]) == {f"pdu.outlet[{k}]" for k in range(1, OUTLETS + 1)}
    assert takeover["revoked_epoch"] > guardian_log(first)[0]["epoch"]


def test_a_run_that_ends_says_good_bye_and_its_record_is_whole(bay: Bay) -> None:
    bay.plan.write_text(bay.plan.read_text().replace("within: 120 s", "within: 3 s"))
    runner, folder, guardian = bay.power_up()
    assert runner.wait(60) == 1
    assert not is_alive(guardian)
    assert kinds(folder) == ["start", "ready", "bye"]
    assert verify(folder) == []
    assert bay.outlets_on() == 0
    assert "guardian.jsonl" in {entry["name"] for entry in json.loads((folder / "manifest.json").read_text())["files"]}


def test_the_second_run_at_a_station_is_told_who_is_there(bay: Bay) -> None:
    runner, folder, _ = bay.power_up()
    second = bay.start_run()
    refused = said(second)["refused"]
    assert second.wait(20) == 6
    assert folder.name in refused
    assert "RACK-0042" in refused
    assert f"process {runner.pid}" in refused
    assert bay.outlets_on() == OUTLETS
