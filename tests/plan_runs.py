"""Running plans against the simulated station, in virtual time or over sockets, with the ground truth as the judge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import sim
from harness.clock import Clock, run
from harness.engine.options import RunOptions, RunOutcome
from harness.engine.run import execute
from harness.engine.state import RunState
from harness.project.model import StationProject
from harness.project.plan import load_project
from harness.project.station import load_station
from harness.project.step import find_step
from harness.record.log import Event
from harness.spelling import Guesses

ROOT = Path(__file__).resolve().parents[1]
PLANS = ROOT / "testplans"
STATION = PLANS / "stations" / "simulated.yaml"
VIRTUAL = float("inf")


@dataclass
class Ran:
    """What a run came to, and what was true of the rack at its end."""

    outcome: RunOutcome
    truth: dict[str, float]
    later: dict[str, float]
    """The truth 10 s later (virtual time only): pumps have coasted, heat has moved."""
    events: list[Event] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        return self.outcome.exit_code

    @property
    def reason(self) -> str:
        return self.outcome.reason

    @property
    def on(self) -> list[int]:
        """Outlets that are closed in the ground truth."""
        return [k for k in range(1, 9) if self.truth.get(f"outlet[{k}].state")]

    def step(self, name: str) -> Any:
        """The result of a step by its name."""
        return next(step for step in self.outcome.result.steps if step.name == name)

    def texts(self, kind: str) -> list[str]:
        """The texts of the events of a kind."""
        return [event.text for event in self.events if event.kind == kind]


@cache
def _loaded() -> StationProject:
    return load_station(STATION)


def _simulated() -> StationProject:
    """The simulated station, read once; what a plan adds to it is the plan's own."""
    on = _loaded()
    has = on.catalog
    own = {"signals": {**has.signals}, "derived": {**has.derived}, "owner": {**has.owner}, "guesses": Guesses()}
    return replace(on, catalog=replace(has, **own), hashes={**on.hashes}, files={**on.files})


def run_plan(plan: Path, folder: Path, *, rate: float = VIRTUAL, **more: Any) -> Ran:
    """Run a plan against the simulated station, in a loop of its own; `more`: see `play_plan`."""
    return run(lambda: play_plan(plan, folder, **more), rate)


async def play_plan(
    plan: Path,
    folder: Path,
    *,
    faults: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    station: Path = STATION,
    seed: int = 1,
    lot: str = "",
    during: Callable[[RunState, sim.Simulation], Any] | None = None,
    observers: Sequence[Callable[[Event], None]] = (),
    **options: Any,
) -> Ran:
    """Run a plan in the running loop. `during(runner, simulation)` is called at the start of the run; what it returns,
    when it is a coroutine, goes on beside the run. `lot` is part of the devices' serial numbers. `options` are those of
    the run."""
    clock = Clock()
    on = _simulated() if station == STATION else load_station(station)
    project = load_project(plan, on, settings or {})
    profiles = {entry.profile: on.catalog.profiles[name] for name, entry in on.station.devices.items()}
    simulation = await sim.start(on.station, profiles, virtual=clock.is_virtual, seed=seed, faults=faults, lot=lot)
    beside: list[asyncio.Task[Any]] = []
    try:
        events: list[Event] = []
        given = {"serial": "RACK-0042", "is_simulated": True, **options}
        chosen = RunOptions(
            data_dir=folder,
            seed=seed,
            network=simulation.network,
            addresses=simulation.addresses,
            observers=[*observers, events.append],
            **given,
        )

        def started(state: RunState) -> None:
            work = during(state, simulation) if during is not None else None
            if work is not None:
                beside.append(asyncio.get_running_loop().create_task(work))

        outcome = await execute(project, chosen, clock, started)
        truth = simulation.truth()
        if clock.is_virtual:
            await asyncio.sleep(10)
        return Ran(outcome, truth, simulation.truth(), events)
    finally:
        for task in beside:
            task.cancel()
        ends = await asyncio.gather(*beside, return_exceptions=True)
        await simulation.close()
        for end in ends:
            if isinstance(end, Exception):  # what goes on beside a run may find something too
                raise end


def perfect(folder: Path, station: Path = STATION) -> Path:
    """A copy of a station whose rack and instruments are as their kind is, whatever the seed: for exact figures."""
    text = station.read_text()
    assert "rack: 132kW, seed: 1}" in text
    path = folder / f"perfect_{station.name}"
    path.write_text(text.replace("rack: 132kW, seed: 1}", "rack: 132kW, seed: 1, spread: 0}"))
    return path


def write_plan(folder: Path, steps: str, head: str = "") -> Path:
    """A plan with these steps (YAML, not indented) and more keys in `head`."""
    path = folder / "plan.yaml"
    path.write_text(f"schema: 1\nplan: trial\ncoverage: 90 %\n{head}\nsteps:\n{steps}\n")
    return path


def install_steps(monkeypatch, *steps):
    """Let plans know these steps, as if a package had added them."""
    own = {each.name: each for each in steps}
    monkeypatch.setattr("harness.project.planned.find_step", lambda name: own.get(name) or find_step(name))
