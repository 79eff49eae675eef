"""Runs that are killed, frozen and robbed of their guardian, beside a simulator that goes on and tells the truth."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from harness.faultpoint import NAMES
from harness.telemetry.reading import open_for_reading
from tests.chaos.table import Row
from tests.integration import forked
from tests.integration.forked import Forked
from tests.integration.guarded_tools import AT_ONCE, ONE_BY_ONE, OUTLETS, Bay, is_alive, said

HERE = Path(__file__).parent

PLAN = """
schema: 1
plan: chaos
coverage: 10 %
steps:
  - POWER_ON
  - {step: set, name: flow, control: cdu.flow_setpoint, to: 35 L/min}
  - {step: hold, for: LENGTH, watch: [{signal: cdu.supply_temperature, max: 90 degC}]}
"""
_SAFE_WITHIN_S = 3.0
_FROZEN_WITHIN_S = 4.0


@dataclass
class Tally:
    """What a series of deaths came to."""

    count: int = 0
    unsafe: int = 0
    slowest: float = 0.0
    lost: int = 0
    unreadable: int = 0
    problems: list[str] = field(default_factory=list)

    def row(self, what: str, within: float) -> Row:
        found = f"{self.unsafe} unsafe, slowest {self.slowest:.2f} s, {self.lost} acknowledged lost, "
        found += f"{self.unreadable} unreadable" + (f"; {self.problems[0]}" if self.problems else "")
        ok = not (self.unsafe or self.lost or self.unreadable or self.problems) and self.slowest <= within
        return Row(f"{what} x {self.count}", found, f"all off <= {within:g} s, 0 lost, 0 unreadable", ok)


class Yard(Bay):
    """A bay whose station file names the simulator's own ports, so that real runs with lock and guardian go there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.start_devices()
        text = self.station.read_text()
        for name, address in json.loads(self.addresses.read_text())["addresses"].items():
            text = re.sub(rf'(  {name}: .*address: )"[^"]*"', rf'\g<1>"{address}"', text)
        self.real = folder / "real.yaml"
        self.real.write_text(text)
        self.acks = folder / "acks"
        self.plan.write_text(PLAN.replace("POWER_ON", ONE_BY_ONE).replace("LENGTH", "60 s"))
        self.short = folder / "short.yaml"
        self.short.write_text(PLAN.replace("POWER_ON", AT_ONCE).replace("LENGTH", "1 s"))

    def run(self, point: str = "", plan: Path | None = None, resume: Path | None = None) -> Forked:
        """Start a run; it may die at a named place."""
        self.acks.unlink(missing_ok=True)
        more = [resume] if resume is not None else []
        with (self.folder / "runner.err").open("a") as errors:
            work = forked.script(
                HERE / "chaos_runner.py", self.real, plan or self.plan, self.folder / "data", self.acks, *more
            )
            process = Forked(work, env={**self.env, "HARNESS_FAULT_POINT": point}, stderr=errors)
        self.started.append(process)
        return process

    def acknowledged(self) -> int:
        """The last sequence number that the run knew to be durable."""
        data = self.acks.read_bytes() if self.acks.exists() else b""
        return int(struct.unpack("<q", data)[0]) if len(data) == 8 else 0

    def settle(self, tally: Tally, folder: Path | None, died: float, within: float) -> None:
        """Judge one death: outlets off in the truth, the journal whole up to what was acknowledged.

        An outlet that was told to go on just before may close later: the truth is watched as long as the guardian acts.
        """
        tally.count += 1
        pids = self._guardians(folder) if folder is not None else []
        last_on = died
        while time.monotonic() - died < within + 20:
            if self.outlets_on():
                last_on = time.monotonic()
            elif not any(is_alive(pid) for pid in pids):
                break
            time.sleep(0.01)
        tally.unsafe += bool(self.outlets_on())
        tally.slowest = max(tally.slowest, last_on - died)
        if folder is not None:
            self._judge_journal(tally, folder)

    def _judge_journal(self, tally: Tally, folder: Path) -> None:
        with open_for_reading(folder / "journal.db") as reader:
            if not reader.is_open:
                tally.unreadable += 1
                tally.problems += reader.damage[:1]
                return
            found = {frame.seq for frame in reader.frames()} | {event.seq for event in reader.events()}
            missing = set(range(1, self.acknowledged() + 1)) - found
            tally.lost += len(missing)
            tally.problems += reader.damage[:1]

    def await_guardian(self, folder: Path) -> None:
        """The next run must find the station free."""
        pids = self._guardians(folder)
        end = time.monotonic() + 20
        while any(is_alive(pid) for pid in pids) and time.monotonic() < end:
            time.sleep(0.02)

    def _guardians(self, folder: Path) -> list[int]:
        return [int(line["pid"]) for line in _guardian_log(folder) if line.get("kind") == "start"]


def _guardian_log(folder: Path) -> list[dict[str, Any]]:
    with contextlib.suppress(OSError, ValueError):
        return [json.loads(line) for line in (folder / "guardian.jsonl").read_text().splitlines()]
    return []


@contextlib.contextmanager
def yard(folder: Path) -> Iterator[Yard]:
    """A yard for as long as the block lasts."""
    place = Yard(folder)
    try:
        yield place
    finally:
        place.close()


def _reap(process: Forked) -> None:
    process.wait(30)
    assert process.stdout is not None
    process.stdout.close()


def kills(place: Yard, count: int, rng: Random) -> Row:
    """kill -9 at random instants of running plans."""
    tally = Tally()
    for _ in range(count):
        process = place.run()
        folder = Path(said(process)["folder"])
        time.sleep(rng.uniform(0.0, 3.0))
        process.kill()
        _reap(process)
        place.settle(tally, folder, time.monotonic(), _SAFE_WITHIN_S)
    return tally.row("kill -9 of the runner at a random instant", _SAFE_WITHIN_S)


def fault_points(place: Yard, names: tuple[str, ...] = NAMES) -> Row:
    """kill -9 at every named place."""
    tally = Tally()
    for name in names:
        process = place.run(name, place.short)
        assert process.stdout is not None
        line = process.stdout.readline()
        folder = Path(json.loads(line)["folder"]) if line else _newest(place)
        code = process.wait(60)
        died = time.monotonic()
        process.stdout.close()
        if code != -signal.SIGKILL:
            tally.problems.append(f"{name} was not reached (exit {code})")
        place.settle(tally, folder, died, _SAFE_WITHIN_S)
    return tally.row("kill -9 at a named fault point", _SAFE_WITHIN_S)


def _newest(place: Yard) -> Path | None:
    runs = sorted((place.folder / "data" / "runs").glob("*"), key=lambda each: each.stat().st_mtime)
    return runs[-1] if runs else None


def freezes(place: Yard, count: int, rng: Random, seconds: float = 5.0) -> Row:
    """SIGSTOP, then CONT: made safe by the guardian, never energised again."""
    tally = Tally()
    again = 0
    for _ in range(count):
        process = place.run()
        folder = Path(said(process)["folder"])
        while not place.outlets_on():
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 1.0))
        os.kill(process.pid, signal.SIGSTOP)
        frozen = time.monotonic()
        while place.outlets_on() and time.monotonic() - frozen < seconds:
            time.sleep(0.01)
        took = time.monotonic() - frozen
        time.sleep(max(0.0, seconds - took))
        os.kill(process.pid, signal.SIGCONT)
        while process.poll() is None and time.monotonic() - frozen < 60:
            again += bool(place.outlets_on())
            time.sleep(0.05)
        process.kill()
        _reap(process)
        tally.slowest = max(tally.slowest, took)
        place.settle(tally, folder, time.monotonic(), _FROZEN_WITHIN_S)
    row = tally.row(f"SIGSTOP {seconds:g} s", _FROZEN_WITHIN_S)
    return Row(row.what, f"{row.found}, {again} re-energised", row.target, row.ok and not again)


def guardian_kills(place: Yard, count: int, rng: Random) -> Row:
    """kill -9 of the guardian: the runner makes the rack safe."""
    tally = Tally()
    wrong = 0
    for _ in range(count):
        process = place.run()
        folder = Path(said(process)["folder"])
        while place.outlets_on() < OUTLETS:
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 1.0))
        pid = next(int(line["pid"]) for line in _guardian_log(folder) if line.get("kind") == "start")
        os.kill(pid, signal.SIGKILL)
        died = time.monotonic()
        place.settle(tally, None, died, _SAFE_WITHIN_S)
        ended = said(process)
        wrong += ended["verdict"] != "ERROR"
        _reap(process)
    row = tally.row("kill -9 of the guardian", _SAFE_WITHIN_S)
    return Row(row.what, f"{row.found}, {wrong} not ERROR", row.target, row.ok and not wrong)


def resumes(place: Yard, count: int, rng: Random) -> Row:
    """A run killed in its soak is resumed on the same hardware and ends with a PASS."""
    good, said_last = 0, ""
    for _ in range(count):
        process = place.run(plan=place.short)
        folder = Path(said(process)["folder"])
        while place.outlets_on() < OUTLETS:
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 1.0))
        process.kill()
        _reap(process)
        place.await_guardian(folder)
        second = place.run(plan=place.short, resume=folder)
        first = said(second)
        ended = said(second) if "folder" in first else first
        said_last = str(ended)
        _reap(second)
        good += ended.get("verdict") == "PASS"
    return Row(f"killed and resumed x {count}", f"{good} PASS; last: {said_last[:120]}", "all PASS", good == count)


def announces(place: Yard) -> Row:
    """The next start after a death says INTERRUPTED, and how to go on."""
    died = place.run()
    folder = Path(said(died)["folder"])
    while not place.outlets_on():
        time.sleep(0.02)
    died.kill()
    _reap(died)
    place.await_guardian(folder)
    process = place.run(plan=place.short)
    after = Path(said(process)["folder"])
    ended = said(process)
    _reap(process)
    with open_for_reading(after / "journal.db") as reader:
        reported = [str(event.data["text"]) for event in reader.events("interrupted")]
    ok = any(folder.name in text and "--resume" in text for text in reported) and ended["verdict"] == "PASS"
    return Row("the next start after a death", f"{reported[-1:]}, {ended['verdict']}", "says INTERRUPTED, and runs", ok)
