"""A run in virtual time against the simulated station, for tests that disturb it and look at the ground truth."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import sim
from harness.clock import Clock
from harness.engine.options import RunOptions, RunOutcome
from harness.engine.run import execute
from harness.engine.state import RunState
from harness.project.model import Project, StationProject
from harness.project.plan import load_project
from harness.project.station import load_station
from harness.record.log import Event
from tests.tools.lossy import LossyNetwork, WireFaults

STATION = Path(__file__).parents[2] / "testplans" / "stations" / "simulated.yaml"

HEAD = """
schema: 1
plan: chaos
title: chaos
coverage: 95 %
setup:
  - {step: set, name: coolant, control: cdu.flow_setpoint, to: 172 L/min}
  - {step: power_on, outlets: pdu.outlet, stagger: 1 s}
steps:
"""
SOAK = (
    HEAD
    + """
  - step: soak
    for: 60 s
    load: 100 %
    watch:
      - {signal: cdu.supply_temperature, max: 60 degC, for: 10 s}
"""
)


@dataclass
class Scene:
    """A run that goes on, and the simulation under it."""

    runner: RunState
    simulation: sim.Simulation
    clock: Clock
    events: list[Event] = field(default_factory=list)

    def of(self, kind: str) -> list[Event]:
        """The events of a kind."""
        return [event for event in self.events if event.kind == kind]

    def outlets(self) -> list[float]:
        """The state of every outlet in the ground truth, 1 is on."""
        truth = self.simulation.truth()
        return [
            value for name, value in sorted(truth.items()) if name.startswith("outlet[") and name.endswith("].state")
        ]

    async def until(self, condition: Callable[[], bool], at_most: float = 600.0, tick: float = 0.1) -> None:
        """Wait for a condition on the clock of the run."""
        end = self.clock.monotonic() + at_most
        while not condition():
            if self.clock.monotonic() > end:
                raise AssertionError("the condition did not come true")
            await self.clock.sleep(tick)

    async def running(self, kind: str) -> None:
        """Wait until a step of a kind runs."""
        await self.until(lambda: self.runner.running is not None and self.runner.running.definition.name == kind)


@cache
def station() -> StationProject:
    """The simulated station, loaded once."""
    return load_station(STATION)


def project(plan: str, folder: Path, settings: Mapping[str, Any] | None = None) -> Project:
    """A plan given as text (kept in `folder`), checked against the simulated station."""
    path = folder / "plan.yaml"
    path.write_text(plan)
    on = station()
    return load_project(path, replace(on, hashes=dict(on.hashes), files=dict(on.files)), settings or {})


async def play(
    plan: str | Project,
    data: Path,
    disturb: Callable[[Scene], Any] | None = None,
    *,
    faults: Sequence[str] = (),
    seed: int = 7,
    linger: float = 0.0,
    wire_faults: WireFaults | None = None,
    **options: Any,
) -> tuple[RunOutcome, Scene]:
    """Run a plan in the running loop; `disturb(scene)` (a coroutine function) runs beside it.

    `linger` is how many seconds the plant goes on after the end of the run, for whoever watches it.
    """
    on = station()
    profiles = {entry.profile: on.catalog.profiles[name] for name, entry in on.station.devices.items()}
    clock = Clock()
    simulation = await sim.start(on.station, profiles, virtual=clock.is_virtual, faults=faults, seed=seed)
    network = simulation.network
    if wire_faults is not None:
        network = LossyNetwork(network, wire_faults, seed)
    scene = Scene(None, simulation, clock)  # type: ignore[arg-type]
    given = RunOptions(
        serial="RACK-0007",
        data_dir=data,
        is_simulated=True,
        seed=seed,
        network=network,
        addresses=simulation.addresses,
        observers=[scene.events.append],
        **options,
    )
    tasks: list[asyncio.Task[Any]] = []

    def begin(runner: RunState) -> None:
        scene.runner = runner
        if disturb is not None:
            tasks.append(asyncio.ensure_future(disturb(scene)))

    try:
        plan = project(plan, data) if isinstance(plan, str) else plan
        outcome = await execute(plan, given, clock, begin)
        await clock.sleep(linger)
        for task in tasks:
            if not task.done():
                task.cancel()
            await asyncio.gather(task, return_exceptions=not task.done())
        return outcome, scene
    finally:
        await simulation.close()
