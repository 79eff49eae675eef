"""A station opened by hand: its devices (real or simulated) in one event loop, closed whatever happens."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.cli.simulator import simulated
from harness.clock import Clock
from harness.clock import run as run_loop
from harness.device.build import DeviceBuilder
from harness.device.connect import open_device
from harness.device.device import Device
from harness.errors import DeviceError, HarnessError, Trouble, UnreachableError
from harness.project.model import StationProject
from harness.project.station import load_station

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


def run_session(work: Callable[[], Awaitable[int]], goes_on: str = "") -> int:
    """Run work in a loop of its own; Ctrl-C and SIGTERM cancel it and close what is open (exit 130 and 143).

    With `goes_on`, signals only say that text: what must not end half-way is carried to its end.
    """
    from harness.cli.ui.terminal import say

    async def main() -> int:
        loop = asyncio.get_running_loop()
        task: asyncio.Future[Any] = asyncio.ensure_future(work())
        ended: list[int] = []

        def stop(code: int) -> None:
            if goes_on:
                say(goes_on)
                return
            ended.append(code)
            task.cancel()

        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            loop.add_signal_handler(number, stop, code)
        try:
            return int(await task)
        except asyncio.CancelledError:
            if ended:
                return ended[0]
            raise

    return run_loop(main)
