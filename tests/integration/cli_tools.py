"""Commands as processes of their own, and talking to a `harness sim` beside them.

They are forked, with the harness loaded; `COMMAND` starts Python, where that makes a difference.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from subprocess import CompletedProcess

from tests.integration import forked
from tests.integration.forked import ROOT, Forked

COMMAND = [sys.executable, "-c", "from harness.cli.main import main; main()"]

PLAN = """\
schema: 1
plan: short
title: Short proof
steps:
  - {step: power_on, outlets: pdu.outlet, stagger: 0.2 s}
  - {step: hold, name: warm, for: HOLD}
  - {step: measure, name: bus voltage, signal: shelf1.output_voltage, over: 3 s, statistic: mean,
     limit: {min: LOW, max: 53 V}}
"""


def write_plan(folder: Path, hold: str = "3 s", low: str = "47 V") -> Path:
    """A plan that powers the rack, holds for a time and measures one voltage."""
    path = folder / "short.yaml"
    path.write_text(PLAN.replace("HOLD", hold).replace("LOW", low))
    return path


def environment(data: Path) -> dict[str, str]:
    """The environment of a station's shell, with records in `data`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HARNESS_")}
    return {**kept, "HARNESS_DATA": str(data)}


def harness(*arguments: str, data: Path, timeout: float = 60.0, cwd: Path = ROOT) -> CompletedProcess[str]:
    """Run a command to its end; stdin is empty."""
    work = forked.command(*arguments)
    code, out, errors = forked.run(work, environment(data), timeout, cwd)
    return CompletedProcess(arguments, code, out, errors)


class Spoken:
    """A process whose lines are read as they come."""

    def __init__(self, *arguments: str, data: Path) -> None:
        self.process = Forked(forked.command(*arguments), env=environment(data), own_session=True)
        self.lines: list[str] = []
        self._queue: Queue[str] = Queue()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self.lines.append(line)
                self._queue.put(line)

    def wait_for(self, text: str, seconds: float = 30.0) -> str:
        """The next line that holds `text`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                line = self._queue.get(timeout=0.2)
            except Empty:
                if self.process.poll() is not None and self._queue.empty():
                    break
                continue
            if text in line:
                return line
        raise AssertionError(f"no line with {text!r} in:\n{''.join(self.lines)}")

    def send(self, number: signal.Signals) -> None:
        """A signal to this process."""
        self.process.send_signal(number)

    def end(self, seconds: float = 60.0) -> int:
        """Wait for the end; returns the exit code."""
        try:
            return self.process.wait(seconds)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait(10)
            self._thread.join(10)


@contextmanager
def spoken(*arguments: str, data: Path) -> Iterator[Spoken]:
    """A process that is gone when the block ends."""
    process = Spoken(*arguments, data=data)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.process.kill()
        process.end(10)


class TruthPort:
    """The ground truth of a `harness sim`, not the protocols: the judge."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, line: str) -> str:
        """One line to the simulation, one line back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(line.encode() + b"\n")
            with connection.makefile() as stream:
                return stream.readline().strip()

    def truth(self) -> dict[str, float]:
        """The state of the plant now."""
        state: dict[str, float] = json.loads(self.ask("truth"))
        return state

    def outlets_on(self) -> list[str]:
        """The outlets whose relay is closed, in the ground truth."""
        state = self.truth()
        outlets = {key: value for key, value in state.items() if key.startswith("outlet[") and key.endswith(".state")}
        assert outlets, sorted(state)
        return [key for key, value in outlets.items() if value]


@contextmanager
def simulation(folder: Path, *arguments: str) -> Iterator[tuple[Path, TruthPort, Spoken]]:
    """A `harness sim` of the built-in rack: (station file to reach it, its truth, the process)."""
    station = folder / "rack.yaml"
    with spoken("sim", "--json", "--write-station", str(station), *arguments, data=folder / "simdata") as process:
        about = json.loads(process.wait_for('"truth"'))
        yield station, TruthPort(about["truth"]), process
        if process.process.poll() is None:
            process.send(signal.SIGTERM)
            assert process.end(10) == 0
