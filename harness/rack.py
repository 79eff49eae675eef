"""A rack from Python: read its signals, set its controls, run a plan on it, see what came of it.

    with harness.simulated_rack(virtual=True, faults=["pump_stop:1@20s"]) as rack:
        assert rack["cdu.flow"].read() > "150 L/min"
        outcome = rack.run("acceptance", serial="RACK-0001")
    assert outcome.verdict != "PASS"

`open_station` is the same for real devices. Both have an async form (`AsyncRack`) for who has a loop of its own; in
virtual time the loop is a `harness.clock.HarnessLoop`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from harness.clock import Clock, HarnessLoop
from harness.device.confirm import Outcome
from harness.engine.options import RunOutcome
from harness.engine.run import execute
from harness.errors import ConfigError
from harness.events import EventKind
from harness.project.installed import find_plan, known_stations
from harness.project.model import StationProject
from harness.project.plan import load_project
from harness.project.station import load_station
from harness.project.step import StepDefinition
from harness.quantity import Reading
from harness.record.folder import data_dir, run_id
from harness.safety.bay import serial_keys, station_keys
from harness.safety.lock import RackLock
from harness.session import Session, answering, run_options, settings_of
from harness.simulator import Simulation, start_simulation

R = TypeVar("R")
T = TypeVar("T")


class _Silent:
    """A setting by hand has no journal."""

    async def intent(self, device: str, commands: Mapping[str, str]) -> None:
        """See `harness.safety.reach.Notes`."""

    def note(self, kind: EventKind, /, **data: Any) -> None:
        """See `harness.safety.reach.Notes`."""


class AsyncRack:
    """A station that is open, real or simulated. Use as an async context manager."""

    def __init__(
        self,
        station: Path | str,
        *,
        simulate: bool = False,
        virtual: bool = False,
        seed: int | None = None,
        faults: Sequence[str] = (),
    ) -> None:
        """`station`: a file, or the name of an installed one. `virtual`: the simulated devices have no sockets."""
        self._path = Path(station) if Path(station).exists() else known_stations().get(str(station), Path(station))
        self._is_simulated, self._is_virtual, self._seed, self._faults = simulate, virtual, seed, tuple(faults)
        self._stack = AsyncExitStack()
        self._on: StationProject | None = None
        self._session: Session | None = None
        self._opening = asyncio.Lock()
        self.simulation: Simulation | None = None
        """The simulated devices, with `truth()`; None: real ones."""

    async def __aenter__(self) -> Self:
        self._on = load_station(self._path)
        if self._is_simulated:
            self.simulation = await start_simulation(
                self._on, virtual=self._is_virtual, seed=self._seed, faults=self._faults
            )
            self._stack.push_async_callback(self.simulation.close)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._close_devices()
        await self._stack.aclose()

    @property
    def on(self) -> StationProject:
        """The station as it is checked."""
        if self._on is None:
            raise ConfigError("the rack is not open", hint="use it in a `with` block")
        return self._on

    async def read(self, signal: str) -> Reading:
        """A signal, now. ConfigError for one that the station does not have, DeviceError when nobody answers."""
        if signal in self.on.catalog.derived or signal not in self.on.catalog.signals:
            raise ConfigError(self.on.catalog.signal_problem(signal))
        name, _, of_device = signal.partition(".")
        (reading,) = await (await self._with(name)).need(name).read([of_device])
        return reading

    async def set(self, control: str, value: str) -> Mapping[str, Outcome]:
        """Set a control or a bank of them, each confirmed by read-back; what became of each, by `device.control`.

        RunError while a run has the rack.
        """
        name, wanted = settings_of(self.on, control, value)
        lock = None if self._is_simulated else self._locked(name, f"{control} to {value}")
        async with answering(lock):
            session = await self._with(name)
            device = session.need(name)
            if lock is not None:
                lock.add(serial_keys({name: device}, {name}))
            found = await session.set(name, control, wanted, _Silent())
        return {f"{name}.{point}": outcome for point, outcome in found.items()}

    async def run(
        self,
        plan: Path | str,
        *,
        serial: str,
        parameters: Mapping[str, Any] | None = None,
        operator: str = "",
        data: Path | str | None = None,
        steps: Sequence[StepDefinition] = (),
    ) -> RunOutcome:
        """Run a plan (a file, or the name of an installed one) to its sealed record; what it came to.

        Connections of `read` and `set` are closed before: the run has the devices for itself. `steps` are known beside
        the installed ones.
        """
        try:
            run_id(serial, 0, "")
        except ValueError as error:
            raise ConfigError(str(error)) from error
        await self._close_devices()
        project = load_project(find_plan(str(plan)), load_station(self._path), parameters or {}, steps)
        folder = Path(data) if data is not None else data_dir()
        options = run_options(project.on, self.simulation, serial, folder, seed=self._seed, operator=operator)
        return await execute(project, options, Clock())

    def _locked(self, device: str, text: str) -> RackLock:
        keys = [key for key in station_keys(self.on, {}, {device}) if key.alone]
        return RackLock.take("set", keys, station=self.on.station.station, text=text)

    async def _with(self, name: str) -> Session:
        """The session, with a device open in it unless that fails."""
        on = self.on
        async with self._opening:  # two who want one device open it once
            if self._session is None:
                self._session = Session(on, Clock(), self.simulation)
            if name not in self._session.devices or name in self._session.failures:
                await self._session.open([name])
            return self._session

    async def _close_devices(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


@dataclass(frozen=True, slots=True)
class Item(Generic[R]):
    """A signal or a control of a rack by its name."""

    rack: Rack
    name: str

    def read(self) -> Reading:
        """The signal, now; compares with numbers and quantities (`> "150 L/min"`), never when it is not GOOD."""
        return self.rack.read(self.name)

    def set(self, value: str) -> Mapping[str, Outcome]:
        """Set the control, confirmed by read-back."""
        return self.rack.set(self.name, value)


class Rack:
    """`AsyncRack` for who has no loop: scripts, notebooks, tests. Use as a context manager."""

    def __init__(self, station: Path | str, *, simulate: bool = False, virtual: bool = False, **more: Any) -> None:
        """As `AsyncRack`. In virtual time the clock jumps over what nobody waits for."""
        rate = float("inf") if virtual else 1.0
        self._runner = asyncio.Runner(loop_factory=lambda: HarnessLoop(rate))
        self._rack = AsyncRack(station, simulate=simulate, virtual=virtual, **more)
        self._is_open = False

    def __enter__(self) -> Self:
        self._runner.__enter__()
        try:
            self._runner.run(self._rack.__aenter__())
        except BaseException:
            self._runner.close()
            raise
        self._is_open = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._is_open = False
        try:
            self._runner.run(self._rack.__aexit__(kind, error, tb))
        finally:
            self._runner.close()

    def __getitem__(self, name: str) -> Item[Any]:
        return Item(self, name)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry it out; ConfigError outside of the `with` block."""
        if not self._is_open:
            work.close()
            raise ConfigError("the rack is not open", hint="use it in a `with` block")
        return self._runner.run(work)

    def read(self, signal: str) -> Reading:
        """See `AsyncRack.read`."""
        return self._do(self._rack.read(signal))

    def set(self, control: str, value: str) -> Mapping[str, Outcome]:
        """See `AsyncRack.set`."""
        return self._do(self._rack.set(control, value))

    def run(self, plan: Path | str, *, serial: str, **more: Any) -> RunOutcome:
        """See `AsyncRack.run`."""
        return self._do(self._rack.run(plan, serial=serial, **more))

    def wait(self, seconds: float) -> None:
        """Let time pass; in virtual time at once. ConfigError for what is no time."""
        if not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
            raise ConfigError(f"{seconds!r} is no time to wait: seconds, as a number")
        self._do(asyncio.sleep(seconds))

    def truth(self) -> Mapping[str, float]:
        """What is true of the simulated rack. ConfigError for a real one."""
        if self._rack.simulation is None:
            raise ConfigError("only a simulated rack tells the truth")
        return self._rack.simulation.truth()


def simulated_rack(
    station: Path | str = "simulated", *, virtual: bool = False, seed: int | None = None, faults: Sequence[str] = ()
) -> Rack:
    """Simulated devices of a station (the built-in one by default), for a `with` block."""
    return Rack(station, simulate=True, virtual=virtual, seed=seed, faults=faults)


def open_station(station: Path | str) -> Rack:
    """The devices of a station, for a `with` block."""
    return Rack(station)
