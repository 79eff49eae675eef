"""`harness ctl` beside other people's runs, other runs of one's own, and processes that only pretend to be one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.guarded_tools import OUTLETS, Bay, until
from tests.integration.hand_tools import as_nobody, harness, needs_root, said_last, write_station


@pytest.fixture
def bay(tmp_path: Path) -> Iterator[Bay]:
    made = Bay(tmp_path)
    try:
        made.start_devices()
        write_station(made, "a.yaml")
        yield made
    finally:
        made.close()


@needs_root
def test_ctl_tells_other_users_the_truth(bay: Bay) -> None:
    runner, folder, _ = bay.power_up()
    status = harness(bay, "ctl", "status", "--run", folder.name, user=as_nobody)
    assert status.code == 0, status.said
    assert f"{folder.name}  hold on bay-7, serial RACK-0042, of root" in status.said
    for action in (["pause"], ["abort", "--yes"], ["skip"], ["reset-trip", "leak"]):
        done = harness(bay, "ctl", *action, "--run", folder.name, user=as_nobody)
        assert done.code == 6, done.said
        assert f"a run of root goes on ({folder.name}, station bay-7); only root may {action[0]}" in done.said
    assert runner.poll() is None
    assert bay.outlets_on() == OUTLETS
    assert harness(bay, "ctl", "abort", "--yes", "--run", folder.name).code == 0
    assert said_last(runner)["verdict"] == "ABORTED"


FAKE = """
import os, socket, sys, time
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
fake = socket.socket(socket.AF_UNIX)
fake.bind("\\0harness.run." + sys.argv[1])
fake.listen(64)
print("up", flush=True)
while True:
    connection, _ = fake.accept()
    try:
        connection.recv(4096)
        answer = eval(sys.argv[2])
        if answer is None:
            while True:
                connection.send(b" ")
                time.sleep(0.05)
        connection.sendall(answer)
    except OSError:
        pass
    connection.close()
"""


ANSWERS = ["b'{\"ok\": true}\\n'", "b'nonsense\\n'", "None", 'b\'{"ok": true, "status": 7}\\n\'']


@needs_root
@pytest.mark.parametrize("answer", ANSWERS)
def test_what_only_pretends_to_be_a_run_is_named_and_holds_ctl_for_no_long(tmp_path: Path, answer: str) -> None:
    run = f"2026-11-22T084500Z-FAKE-{os.getpid() % 10000:04d}"
    fake = subprocess.Popen([sys.executable, "-c", FAKE, run, answer], stdout=subprocess.PIPE, text=True)
    try:
        assert fake.stdout is not None
        assert fake.stdout.readline() == "up\n"
        bay = Bay(tmp_path)
        for action in (["status"], ["pause"]):
            started = time.monotonic()
            done = harness(bay, "ctl", *action, "--run", run)
            assert time.monotonic() - started < 12
            assert done.code == 6, done.said
            assert f"process {fake.pid}" in done.said
    finally:
        fake.kill()
        fake.communicate()


def test_several_runs_are_runswith_plan_and_step(bay: Bay, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    other = Bay(second)
    try:
        other.start_devices()
        _, first_folder, _ = bay.power_up()
        _, second_folder, _ = other.power_up()
        done = harness(bay, "ctl", "status", HARNESS_DATA="")
        assert done.code == 0
        for folder in (first_folder, second_folder):
            assert f"{folder.name}  hold on bay-7" in done.said
        # whoever names a data folder, as `run` does, means the run whose record is there
        for place, folder, stranger in ((bay, first_folder, second_folder), (other, second_folder, first_folder)):
            named = {"HARNESS_DATA": str(place.folder / "data")}
            for done in (
                harness(bay, "ctl", "status", **named),
                harness(bay, "ctl", "status", "--data", named["HARNESS_DATA"], HARNESS_DATA="/nowhere"),
            ):
                assert (done.code, folder.name in done.said, stranger.name in done.said) == (0, True, False), done.said
            done = harness(bay, "ctl", "note", f"for {folder.name}", **named)
            assert done.code == 0, done.said
            assert harness(bay, "ctl", "status", "--run", stranger.name, **named).code == 0
        done = harness(bay, "ctl", "status", HARNESS_DATA=str(tmp_path / "empty"))
        assert done.code == 6
        assert f"no run goes on whose record is in {tmp_path / 'empty'}" in done.said
        assert first_folder.name in done.said
        assert "goes on elsewhere: name it with --run" in done.said
        done = harness(bay, "ctl", "pause", "--run", "RACK-0042", HARNESS_DATA="")
        assert done.code == 6
        assert f"{first_folder.name} (hold, hold; root, process" in done.said
        assert "name one with --run" in done.said
        # the same serial number in two runs: both records say so
        events = [json.dumps(said_of(folder)) for folder in (first_folder, second_folder)]
        assert f"serial RACK-0042 is in another run at the same time: {second_folder.name}" in events[0]
        assert f"serial RACK-0042 is in another run at the same time: {first_folder.name}" in events[1]
        for place, folder in ((bay, first_folder), (other, second_folder)):
            assert harness(place, "ctl", "abort", "--yes", "--run", folder.name).code == 0
            until((folder / "manifest.json").exists, 30)
            report = harness(place, "report", folder)
            assert "changed   serial RACK-0042 is in another run at the same time" in report.said, report.said
            runs = harness(place, "runs", "--data", place.folder / "data")
            assert "serial RACK-0042 is in another run at the same time" in runs.said, runs.said
    finally:
        other.close()


def said_of(folder: Path) -> list[str]:
    """What a run that goes on has told so far."""
    from harness.telemetry.reading import open_for_reading

    with open_for_reading(folder / "journal.db") as reader:
        return [str(event.data.get("text", "")) for event in reader.events("twin")]
