"""A simulated station polled in virtual time, its signals watched for standing still: what is found, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import SimpleNamespace

import numpy as np

import sim
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.freeze import Freeze
from harness.device.points import fill
from harness.device.poller import Poller
from harness.device.signal_store import SignalStore
from harness.project.model import StationProject
from harness.project.station import load_station
from harness.quantity import Frame, Quality, Quantity, convert
from sim.physics import Plant
from sim.physics.rack_classes import for_power

STATION = Path(__file__).resolve().parents[1] / "testplans" / "stations" / "simulated.yaml"
MEASURING = ("pdu", "cdu", "shelf1", "daq")
"""The devices of the shipped station whose numbers guard the rack."""

Act = tuple[float, str, float]
"""(plant time, input of the plant, value): what is commanded and when."""

START: tuple[Act, ...] = tuple((10.0 + 0.5 * k, f"outlet[{k}]", 1.0) for k in range(1, 9))
"""The outlets on, one after another."""


@dataclass
class Seen:
    """What came of it: (time, text) of what was told, and how many samples of watched signals were STALE."""

    reported: list[tuple[float, str]] = field(default_factory=list)
    stale: dict[str, int] = field(default_factory=dict)
    frames: int = 0

    def found(self, signal: str) -> float:
        """When a signal was called frozen first; NaN when never."""
        return next((at for at, text in self.reported if text.startswith(f"{signal} is frozen")), float("nan"))


def watch_rack(
    seconds: float,
    acts: Sequence[Act] = (),
    faults: Sequence[str] = (),
    *,
    seed: int = 1,
    rack: str = "132kW",
    names: Sequence[str] = MEASURING,
    watched: set[str] | None = None,
    station: Path = STATION,
    prepare: Callable[[sim.Simulation], None] = lambda _simulation: None,
) -> Seen:
    """Poll some devices of a station for so many virtual seconds; every signal is watched unless some are named."""

    async def main() -> Seen:
        on = load_station(station)
        simulated = on.station.model_copy(
            update={"simulation": on.station.simulation.model_copy(update={"rack": rack, "seed": seed})}
        )
        profiles = {entry.profile: on.catalog.profiles[name] for name, entry in on.station.devices.items()}
        simulation = await sim.start(simulated, profiles, virtual=True, seed=seed, faults=faults)
        clock, seen = Clock(), Seen()
        builder = DeviceBuilder(clock, on.base, simulation.network)
        devices = [
            builder.make(name, on.station.devices[name], on.catalog.profiles[name], simulation.addresses[name])
            for name in names
        ]
        tasks: list[asyncio.Task[None]] = []
        try:
            prepare(simulation)
            for device in devices:
                await device.open()
            chosen = {info.name for device in devices for info in device.signals} if watched is None else watched

            def tell(_signal: str, text: str) -> None:
                seen.reported.append((simulation.now(), text))

            freeze = Freeze(devices, chosen, on.station.moves_with, tell)
            store = SignalStore(devices, {}, clock, freeze)

            def take(frame: Frame) -> None:
                store.take(frame)
                seen.frames += 1
                for name in freeze.reasons:
                    if name.startswith(f"{frame.device}."):
                        assert store.latest(name).quality is Quality.STALE
                        seen.stale[name] = seen.stale.get(name, 0) + 1

            tasks.append(asyncio.ensure_future(Poller(devices, clock, take).run()))
            for at, name, value in sorted(acts):
                await clock.sleep_until(clock.monotonic() + at - simulation.now())
                simulation.truth()  # brings the plant to this moment
                simulation.plant.command(name, value)
            await clock.sleep(seconds - simulation.now())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for device in devices:
                await device.close()
            await simulation.close()
        return seen

    return run(main, rate=float("inf"))


# --- many hours -------------------------------------------------------------------------------------------------------


@dataclass
class _Reader:
    """One device of the station as its registers show the plant: values rounded to the steps of its profile."""

    device: SimpleNamespace
    read: Callable[[], np.ndarray]
    factor: np.ndarray
    step: np.ndarray
    refresh: int
    frame: Frame | None = None

    def look(self, second: int) -> Frame:
        """The frame of this second: a meter that refreshes every 3 s shows the same again until then."""
        if self.frame is None or second % self.refresh == 0:
            values = np.rint(self.read() * self.factor / self.step) * self.step
        else:
            values = self.frame.values
        qualities = np.zeros(len(values), np.uint8)
        self.frame = Frame(self.device.name, second * 10**9, float(second), values, qualities)
        return self.frame


def _reader(name: str, on: StationProject, plant: Plant, refresh: int) -> _Reader:
    entry = on.station.devices[name]
    points, variables = [], []
    parameters = {**on.catalog.profiles[name].parameters, **entry.parameters}
    first = {key: getattr(repeat, "first", 1) for key, repeat in on.catalog.profiles[name].repeat.items()}
    for point in on.catalog.expansions[name].signals.values():
        spec = point.spec
        bound = fill(spec.sim.of, first.get(point.group, 1) + point.row - 1, parameters) if spec.sim else ""
        if bound in plant.names() and not (spec.enum or spec.flags or spec.is_text) and spec.unit:
            points.append(point)
            variables.append((bound, spec.sim.factor * _ratio(plant.names()[bound], spec.unit)))
    device = SimpleNamespace(name=name, entry=entry, points=points, signals=[point.info(name) for point in points])
    reads = [plant.sensor(bound) for bound, _ in variables]
    return _Reader(
        device,
        lambda: np.array([read() for read in reads]),
        np.array([factor for _, factor in variables]),
        np.array([point.spec.resolution if on.catalog.profiles[name].protocol != "scpi" else 0.01 for point in points]),
        refresh,
    )


def _ratio(source: str, target: str) -> float:
    return convert(1.0, source, target) - convert(0.0, source, target)


def watch_hours(hours: float, *, seed: int, rack: str = "132kW", refresh: int = 1) -> list[str]:
    """Everything that is called frozen on a good rack in so many hours of idling, steps, ramps, pauses and stops.

    The plant and its sensors are the simulator's, read once a second through the profiles of the shipped station.
    """
    plant = Plant(for_power(float(rack.removesuffix("kW"))), seed)
    on = load_station(STATION)
    readers = [_reader(name, on, plant, refresh) for name in MEASURING]
    devices = [reader.device for reader in readers]
    watched = {info.name for device in devices for info in device.signals}
    reported: list[str] = []
    scale = float(rack.removesuffix("kW")) / 132
    movers = {
        name: [
            each.model_copy(update={"by": Quantity(each.by.value * scale, each.by.unit)})
            if each.by.unit in ("kW", "W") else each
            for each in entries
        ]
        for name, entries in on.station.moves_with.items()
    }  # fmt: skip
    freeze = Freeze(devices, watched, movers, lambda _signal, text: reported.append(f"{second} s: {text}"))
    chance = Random(f"{seed} {rack}")
    frames: dict[str, Frame] = {}
    due, second = 5, 0
    while second < hours * 3600:
        second += 1
        plant.advance(float(second))
        if second >= due:
            due = second + chance.choice((7, 20, 60, 300, 900, 3600))
            _stir(plant, chance)
        for reader in readers:
            frame = frames[reader.device.name] = reader.look(second)
            freeze.judge(frame, frames)
    return reported


def _stir(plant: Plant, chance: Random) -> None:
    """Something that happens on a test floor."""
    what = chance.random()
    if what < 0.7 or not plant.truth("outlet[1].state"):
        plant.command("pump.run", 1.0)
        for outlet in range(1, plant.parameters.shelves + 1):
            plant.command(f"outlet[{outlet}]", 1.0)
        plant.command("load", chance.choice((0.0, 10.0, 30.0, 50.0, 80.0, 100.0)))
    elif what < 0.8:
        plant.command("flow.setpoint", plant.parameters.design_flow * chance.choice((0.6, 0.8, 1.0, 1.1)))
    elif what < 0.9:
        plant.command("supply_temperature.setpoint", chance.choice((30.0, 35.0, 40.0)))
    else:
        plant.command("load", 0.0)
        for outlet in range(1, plant.parameters.shelves + 1):
            plant.command(f"outlet[{outlet}]", 0.0)
        plant.command("pump.run", chance.choice((0.0, 1.0)))
