"""A small station whose devices, runner and guardian are processes of their own, judged by the simulator's truth."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.integration import forked
from tests.integration.forked import Forked

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OUTLETS = 4
STATION = f"""
schema: 1
station: bay-7
coverage_floor: 10 %
simulation: {{rack: 30kW, seed: 5}}
devices:
  pdu: {{profile: pdu/apc_rpdu2, address: "snmp://127.0.0.1:16100", counts: {{outlet: {OUTLETS}}}, poll: 0.5 s}}
  cdu: {{profile: cdu/meta_rpu, address: "modbus+tcp://127.0.0.1:15020/12", counts: {{pump: 2}}, poll: 0.5 s}}
derived:
  cdu.delta_temperature:
    function: temperature_difference
    inputs: {{high: cdu.return_temperature, low: cdu.supply_temperature}}
    unit: K
interlocks:
  - {{name: leak, signal: cdu.leak, equals: dry, on_trip: leak}}
  - {{name: no flow, signal: cdu.flow, min: 5 L/min, for: 30 s, armed_when: {{signal: pdu.power, min: 1 kW}}}}
  - {{name: too hot, signal: cdu.supply_temperature, max: 90 degC}}
unguarded: {{emergency_stop: simulated, door: simulated}}
safe_state:
  default:
    - {{set: pdu.outlet, to: "off", confirm_within: 3 s, confirm_by: {{signal: pdu.power, max: 500 W}}}}
    - {{keep: cdu.pump, until: {{signal: cdu.delta_temperature, max: 3 K}}, at_most: 1 s}}
  leak:
    kind: leak
    actions:
      - {{set: pdu.outlet, to: "off", confirm_within: 3 s}}
      - {{set: cdu.pump, to: "off", confirm_within: 5 s}}
"""
AT_ONCE = '{step: set, name: power on, control: pdu.outlet, to: "on"}'
"""How the plan switches on, where nothing is about one outlet after another."""
ONE_BY_ONE = "{step: power_on, outlets: pdu.outlet, stagger: 50 ms}"
PLAN = f"""
schema: 1
plan: hold
coverage: 50 %
steps:
  - {AT_ONCE}
  - {{step: wait_until, name: hold, signal: pdu.power, min: 900 kW, within: 120 s}}
"""


class Bay:
    """The processes of one test: devices, runs and their guardians. Everything it started is ended by `close`."""

    def __init__(self, folder: Path, outlets: int = OUTLETS) -> None:
        self.folder = folder
        self.outlets = outlets
        self.station = folder / "station.yaml"
        self.plan = folder / "plan.yaml"
        self.addresses = folder / "addresses.json"
        self.station.write_text(STATION.replace(f"outlet: {OUTLETS}", f"outlet: {outlets}"))
        self.plan.write_text(PLAN)
        self.started: list[Forked] = []
        self.guardians: list[int] = []
        self.env = {**os.environ, "PYTHONPATH": str(ROOT)}

    def start(self, script: str, *arguments: object, **environment: str) -> Forked:
        with (self.folder / f"{script}.{len(self.started)}.err").open("w") as errors:
            work = forked.script(HERE / script, *arguments)
            process = Forked(work, env={**self.env, **environment}, stderr=errors)
        self.started.append(process)
        return process

    def start_devices(self, *faults: str) -> Forked:
        process = self.start("guarded_station.py", self.addresses, self.station, *faults)
        until(self.addresses.exists, 20)
        return process

    def start_run(self, plan: Path | None = None, **environment: str) -> Forked:
        arguments = (self.station, plan or self.plan, self.folder / "data", self.addresses)
        return self.start("guarded_runner.py", *arguments, **environment)

    def ask(self, line: str) -> str:
        port = json.loads(self.addresses.read_text())["truth"]
        with socket.create_connection(("127.0.0.1", port), 5) as connection, connection.makefile("rw") as file:
            file.write(f"{line}\n")
            file.flush()
            return file.readline()

    def truth(self) -> dict[str, float]:
        return dict(json.loads(self.ask("truth")))

    def outlets_on(self) -> int:
        truth = self.truth()
        return sum(truth[f"outlet[{k}].state"] > 0.5 for k in range(1, self.outlets + 1))

    def power_up(self) -> tuple[Forked, Path, int]:
        """Start a run and wait until the truth says that all outlets are on: (runner, folder, guardian's pid)."""
        process = self.start_run()
        folder = Path(said(process)["folder"])
        until(lambda: self.outlets_on() == self.outlets, 60)
        guardian = next(line["pid"] for line in guardian_log(folder) if line["kind"] == "start")
        self.guardians.append(guardian)
        return process, folder, guardian

    def errors(self) -> str:
        return "\n".join(path.read_text() for path in self.folder.glob("*.err"))

    def close(self) -> None:
        self.end(self.started)

    def end(self, processes: Sequence[Forked]) -> None:
        """End these processes and every guardian."""
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        for pid in {*self.guardians, *watchers_of(self.folder)}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def watchers_of(folder: Path) -> list[int]:
    """The guardians that the records in a folder name and that still live: a run that its test never met has one too.

    A supervisor is a process that the test started itself. The number of a guardian that is gone may be another's now.
    """
    records = [path.parent for path in folder.rglob("guardian.jsonl")]
    reported = [line["pid"] for record in records for line in guardian_log(record) if line["kind"] == "start"]
    return [int(pid) for pid in reported if b"harness.guardian" in _command(int(pid))]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def said(process: Forked) -> dict[str, Any]:
    """The next line of JSON a process prints."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the process ended without a word"
    return dict(json.loads(line))


def guardian_log(folder: Path) -> list[dict[str, Any]]:
    """The guardian's lines."""
    path = folder / "guardian.jsonl"
    if not path.exists():
        return []
    *whole, _torn = path.read_text().split("\n")  # of a line that a kill cut off nothing is known
    return [json.loads(line) for line in whole]


def kinds(folder: Path) -> list[str]:
    """What the guardian noted, in order."""
    return [line["kind"] for line in guardian_log(folder)]


def until(condition: Any, within: float) -> float:
    """Wait until the condition holds; seconds it took. Fails when it does not within the seconds."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < within, f"not within {within} s"
        time.sleep(0.02)
    return time.monotonic() - started


def end_both(runner: int, guardian: int, how: signal.Signals = signal.SIGKILL) -> None:
    """Kill or freeze a run and its guardian, which is stopped first: it must not act in the moment between the two."""
    os.kill(guardian, signal.SIGSTOP)
    os.kill(runner, how)
    os.kill(guardian, how)


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wanted(items: Sequence[dict[str, Any]], kind: str) -> Iterator[dict[str, Any]]:
    """The lines of one kind."""
    return (item for item in items if item["kind"] == kind)
