"""A station opened without a run: its devices (real or simulated) in one event loop, closed whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.clock import Clock
from harness.device.build import DeviceBuilder
from harness.device.connect import open_device
from harness.device.device import Device
from harness.errors import DeviceError, HarnessError, Trouble, UnreachableError
from harness.project.model import StationProject
from harness.project.station import load_station
from harness.simulator import simulated

CLOSE_WITHIN_S = 3.0


@dataclass(slots=True)
class Session:
    """The devices that were asked for; `failures` says why some did not open."""

    on: StationProject
    clock: Clock
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


@asynccontextmanager
async def opened(
    station: Path | StationProject,
    names: Collection[str] | None = None,
    *,
    simulate: bool = False,
    seed: int | None = None,
    faults: tuple[str, ...] = (),
) -> AsyncIterator[Session]:
    """Open devices (all, or those named) in parallel, each within 4.5 s. Failures are kept, not raised."""
    on = station if isinstance(station, StationProject) else load_station(station)
    clock = Clock()
    async with simulated(on, simulate=simulate, seed=seed, faults=faults) as simulation:
        session = Session(on, clock)
        builder = DeviceBuilder(clock, on.base, simulation.network if simulation is not None else None)
        replaced = simulation.addresses if simulation is not None else {}
        for name, entry in on.station.devices.items():
            if names is not None and name not in names:
                continue
            session.addresses[name] = replaced.get(name, entry.address)
            session.devices[name] = builder.make(name, entry, on.catalog.profiles[name], replaced.get(name, ""))
        await asyncio.gather(*(_open(session, device) for device in session.devices.values()))
        try:
            yield session
        finally:
            closing = [asyncio.ensure_future(device.close()) for device in session.devices.values()]
            if closing:
                _, pending = await asyncio.wait(closing, timeout=CLOSE_WITHIN_S)
                for task in pending:
                    task.cancel()
                await asyncio.gather(*closing, return_exceptions=True)


async def _open(session: Session, device: Device) -> None:
    started = session.clock.monotonic()
    try:
        await open_device(device, session.clock)
        session.on.catalog.expansions[device.name] = device.expansion
    except HarnessError as error:
        session.failures[device.name] = error
    session.opened_in[device.name] = session.clock.monotonic() - started
