"""`harness watch`: the signals of a station as they are, once a second. Read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli.inputs import find_station, need_simulate, simulation_options, station_argument

if TYPE_CHECKING:
    from harness.quantity import Frame
    from harness.session import Session


@click.command()
@station_argument
@click.option("--signal", "wanted", multiple=True, metavar="DEVICE.SIGNAL", help="Only these; repeatable.")
@click.option("--all", "show_all", is_flag=True, help="Every signal, not only those the station shows.")
@click.option("--for", "seconds", type=click.FloatRange(0.5), default=None, help="End after so many seconds.")
@simulation_options
def watch(
    station: str | None,
    wanted: tuple[str, ...],
    show_all: bool,
    seconds: float | None,
    simulate: bool,
    faults: tuple[str, ...],
    seed: int | None,
) -> int:
    """Show the signals of STATION once a second until Ctrl-C; without a terminal, a line a signal and second."""
    need_simulate(simulate=simulate, fault=faults, seed=seed)
    path = find_station(station, simulate=simulate)
    from harness.cli.session import run_session
    from harness.errors import ConfigError
    from harness.project.station import load_station
    from harness.session import opened

    on = load_station(path)
    chosen: list[str] = []
    references = list(on.catalog.signals) if show_all else list(wanted or on.station.show or on.catalog.signals)
    for reference in references:
        names = on.catalog.find_signals(reference)
        if not names:
            raise ConfigError(on.catalog.signal_problem(reference))
        chosen.extend(names)

    async def work() -> int:
        async with opened(on, simulate=simulate, seed=seed, faults=faults) as session:
            return await _watch(session, chosen, seconds)

    code = run_session(work)
    return 0 if code == 130 else code


async def _watch(session: Session, chosen: list[str], seconds: float | None) -> int:
    import asyncio
    import sys

    from harness.cli.ui.terminal import Output
    from harness.cli.watch_table import LineTable, ScreenTable
    from harness.device.poller import Poller
    from harness.device.signal_store import SignalStore

    for name in session.failures:
        session.devices.pop(name)
    devices = list(session.devices.values())
    derived = {
        name: each
        for name, each in session.on.station.derived.items()
        if all(session.on.catalog.owner[signal] in session.devices for signal in each.inputs.values())
    }
    if not devices:
        from harness.cli.ui.terminal import say

        for name, error in session.failures.items():
            say(f"{name} at {session.addresses[name]}: {error}")
        return 3
    store = SignalStore(devices, derived, session.clock)

    def take(frame: Frame) -> None:
        store.take(frame)

    poller = asyncio.ensure_future(Poller(devices, session.clock, take).run())
    began = session.clock.monotonic()
    try:
        with Output(sys.stdout) as output:
            table = ScreenTable(output) if output.isatty() else LineTable(output)
            with table:
                while seconds is None or session.clock.monotonic() < began + seconds:
                    await session.clock.sleep(1.0)
                    table.draw(session, store, [name for name in chosen if store.has(name)])
    finally:
        poller.cancel()
        await asyncio.gather(poller, return_exceptions=True)
    return 3 if session.failures else 0
