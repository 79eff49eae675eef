"""`harness read` and `set`: by hand, one thing at a time, with the same confirmation as in a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli.inputs import find_station, need_simulate, simulation_options, station_option
from harness.cli.ui.aside import SpokenNotes, aside
from harness.errors import ConfigError
from harness.project.model import StationProject

if TYPE_CHECKING:
    from harness.device.device import Device
    from harness.errors import RunError
    from harness.safety.keys import Key
    from harness.safety.lock import RackLock


@click.command()
@click.argument("signal", metavar="DEVICE.SIGNAL")
@station_option
@simulation_options
def read(signal: str, station: str | None, simulate: bool, faults: tuple[str, ...], seed: int | None) -> int:
    """Read DEVICE.SIGNAL (or a bank such as pdu.outlet.current) now; exit 3 when a reading is not GOOD."""
    need_simulate(simulate=simulate, fault=faults, seed=seed)
    path = find_station(station, simulate=simulate)
    from harness.cli.session import run_session
    from harness.cli.ui.terminal import say
    from harness.project.station import load_station
    from harness.session import opened

    on = load_station(path)
    names = on.catalog.find_signals(signal)
    if not names:
        raise ConfigError(on.catalog.signal_problem(signal))
    if signal in on.station.derived:
        raise ConfigError(f"{signal} is a derived signal", hint="read its inputs, or use harness watch")
    device_name = on.catalog.owner[names[0]]

    async def work() -> int:
        async with opened(on, {device_name}, simulate=simulate, seed=seed, faults=faults) as session:
            device = session.need(device_name)
            there = {info.name for info in device.signals}  # of a bank, the rows that the device has
            asked = [name for name in names if name in there] or names
            readings = await device.read([name.partition(".")[2] for name in asked])
            for reading in readings:
                say(str(reading) if len(readings) == 1 else f"{reading.signal}  {reading}")
            return 0 if all(reading.is_good for reading in readings) else 3

    return run_session(work)


@click.command("set")
@click.argument("control", metavar="DEVICE.CONTROL")
@click.argument("value")
@station_option
@simulation_options
@click.option("--yes", is_flag=True, help="Do not ask before something dangerous.")
@click.option("--force", is_flag=True, help="Set it although a run goes on, and end that run.")
def set_(
    control: str,
    value: str,
    station: str | None,
    simulate: bool,
    faults: tuple[str, ...],
    seed: int | None,
    yes: bool,
    force: bool,
) -> int:
    """Set DEVICE.CONTROL (or a bank such as pdu.outlet) to VALUE and see it confirmed; exit 3 when it is not.

    Refused (exit 6) while a run has the rack, or a guardian still makes it safe. With --force it is set all the same,
    and the run ends as ABORTED in the name of who typed it.
    """
    need_simulate(simulate=simulate, fault=faults, seed=seed)
    path = find_station(station, simulate=simulate)
    from harness.cli.session import run_session
    from harness.cli.ui.terminal import say
    from harness.project.station import load_station
    from harness.session import answering, opened, settings_of

    on = load_station(path)
    device_name, wanted = settings_of(on, control, value)
    if any(point.spec.danger or point.spec.energises for point, _ in wanted) and not yes:
        _ask(f"{control} to {value} on station {on.station.station}")
    lock = None if simulate else _take(on, device_name, f"{control} to {value}", force=force)

    async def work() -> int:
        async with (
            answering(lock),
            opened(on, {device_name}, simulate=simulate, seed=seed, faults=faults) as session,
        ):
            device = session.need(device_name)
            if lock is not None:
                _claim(lock, device, force=force)
            outcomes = await session.set(device_name, control, wanted, SpokenNotes())
            for point, setting in wanted:
                if (outcome := outcomes.get(point.name)) is None:
                    continue  # a row that the device does not have
                shown = setting.show(point.spec.unit)
                word = "confirmed" if outcome.is_confirmed else "NOT CONFIRMED"
                detail = f": {outcome.error or outcome.reading}" if not outcome.is_confirmed else ""
                say(f"{device_name}.{point.name} = {shown}  {word}{detail}")
            return 0 if all(outcome.is_confirmed for outcome in outcomes.values()) else 3

    return run_session(work)


def _take(on: StationProject, device: str, text: str, *, force: bool) -> RackLock | None:
    """Have the rack for one setting. With `force`, who has it is told, and his run ends; None: he has it still."""
    from harness.errors import RunError
    from harness.safety.bay import station_keys
    from harness.safety.lock import RackLock

    keys = [key for key in station_keys(on, {}, {device}) if key.alone]
    try:
        return RackLock.take("set", keys, station=on.station.station, text=text)
    except RunError as error:
        _refuse(error, force=force)
    _tell(keys, text)
    return None


def _claim(lock: RackLock, device: Device, *, force: bool) -> None:
    """Have the open device by its own serial number too: it may be reached by another way than that of the run."""
    from harness.errors import RunError
    from harness.safety.bay import serial_keys

    keys = serial_keys({device.name: device}, {device.name})
    try:
        lock.add(keys)
    except RunError as error:
        _refuse(error, force=force)
        _tell(keys, lock.about["text"])


def _refuse(error: RunError, *, force: bool) -> None:
    from harness.errors import RunError

    if not force:
        hint = f"{error.hint}; --force sets it all the same, and ends the run".removeprefix("; ")
        raise RunError(error.message, hint=hint)
    aside(error.message)


def _tell(keys: list[Key], text: str) -> None:
    from harness.safety.lock import tell_users

    for holder in tell_users(keys, "set", text):
        aside(f"{holder.said.get('run') or holder.who} was told")


def _ask(what: str) -> None:
    from harness.cli.ui.terminal import can_ask

    if not can_ask():
        raise ConfigError(f"{what} is dangerous, and there is no terminal to ask at", hint="add --yes if it is meant")
    if not click.confirm(f"Set {what}? It energises something, or stops cooling.", default=False):
        raise click.Abort
