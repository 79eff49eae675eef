"""A station opened without a run: its devices (real or simulated) in one event loop, closed whatever happens.

What a hand may set, and who is kept out meanwhile, stands here once: for `harness set` and for Python.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.clock import Clock
from harness.device.actuate import Notes, actuate
from harness.device.build import DeviceBuilder
from harness.device.confirm import Outcome
from harness.device.connect import open_device
from harness.device.device import Device
from harness.device.points import ControlPoint
from harness.device.setting import Setting, resolve_setting
from harness.engine.options import RunOptions
from harness.errors import ConfigError, DeviceError, HarnessError, Trouble, UnreachableError
from harness.project.model import StationProject
from harness.project.station import load_station
from harness.safety.lock import RackLock
from harness.safety.names import Doors
from harness.simulator import Simulation, simulated
from harness.telemetry.influx import InfluxSettings
from harness.telemetry.station import influx_settings as settings_of_influx

CLOSE_WITHIN_S = 3.0
Settings = Sequence[tuple[ControlPoint, Setting]]
_OPERATOR = re.compile(r"[^\x00-\x1f\x7f-\x9f]{0,64}")


@dataclass(slots=True)
class Session:
    """The devices that were asked for; `failures` says why some did not open."""

    on: StationProject
    clock: Clock
    simulation: Simulation | None = None
    devices: dict[str, Device] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    failures: dict[str, HarnessError] = field(default_factory=dict)
    opened_in: dict[str, float] = field(default_factory=dict)

    def need(self, name: str) -> Device:
        """A device that is open; its error otherwise."""
        if name in self.failures:
            error = self.failures[name]
            trouble = error.trouble if isinstance(error, DeviceError) else Trouble.OURS
            message = f"{self.addresses[name]}: {error.message}"
            raise UnreachableError(message, device=name, hint=error.advice, trouble=trouble) from error
        return self.devices[name]

    async def open(self, names: Collection[str] | None = None) -> None:
        """Open devices (all, or those named) in parallel, each within 4.5 s. Failures are kept, not raised.

        One that had failed is tried again.
        """
        simulation = self.simulation
        builder = DeviceBuilder(self.clock, self.on.base, simulation.network if simulation is not None else None)
        replaced = simulation.addresses if simulation is not None else {}
        new = []
        for name, entry in self.on.station.devices.items():
            if names is not None and name not in names:
                continue
            self.addresses[name] = replaced.get(name, entry.address)
            if self.failures.pop(name, None) is not None:
                await self.devices[name].close()
            device = builder.make(name, entry, self.on.catalog.profiles[name], replaced.get(name, ""))
            self.devices[name] = device
            new.append(device)
        await asyncio.gather(*(self._open(device) for device in new))

    async def _open(self, device: Device) -> None:
        started = self.clock.monotonic()
        try:
            await open_device(device, self.clock)
            self.on.catalog.expansions[device.name] = device.expansion
        except HarnessError as error:
            self.failures[device.name] = error
        self.opened_in[device.name] = self.clock.monotonic() - started

    async def set(self, device: str, control: str, wanted: Settings, notes: Notes) -> Mapping[str, Outcome]:
        """Set a control, or of a bank the rows that the open device has, confirmed by read-back; by name."""
        found = {point.name for _, point in self.on.catalog.find_controls(control)}
        meant = [pair for pair in wanted if pair[0].name in found]
        return await actuate(self.need(device), meant, self.clock, notes)

    async def close(self) -> None:
        """Close every device; one that does not end within 3 s is left."""
        closing = [asyncio.ensure_future(device.close()) for device in self.devices.values()]
        if closing:
            _, pending = await asyncio.wait(closing, timeout=CLOSE_WITHIN_S)
            for task in pending:
                task.cancel()
            await asyncio.gather(*closing, return_exceptions=True)


@asynccontextmanager
async def opened(
    station: Path | StationProject,
    names: Collection[str] | None = None,
    *,
    simulate: bool = False,
    seed: int | None = None,
    faults: tuple[str, ...] = (),
) -> AsyncIterator[Session]:
    """A session with devices (all, or those named) open; see `Session.open`."""
    on = station if isinstance(station, StationProject) else load_station(station)
    clock = Clock()
    async with simulated(on, simulate=simulate, seed=seed, faults=faults) as simulation:
        session = Session(on, clock, simulation)
        await session.open(names)
        try:
            yield session
        finally:
            await session.close()


def check_operator(text: str) -> str:
    """An operator's name or badge on one line of at most 64 characters; ConfigError otherwise."""
    is_fit = isinstance(text, str) and _OPERATOR.fullmatch(text) is not None and text.isprintable()
    if not is_fit:  # bytes that are no UTF-8 come as lone surrogates
        raise ConfigError("the operator's name is refused", hint="at most 64 characters without control characters")
    return text


def influx_settings(on: StationProject) -> InfluxSettings | None:
    """Settings of the station's InfluxDB; None when it has none. ConfigError when a secret is missing."""
    entry = on.station.telemetry.influxdb
    return None if entry is None else settings_of_influx(entry, on.base)


def run_options(
    on: StationProject, simulation: Simulation | None, serial: str, data_dir: Path, *, seed: int | None, **more: Any
) -> RunOptions:
    """How a run goes on a station, real or simulated: where its devices and its database are, and by which seed."""
    return RunOptions(
        serial=serial,
        data_dir=data_dir,
        is_simulated=simulation is not None,
        seed=seed if seed is not None or simulation is None else on.station.simulation.seed,
        network=simulation.network if simulation is not None else None,
        addresses=dict(simulation.addresses) if simulation is not None else {},
        influxdb=influx_settings(on),
        **more,
    )


def settings_of(on: StationProject, control: str, value: str) -> tuple[str, Settings]:
    """(device, what to set there) for a control or a bank; ConfigError where that cannot be."""
    pairs = on.catalog.find_controls(control)
    if not pairs:
        raise ConfigError(on.catalog.control_problem(control))
    try:
        return pairs[0][0], [(point, resolve_setting(point, value)) for _, point in pairs]
    except ValueError as error:
        raise ConfigError(str(error)) from error


@asynccontextmanager
async def answering(lock: RackLock | None) -> AsyncIterator[None]:
    """Tell who asks that the rack is held, and let go of it at the end; None: nothing is held."""
    if lock is None:
        yield
        return
    doors = Doors(lock.answer)
    try:
        await doors.add(lock.sockets)
        yield
    finally:
        doors.close()
        lock.release()
