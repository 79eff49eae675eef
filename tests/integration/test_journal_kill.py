"""kill -9 of a writer, and a disk that runs full: no acknowledged row is lost, nothing false is acknowledged."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from harness.telemetry.reading import open_for_reading

WRITER = """
import sys, numpy as np
from pathlib import Path
from harness.clock import Clock, run
from harness.errors import TelemetryError
from harness.quantity import Frame
from harness.telemetry.journal import Journal
from harness.telemetry.rows import SignalInfo

async def main():
    journal = await Journal.create(Path(sys.argv[1]), Clock(), {"run": "r1"})
    journal.declare("cdu", [SignalInfo(f"s{i}", "degC") for i in range(30)])
    number = 0
    print("ready", flush=True)
    while True:
        for _ in range(5):
            number += 1
            values = np.arange(30) + number * 1.25
            journal.add_frame(Frame("cdu", number, number * 0.5, values, np.zeros(30, np.uint8)))
        journal.add_event("intent", number=number, filler="x" * int(sys.argv[2]))
        try:
            await journal.commit()
        except TelemetryError as error:
            print("failed", journal.durable_seq, error, flush=True)
            try:
                await journal.close()
            except TelemetryError:
                print("closed", flush=True)
            return
        print(journal.durable_seq, flush=True)

run(main)
"""


def check(path, acknowledged):
    with open_for_reading(path) as reader:
        assert reader.check() == []
        frames = list(reader.frames())
        for one in frames:
            number = one.frame.wall_ns
            assert one.frame.values.tolist() == [index + number * 1.25 for index in range(30)]
        seen = {one.seq for one in frames} | {event.seq for event in reader.events()}
        assert set(range(1, acknowledged + 1)) <= seen
        return len(seen)


@pytest.mark.parametrize("seed", range(10))
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path, seed):
    path = tmp_path / "journal.db"
    with subprocess.Popen([sys.executable, "-c", WRITER, path, "100"], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(random.Random(seed).uniform(0.0, 0.25))
        child.send_signal(signal.SIGKILL)
        reported = child.stdout.read().splitlines()
    # The last line may have been cut in the pipe: only whole ones count.
    acknowledged = int(reported[-1]) if reported and reported[-1].isdigit() and int(reported[-1]) % 6 == 0 else 0
    assert check(path, acknowledged) >= acknowledged
    assert (tmp_path / "journal.db-wal").exists(), "killed in the middle, not after closing"


def test_a_full_file_system_is_not_acknowledged_and_what_was_stays_readable(tmp_path):
    """The writer runs in a tmpfs of 3 MiB of its own; its journal is copied out before that goes away."""
    script = tmp_path / "run.sh"
    (tmp_path / "mnt").mkdir()
    script.write_text(
        f"mount -t tmpfs -o size=3m none {tmp_path}/mnt || exit 77\n"
        f'"{sys.executable}" -c "$WRITER" {tmp_path}/mnt/journal.db 20000\n'
        f"echo reserve $(ls {tmp_path}/mnt/*.reserve 2>/dev/null | wc -l)\n"
        f"dd if=/dev/zero of={tmp_path}/mnt/result.json bs=1k count=512 status=none && echo room\n"
        f"cp {tmp_path}/mnt/* {tmp_path}/\n"
    )
    done = subprocess.run(
        ["unshare", "-Urm", "sh", str(script)], capture_output=True, text=True, env={**os.environ, "WRITER": WRITER},
        timeout=60, check=False,
    )  # fmt: skip
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"user namespaces with mounts are not permitted here: {done.stderr.strip()}")
    reported = done.stdout.splitlines()
    failed = next(line for line in reported if line.startswith("failed"))
    acknowledged = int(failed.split()[1])
    assert acknowledged > 0
    assert "full" in failed or "I/O" in failed
    assert "closed" in reported
    assert "reserve 0" in reported
    assert "room" in reported, "the final record still fits"
    check(tmp_path / "journal.db", acknowledged)
