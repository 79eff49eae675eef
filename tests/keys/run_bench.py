"""A run on a small rack of hand-made devices, in virtual time: what they are told, what is recorded, what is said.

The rack: a PDU with two outlets that carry 500 W each, a cooling unit, a load. What the files may hold beside
`station`, `plan` and `limits`:

```
 sequence a file beside the plan, `sequence.yaml`
 sku      a file of parameters, as `--parameters`
 begin_at path of a step, as `--from`
 set      {parameter: value}, as `--set`
 wire     [[step, second, device, place, value], ...]: what a device shows, from so many seconds after the begin of a
          step on (step '': of the run)
 ask      [[step, second, command, name], ...]: what `kim` asks of the run while it is at a step, as by `harness ctl`
 answer   what the operator answers to every question
 die      [step, second]: the process dies there; what is seen is the run that goes on from what it left
 later    as `wire`, for the run that goes on
screen   anything: the operator's screen is drawn at the end of every step
rate     how many times faster than real time, instead of virtual
```
"""

from __future__ import annotations

import asyncio
import io
import itertools
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.cli.ui.live_view import LiveView
from harness.cli.ui.terminal import Output
from harness.clock import Clock, run
from harness.engine.control import obey
from harness.engine.options import RunOptions, RunOutcome
from harness.engine.run import execute
from harness.engine.state import RunState
from harness.errors import HarnessError
from harness.project.model import Project
from harness.project.plan import load_project
from harness.project.station import load_station
from harness.record.log import Event
from harness.record.report import render_text
from harness.record.result import Measurement, Result, StepResult
from harness.telemetry.reading import open_for_reading
from sim.network import MemoryNetwork
from tests.keys.commands import harness
from tests.keys.rack import Rack
from tests.keys.rows import Bench, Files, written

VIRTUAL = float("inf")


@dataclass
class Ran:
    """What a run came to. After a refusal all else is empty and `error` says why."""

    error: str = ""
    outcome: RunOutcome | None = None
    events: list[Event] = field(default_factory=list)
    told: list[tuple[float, str, Any]] = field(default_factory=list)
    """(second of the run, device, write), in order."""
    asked: list[tuple[float, str, Any]] = field(default_factory=list)
    report: str = ""
    series: dict[str, list[tuple[float, float, int]]] = field(default_factory=dict)
    """(second, value, quality) of every signal in the journal."""
    questions: list[tuple[str, Sequence[str]]] = field(default_factory=list)
    catalog: Any = None
    screen: str = ""
    """What the operator's screen shows when the last step ends."""

    @property
    def result(self) -> Result:
        """What was sealed."""
        assert self.outcome is not None, self.error
        return self.outcome.result


NAMES = ("pdu", "cdu", "load", "station", "plan", "limits", "sequence", "sku", "wiring", "bill")


def check_bench(name: str) -> Bench:
    """What `harness check` prints of one of the files."""

    def bench(folder: Path, files: Files) -> str:
        written(folder, files, *(each for each in NAMES if each in files))
        return harness(folder, "check", name, "--station", "station.yaml")

    return bench


def run_bench(folder: Path, files: Files) -> Ran:
    """Load the files and carry the plan out."""
    ran = Ran()
    written(folder, files, *(each for each in NAMES if each in files))
    try:
        run(lambda: _lives(folder, files, ran), rate=files.get("rate", VIRTUAL))
    except HarnessError as error:
        ran.error = str(error)
    return ran


def loaded(folder: Path, files: Files) -> Project:
    """The plan on its station."""
    sku = folder / "sku.yaml" if "sku" in files else None
    on, values, begin_at = load_station(folder / "station.yaml"), files.get("set", {}), files.get("begin_at", "")
    return load_project(folder / "plan.yaml", on, values, sku=sku, begin_at=begin_at)


async def _lives(folder: Path, files: Files, ran: Ran) -> None:
    if "die" not in files:
        await _live(folder, files, ran, folder / "data", None)
        return
    step, second = files["die"]
    dead = folder / "dead"

    async def dying(runner: RunState) -> None:
        await _reached(runner, step, second)
        await runner.journal.commit()
        shutil.copytree(runner.journal.path.parent, dead / "runs" / runner.journal.path.parent.name)

    await _live(folder, files, Ran(), folder / "data", None, dying)
    (died,) = (dead / "runs").iterdir()
    await _live(folder, files, ran, dead, died)


async def _live(
    folder: Path,
    files: Files,
    ran: Ran,
    data: Path,
    resume: Path | None,
    beside: Callable[[RunState], Any] | None = None,
) -> None:
    project, rack, network, clock = loaded(folder, files), Rack(), MemoryNetwork(direct=False), Clock()
    ran.catalog = project.catalog
    await rack.start(network, project.on.catalog.profiles)
    tasks: list[asyncio.Task[Any]] = []

    async def answered(question: str, answers: Sequence[str]) -> str:
        ran.questions.append((question, answers))
        return str(files["answer"])

    def begin(runner: RunState) -> None:
        work = [
            _shown(runner, rack, each)
            for each in files.get("later" if resume is not None and "later" in files else "wire", ())
        ]
        work += [_requested(runner, each) for each in files.get("ask", ())]
        work += [beside(runner)] if beside is not None else []
        tasks.extend(asyncio.ensure_future(each) for each in work)
        if "screen" in files:
            runner.log.observers.append(lambda event: _look(runner, event, ran))

    options = RunOptions(
        serial="RACK-1",
        data_dir=data,
        is_simulated=True,
        network=network,
        addresses=rack.addresses,
        prompter=answered if "answer" in files else None,
        observers=[ran.events.append],
        resume=resume,
        hold_on_fail="ask" in files,
    )
    try:
        ran.outcome = await execute(project, options, clock, begin)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await rack.close()
    ran.told, ran.asked = rack.told, rack.asked
    ran.report = render_text(ran.outcome.folder)
    with open_for_reading(ran.outcome.folder / "journal.db") as reader:
        began = ran.events[0].wall_ns
        for name in reader.signals():
            stamps, values, qualities = reader.series(name)
            seconds = [(int(stamp) - began) / 1e9 for stamp in stamps]
            ran.series[name] = list(zip(seconds, map(float, values), map(int, qualities), strict=True))


def _look(runner: RunState, event: Event, ran: Ran) -> None:
    if event.kind == "step end":
        console = Console(file=io.StringIO(), width=120)
        with console.capture() as shown, Output(None) as nowhere:
            console.print(LiveView(console, nowhere).picture(runner, 40))
        ran.screen = shown.get()


async def _reached(runner: RunState, step: str, second: float) -> None:
    while step and (runner.running is None or runner.running.title != step):
        await asyncio.sleep(0.05)
    await asyncio.sleep(second)


async def _shown(runner: RunState, rack: Rack, entry: Sequence[Any]) -> None:
    step, second, device, place, value = entry
    await _reached(runner, step, second)
    rack.servers[device].show(place, value)


async def _requested(runner: RunState, entry: Sequence[Any]) -> None:
    step, second, command, name = entry
    while (target := runner.running or runner.held_after) is None or target.title != step:
        await asyncio.sleep(0.05)
    await asyncio.sleep(second)
    obey(runner, {"do": command, "name": name}, "kim")


# --- what rows look at


def error(ran: Ran) -> str:
    """Why the files were refused."""
    return ran.error


def ends(ran: Ran) -> str:
    """The verdict, and why; or why the files were refused."""
    return ran.error or f"{ran.result.verdict} {ran.result.reason}".strip()


def verdict(ran: Ran) -> str:
    """The verdict; or why the files were refused."""
    return ran.error or str(ran.result.verdict)


def step(ran: Ran, name: str) -> StepResult:
    """The last attempt of a step."""
    return [one for one in ran.result.steps if one.name == name][-1]


def of_step(name: str) -> Callable[[Ran], str]:
    """Verdict and reason of a step."""
    return lambda ran: ran.error or f"{step(ran, name).verdict} {step(ran, name).reason}".strip()


def lasts(name: str) -> Callable[[Ran], Any]:
    """How long a step took, whole seconds."""

    def seconds(ran: Ran) -> Any:
        begun, ended = (
            next(each.mono for each in ran.events if each.kind == kind and each.data.get("step") == name)
            for kind in ("step", "step end")
        )
        return round(ended - begun)

    return seconds


def measured(ran: Ran, name: str) -> Measurement:
    """A measurement by its name."""
    return next(one for each in ran.result.steps for one in each.measurements if one.name == name)


def told(device: str) -> Callable[[Ran], Any]:
    """What a device was told, in order."""
    return lambda ran: ran.error or [what for _, name, what in ran.told if name == device]


def told_at(device: str) -> Callable[[Ran], Any]:
    """The seconds between the writes to a device, whole tenths."""

    def gaps(ran: Ran) -> Any:
        seconds = [second for second, name, _ in ran.told if name == device]
        return [round(b - a, 1) for a, b in itertools.pairwise(seconds)]

    return gaps


def texts(kind: str) -> Callable[[Ran], Any]:
    """The texts of the events of a kind."""
    return lambda ran: ran.error or [each.text for each in ran.events if each.kind == kind]


def last(signal: str) -> Callable[[Ran], Any]:
    """The last value of a signal in the journal."""
    return lambda ran: ran.series[signal][-1][1] if signal in ran.series else "no such signal"
