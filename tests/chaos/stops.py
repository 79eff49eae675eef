"""Every way to end `harness run` from outside, at random instants: the command itself, on real sockets."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from random import Random

from harness.record.index import list_runs
from tests.chaos.killing import Yard
from tests.chaos.table import Row
from tests.integration import forked
from tests.integration.forked import Forked

_WAYS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "SIGINT x1": ((signal.SIGINT,), (130,)),
    "SIGINT x2": ((signal.SIGINT, signal.SIGINT), (130,)),
    "SIGINT x3": ((signal.SIGINT,) * 3, (130,)),
    "SIGTERM": ((signal.SIGTERM,), (143,)),
    "SIGHUP": ((signal.SIGHUP,), (130, 129, 143)),
}


def all_ways(place: Yard, count: int, rng: Random) -> list[Row]:
    """Each way `count` times; 100 % safe in the truth, recorded, and the right exit code."""
    rows = [_way(place, name, count, rng) for name in _WAYS]
    return [*rows, _closed(place, count, rng)]


def _start(place: Yard, plan: Path) -> Forked:
    given = ["run", plan, "--station", place.real, "--serial", "RACK-0042", "--data", place.folder / "data", "--json"]
    with (place.folder / "stops.err").open("a") as errors:
        return Forked(forked.command(*given), env=place.env, stderr=errors)


def _wait_for_step(process: Forked) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line).get("kind") == "step":
            return


def _way(place: Yard, name: str, count: int, rng: Random) -> Row:
    numbers, codes = _WAYS[name]
    unsafe = unrecorded = wrong = 0
    seen: set[int] = set()
    for _ in range(count):
        process = _start(place, place.plan)
        _wait_for_step(process)
        time.sleep(rng.uniform(0.0, 2.0))
        for number in numbers:
            os.kill(process.pid, number)
            time.sleep(rng.uniform(0.0, 0.05))
        process.communicate(60)
        seen.add(process.returncode)
        unsafe += bool(place.outlets_on())
        wrong += process.returncode not in codes
        last = list_runs(place.folder / "data")[-1]
        unrecorded += not last.is_sealed or last.verdict != "ABORTED"
    found = f"{unsafe} unsafe, {unrecorded} without record, exit codes {sorted(seen)}"
    return Row(f"{name} x {count}", found, f"safe, recorded, exit {codes[0]}", not (unsafe or unrecorded or wrong))


def _closed(place: Yard, count: int, rng: Random) -> Row:
    """The reader of stdout goes away: the run does not mind."""
    unsafe = unrecorded = 0
    seen: set[int] = set()
    for _ in range(count):
        process = _start(place, place.short)
        assert process.stdout is not None
        _wait_for_step(process)
        time.sleep(rng.uniform(0.0, 1.0))
        process.stdout.close()
        seen.add(process.wait(60))
        unsafe += bool(place.outlets_on())
        last = list_runs(place.folder / "data")[-1]
        unrecorded += not last.is_sealed or last.verdict != "PASS"
    found = f"{unsafe} unsafe, {unrecorded} without record of a PASS, exit codes {sorted(seen)}"
    return Row(f"closed stdout x {count}", found, "safe, recorded, exit 0", not (unsafe or unrecorded or seen - {0}))
