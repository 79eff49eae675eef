"""The watch over what tests leave behind notices each kind, and a test that cleans up is not blamed."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.clock import run
from tests import leaks

CONFTEST = Path(__file__).parents[1] / "conftest.py"


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch):
    monkeypatch.setattr(leaks, "GRACE_S", 0.1)


def test_a_socket_that_stays_open_is_named():
    before = leaks.Before()
    with socket.socket():
        assert [line for line in before.left() if line.startswith("file descriptor: socket:")]
    assert before.left() == []


def test_a_thread_that_runs_on_is_named():
    before, stop = leaks.Before(), threading.Event()
    thread = threading.Thread(target=stop.wait, name="forgotten")
    thread.start()
    assert before.left() == ["thread: forgotten"]
    stop.set()
    thread.join()
    assert before.left() == []


def test_a_child_that_nobody_waited_for_is_named():
    before = leaks.Before()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert any(line.startswith("child process:") for line in before.left())
        child.communicate(b"\n")
    assert before.left() == []


LEAVING_A_TASK = """
import asyncio
from harness.clock import run

def test_it():
    async def main():
        task = asyncio.create_task(asyncio.sleep(1000), name="left running")
        await asyncio.sleep(0)
        assert not task.done()
    run(main)
"""


def test_a_task_that_still_runs_at_the_end_of_its_loop_fails_the_test(tmp_path):
    (tmp_path / "test_task.py").write_text(LEAVING_A_TASK)
    ours = Path(__file__).parents[2]
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text())
    (tmp_path / "leaks.py").write_text((CONFTEST.parent / "leaks.py").read_text())
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", ours / "pyproject.toml",
         "--rootdir", tmp_path, tmp_path],
        capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    assert "task: left running" in done.stdout


@pytest.mark.leaves_tasks
def test_a_test_about_the_end_of_a_loop_may_leave_a_task():
    ended = []

    async def forever():
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append(True)

    async def main():
        main.task = asyncio.create_task(forever())
        await asyncio.sleep(0)

    run(main)
    assert ended == [True]
