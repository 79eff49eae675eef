"""A program under the script: what is kept of it, what it sees, and that its marks are found however they come."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import run
from harness.workloads.process import Kept, ScriptedProcess, environment, said_by, under_script


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(0, 200))
def test_the_beginning_is_kept_whole_and_nothing_is_lost_unsaid(tmp_path_factory, chunks, most):
    kept = Kept(tmp_path_factory.mktemp("kept") / "out", most)
    for chunk in chunks:
        kept.take(chunk)
    kept.close()
    whole, found = b"".join(chunks), kept.path.read_bytes()
    assert found[:most] == whole[:most]
    assert kept.left_out or found == whole
    kept.close()  # a second time does no harm


def test_of_a_long_stream_the_last_lines_are_kept_too(tmp_path):
    kept = Kept(tmp_path / "out", 1000)
    for number in range(20_000):
        kept.take(b"line %d\n" % number)
    kept.close()
    found = kept.path.read_text()
    assert found.startswith("line 0\n")
    assert found.endswith("line 19999\n")
    assert f"[{kept.left_out} bytes are left out here]" in found
    assert len(found) < 1000 + (1 << 14) + 100


def test_on_a_full_disk_the_stream_is_read_on_and_what_is_missing_is_said(tmp_path):
    kept = Kept(tmp_path / "out", 1000)
    kept._file.close()
    kept._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115 (closed by what is tested)
    kept.take(b"x" * 10)
    kept.take(b"y" * 10)
    kept.close()
    assert kept.left_out >= 10


@pytest.mark.parametrize("size", [1, 2, 7, 30, 1000])
def test_marks_are_found_however_they_are_cut(tmp_path, size):
    async def look() -> ScriptedProcess:
        process = ScriptedProcess(tmp_path / f"o{size}", tmp_path / f"e{size}", 100, mark="m")
        said = b"\nm started\nnoise m exit 9\n m exit 8\n\nm exit 3\n"
        for at in range(0, len(said), size):
            process._look_for_marks(said[at : at + size])
        await process.killed()
        return process

    process = run(look)
    assert (process.is_started, process.exit_code) == (True, 3)


def test_a_program_sees_nothing_of_the_stations_secrets(monkeypatch):
    monkeypatch.setenv("INFLUX_TOKEN", "s3cret")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    code, said = run(lambda: said_by(["env"], environment({"MINE": "1"}), 20))
    assert code == 0
    assert "MINE=1" in said
    assert "s3cret" not in said
    assert "SSH_AUTH_SOCK" not in said


def test_a_program_that_does_not_end_is_killed_with_all_it_has_started():
    code, _ = run(lambda: said_by(["sh", "-c", "trap '' TERM; sleep 90 & wait; sleep 90"], environment(), 0.5))
    assert code is None


def test_a_daemon_that_keeps_the_streams_open_keeps_nobody_waiting(tmp_path: Path):
    """It left the process group, so it is not killed; but its exit code has come, and that counts."""

    async def work() -> tuple[bool, int | None]:
        process = ScriptedProcess(tmp_path / "out", tmp_path / "err", 1000)
        script = "setsid sh -c 'echo $$; exec sleep 20' & sleep 0.3; exit 4"
        await process.start(under_script(process.mark, 1, ["sh", "-c", script]), environment())
        try:
            async with asyncio.timeout(8):
                while not process.has_ended:
                    await process.told(1)
            return await process.ended(5), process.exit_code
        finally:
            process.kill()
            await process.killed()

    ended, code = run(work)
    assert (ended, code) == (True, 4)
    os.kill(int((tmp_path / "out").read_text().split()[0]), signal.SIGKILL)
