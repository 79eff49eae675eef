"""One run a station: races between processes, locks of the dead, and what the second one is told."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.engine.lock import StationLock, file_name, runtime_dir
from harness.errors import RunError

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
from harness.engine.lock import StationLock
from harness.errors import RunError
go, data, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
rounds = int(sys.argv[4])
print("up", flush=True)
for k in range(rounds):
    while not (go / f"go{k}").exists():
        time.sleep(0.0005)
    try:
        lock = StationLock.take("race", data, run=name)
    except RunError as error:
        print(f"lost {error}", flush=True)
        lock = None
    else:
        print(f"won {lock.epoch}", flush=True)
    while not (go / f"end{k}").exists():
        time.sleep(0.002)
    if lock is not None:
        lock.release()
    print("done", flush=True)
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_RUNTIME", str(tmp_path / "locks"))


def race(folder: Path, starters: int, rounds: int) -> list[list[str]]:
    """What each of `starters` processes said in each of `rounds` races."""
    command = [sys.executable, "-c", HOLD, str(folder), str(folder)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [
        subprocess.Popen([*command, f"run-{k}", str(rounds)], stdout=subprocess.PIPE, text=True, env=env)
        for k in range(starters)
    ]
    try:
        outs = [process.stdout for process in processes if process.stdout is not None]
        for out in outs:
            assert out.readline() == "up\n"
        results = []
        for k in range(rounds):
            (folder / f"go{k}").touch()
            results.append([out.readline().strip() for out in outs])
            (folder / f"end{k}").touch()
            for out in outs:
                assert out.readline() == "done\n"
        return results
    finally:
        for process in processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def test_of_twenty_starters_exactly_one_wins(tmp_path: Path) -> None:
    for number, said in enumerate(race(tmp_path, 20, 10), 1):
        won = [line for line in said if line.startswith("won")]
        assert won == [f"won {number}"], "exactly one, and every run has an epoch of its own"
        assert sum("station race is in use by" in line for line in said) == 19


def test_the_loser_is_told_who_holds_the_station(tmp_path: Path) -> None:
    lock = StationLock.take("line-3-bay-2", tmp_path, run="2026-11-22T084500Z-R7-3f9a", serial="R7")
    content = json.loads(lock.path.read_text())
    with pytest.raises(RunError) as refused:
        StationLock.take("line-3-bay-2", tmp_path)
    text = str(refused.value)
    for part in ("2026-11-22T084500Z-R7-3f9a", "R7", content["started"], socket.gethostname(), str(os.getpid())):
        assert part in text
    StationLock.take("line-3-bay-3", tmp_path).release()
    lock.release()
    again = StationLock.take("line-3-bay-2", tmp_path)
    assert again.epoch == 2
    again.release()


def test_a_lock_dies_with_its_holder(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path), str(tmp_path), "first", "1"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert holder.stdout is not None
    (tmp_path / "go0").touch()
    assert holder.stdout.readline() == "up\n"
    assert holder.stdout.readline() == "won 1\n"
    with pytest.raises(RunError, match="first"):
        StationLock.take("race", tmp_path)
    holder.kill()
    killed = time.monotonic()
    holder.wait()
    lock = StationLock.take("race", tmp_path)
    assert time.monotonic() - killed < 1.0
    assert lock.epoch == 2
    lock.release()
    holder.stdout.close()


def test_children_do_not_inherit_the_lock(tmp_path: Path) -> None:
    lock = StationLock.take("race", tmp_path)
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        lock.release()
        StationLock.take("race", tmp_path).release()
    finally:
        child.communicate(b"")


def test_a_damaged_lock_file_is_no_obstacle(tmp_path: Path) -> None:
    folder = runtime_dir(tmp_path)
    for content in (b"", b"\0\0\0", b'{"pid": 1, "epoch": "x"}', b"[1, 2]", b'{"epoch": -4}', b"\xff" * 70_000):
        (folder / "race.lock").write_bytes(content)
        lock = StationLock.take("race", tmp_path, run="r")
        assert lock.epoch == 1
        assert json.loads(lock.path.read_text())["run"] == "r"
        lock.release()


def test_while_a_guardian_works_nobody_starts(tmp_path: Path) -> None:
    import fcntl

    lock = StationLock.take("race", tmp_path)
    lock.release()
    with lock.guardian_path.open("w") as file:
        file.write('{"pid": 7, "run": "run-of-the-dead"}')
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(RunError, match="guardian of run-of-the-dead is still making the rack safe"):
            StationLock.take("race", tmp_path)
        with pytest.raises(RunError, match="guardian"):
            StationLock.take("race", tmp_path)
    StationLock.take("race", tmp_path).release()


def test_names_of_stations_are_safe_and_distinct() -> None:
    names = ["line-3", "line.3", "line/3", "../x", "", "ä", "a" * 300, "a" * 301, "Line-3", "line 3", "line.2e.3"]
    files = [file_name(name) for name in names]
    assert len(set(files)) == len(names)
    assert all("/" not in name and not name.startswith("..") and len(name) < 250 for name in files)


def test_where_locks_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert runtime_dir(tmp_path) == tmp_path / "locks"
    monkeypatch.setattr("harness.engine.lock.SHARED", tmp_path / "nowhere")
    monkeypatch.delenv("HARNESS_RUNTIME")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert runtime_dir(tmp_path / "data") == tmp_path / "harness"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert runtime_dir(tmp_path / "data") == tmp_path / "data" / "locks"
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("HARNESS_RUNTIME", str(blocked / "deeper"))
    with pytest.raises(RunError, match="folder for locks"):
        runtime_dir(tmp_path)


def test_everybody_of_the_folders_group_can_use_the_locks(tmp_path):
    folder = tmp_path / "locks"
    folder.mkdir()
    before = os.umask(0o077)
    try:
        lock = StationLock.take("line 3", tmp_path)
    finally:
        os.umask(before)
    try:
        for path in (lock.path, lock.guardian_path):
            assert path.stat().st_mode & 0o777 == 0o664
            assert path.stat().st_gid == folder.stat().st_gid
    finally:
        lock.release()


def test_two_stations_that_name_one_switch_do_not_run_together(tmp_path):
    lock = StationLock.take("line 3", tmp_path, run="2026-11-22T084500Z-R7-3f9a", switches=["snmp://10.0.0.11:161"])
    both = ["snmp://10.0.0.9:161", "snmp://10.0.0.11:161"]
    with pytest.raises(
        RunError, match=r"snmp://10\.0\.0\.11:161 of station line 4 is in use by 2026-11-22T084500Z-R7-3f9a"
    ):
        StationLock.take("line 4", tmp_path, switches=both)
    StationLock.take("line 4", tmp_path, switches=both[:1]).release()
    lock.release()
    StationLock.take("line 4", tmp_path, switches=both).release()
