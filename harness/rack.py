"""A rack from Python: read its signals, set its controls, run a plan on it, see what came of it.

    with harness.simulated_rack(virtual=True, faults=["pump_stop:1@20s"]) as rack:
        assert rack["cdu.flow"].read() > "150 L/min"
        outcome = rack.run("acceptance", serial="RACK-0001")
    assert outcome.verdict != "PASS"

`open_station` is the same for real devices. Both have an async form (`AsyncRack`) for who has a loop of its own; in
virtual time that is one of `virtual_time`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from harness.clock import Clock
from harness.clock import run as run_loop
from harness.device.confirm import Outcome
from harness.engine.options import RunOptions, RunOutcome
from harness.engine.run import execute
from harness.engine.state import RunState
from harness.errors import ConfigError, HarnessError, RunError
from harness.events import EventKind
from harness.limits.verdict import Verdict
from harness.own_loop import OwnLoop
from harness.project.installed import find_plan, known_stations
from harness.project.model import Project, StationProject
from harness.project.plan import load_project
from harness.project.station import load_station
from harness.project.step import StepDefinition
from harness.quantity import Reading
from harness.record.folder import data_dir, run_id
from harness.safety.bay import serial_keys, station_keys
from harness.safety.lock import RackLock
from harness.session import Session, answering, check_operator, run_options, settings_of
from harness.simulator import Simulation, start_simulation

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
        self._is_closed = False
        self._runs = ""
        self.simulation: Simulation | None = None
        """The simulated devices; None: real ones."""

    async def __aenter__(self) -> Self:
        if self._is_closed or self._on is not None:
            state = "was closed" if self._is_closed else "is open already"
            raise ConfigError(f"the rack {state}", hint="make another one, each is opened once")
        if self._is_virtual and not Clock().is_virtual:
            raise ConfigError("this loop keeps real time", hint="run it by harness.virtual_time, or leave virtual out")
        on = load_station(self._path)
        if self._is_simulated:
            self.simulation = await start_simulation(on, virtual=self._is_virtual, seed=self._seed, faults=self._faults)
            self._stack.push_async_callback(self.simulation.close)
        self._on = on
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._on, self._is_closed = None, True
        await self._close_devices()
        await self._stack.aclose()

    @property
    def on(self) -> StationProject:
        """The station as it is checked. ConfigError when the rack is not open."""
        if self._on is None:
            raise ConfigError("the rack is not open", hint="use it in a `with` block")
        return self._on

    def free(self) -> StationProject:
        """The station, for who wants its devices. ConfigError when it is not open, RunError while a run has them."""
        if self._runs:
            raise RunError(f"the run of {self._runs} has the rack", hint="wait for its outcome")
        return self.on

    def truth(self) -> Mapping[str, float]:
        """What is true of the simulated rack, by variable. ConfigError for a real one, and for one that is not open."""
        self.on  # noqa: B018 (whether it is open)
        if self.simulation is None:
            raise ConfigError("only a simulated rack tells the truth")
        return self.simulation.truth()

    async def read(self, signal: str) -> Reading:
        """A signal, now. ConfigError for one that the station does not have, DeviceError when nobody answers."""
        on = self.free()
        if signal in on.catalog.derived or signal not in on.catalog.signals:
            raise ConfigError(on.catalog.signal_problem(signal))
        name, _, of_device = signal.partition(".")
        (reading,) = await (await self._with(name)).need(name).read([of_device])
        return reading

    async def set(self, control: str, value: str) -> Mapping[str, Outcome]:
        """Set a control or a bank of them, each confirmed by read-back; what became of each, by `device.control`.

        RunError while a run has the rack.
        """
        name, wanted = settings_of(self.free(), control, value)
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
        at_most: float = math.inf,
    ) -> RunOutcome:
        """Run a plan (a file, or the name of an installed one) to its sealed record; what it came to.

        Connections of `read` and `set` are closed before: the run has the devices for itself. `steps` are known beside
        the installed ones. A run that takes longer than `at_most` seconds ends with ERROR. One that is cancelled (in
        scripts: by Ctrl-C) ends with ABORTED, the rack safe and the record sealed, before it is cancelled. ConfigError:
        a mistake, nothing was contacted; RunError: the rack is in use.
        """
        self.free()
        try:
            run_id(serial, 0, "")
        except ValueError as error:
            raise ConfigError(str(error)) from error
        check_operator(operator)
        self._runs = str(plan)
        try:
            await self._close_devices()
            project = load_project(find_plan(str(plan)), load_station(self._path), parameters or {}, steps)
            folder = Path(data) if data is not None else data_dir()
            options = run_options(project.on, self.simulation, serial, folder, seed=self._seed, operator=operator)
            return await _to_its_end(project, options, at_most)
        finally:
            self._runs = ""

    def _locked(self, device: str, text: str) -> RackLock:
        keys = [key for key in station_keys(self.on, {}, {device}) if key.alone]
        return RackLock.take("set", keys, station=self.on.station.station, text=text)

    async def _with(self, name: str) -> Session:
        """The session, with a device open in it unless that fails."""
        on = self.free()
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


async def _to_its_end(project: Project, options: RunOptions, at_most: float) -> RunOutcome:
    """Carry a run out. Who is cancelled meanwhile stops it, and is that when the rack is safe and the record sealed."""
    states: list[RunState] = []
    clock = Clock()
    until = clock.monotonic() + at_most
    cancelled: asyncio.CancelledError | None = None
    work = asyncio.ensure_future(execute(project, options, clock, states.append))
    while not work.done():
        left = max(until - clock.monotonic(), 0.0 if states else 0.1) if until < math.inf else None
        try:
            await asyncio.wait({work}, timeout=left)
        except asyncio.CancelledError as error:
            cancelled = error
            if states:
                states[0].request_stop(Verdict.ABORTED, "cancelled by the program that ran it")
            else:
                work.cancel()
        else:
            if not work.done() and states and clock.monotonic() >= until:
                until = math.inf
                states[0].request_stop(Verdict.ERROR, f"the run did not end within {at_most:g} s, as it was to")
    if cancelled is not None:
        if not work.cancelled():
            work.exception()  # looked at, so that nobody complains of it: the cancellation is what is raised
        raise cancelled
    return work.result()


@dataclass(frozen=True, slots=True)
class Item:
    """A signal or a control of a rack by its name."""

    rack: Rack
    name: str

    def read(self) -> Reading:
        """The signal, now; compares with words, numbers and quantities (`> "150 L/min"`), never when it is not GOOD."""
        return self.rack.read(self.name)

    def set(self, value: str) -> Mapping[str, Outcome]:
        """Set the control, confirmed by read-back."""
        return self.rack.set(self.name, value)


class Rack:
    """`AsyncRack` for scripts, notebooks and tests. Use it as a context manager, or `open` and `close` it."""

    def __init__(
        self,
        station: Path | str,
        *,
        simulate: bool = False,
        virtual: bool = False,
        seed: int | None = None,
        faults: Sequence[str] = (),
    ) -> None:
        """As `AsyncRack`. In virtual time the clock jumps over what nobody waits for, and stands between two calls."""
        self._rack = AsyncRack(station, simulate=simulate, virtual=virtual, seed=seed, faults=faults)
        self._rate = math.inf if virtual else 1.0
        self._loop: OwnLoop | None = None

    def open(self) -> Self:
        """Open it; it has to be closed."""
        loop = self._loop or OwnLoop(self._rate)
        try:
            loop.do(self._rack.__aenter__())
        except BaseException:
            if self._loop is None:
                loop.close()
            raise
        self._loop = loop
        return self

    def close(self) -> None:
        """Close the connections, and end the simulation. Nothing happens when it is not open."""
        loop, self._loop = self._loop, None
        if loop is not None:
            try:
                loop.do(self._rack.__aexit__(None, None, None))
            finally:
                loop.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __getitem__(self, name: str) -> Item:
        return Item(self, name)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry it out; ConfigError when the rack is not open, RunError while another thread runs a plan on it."""
        try:
            self._rack.free()
        except HarnessError:
            work.close()
            raise
        assert self._loop is not None
        return self._loop.do(work)

    def read(self, signal: str) -> Reading:
        """See `AsyncRack.read`."""
        return self._do(self._rack.read(signal))

    def set(self, control: str, value: str) -> Mapping[str, Outcome]:
        """See `AsyncRack.set`."""
        return self._do(self._rack.set(control, value))

    def run(
        self,
        plan: Path | str,
        *,
        serial: str,
        parameters: Mapping[str, Any] | None = None,
        operator: str = "",
        data: Path | str | None = None,
        steps: Sequence[StepDefinition] = (),
        at_most: float = math.inf,
    ) -> RunOutcome:
        """See `AsyncRack.run`. Ctrl-C ends the run with ABORTED and the rack safe, then is a KeyboardInterrupt."""
        work = self._rack.run(
            plan, serial=serial, parameters=parameters, operator=operator, data=data, steps=steps, at_most=at_most
        )
        return self._do(work)

    def wait(self, seconds: float) -> None:
        """Let time pass; in virtual time at once. ConfigError for what is no time."""
        if not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
            raise ConfigError(f"{seconds!r} is no time to wait: seconds, as a number")
        self._do(asyncio.sleep(seconds))

    def truth(self) -> Mapping[str, float]:
        """See `AsyncRack.truth`."""
        return self._rack.truth()


def virtual_time(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function in a loop whose clock jumps, as `asyncio.run` does in one whose clock does not."""
    return run_loop(main, math.inf)


def simulated_rack(
    station: Path | str = "simulated", *, virtual: bool = False, seed: int | None = None, faults: Sequence[str] = ()
) -> Rack:
    """Simulated devices of a station (the built-in one by default), for a `with` block."""
    return Rack(station, simulate=True, virtual=virtual, seed=seed, faults=faults)


def open_station(station: Path | str) -> Rack:
    """The devices of a station, for a `with` block."""
    return Rack(station)
