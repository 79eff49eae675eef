"""`harness read`, `set`, `safe`: by hand, one thing at a time, with the same confirmation as in a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from harness.cli.inputs import find_station, need_simulate, simulation_options, station_argument, station_option
from harness.errors import ConfigError


@click.command()
@click.argument("signal", metavar="DEVICE.SIGNAL")
@station_option
@simulation_options
def read(signal: str, station: str | None, simulate: bool, faults: tuple[str, ...], seed: int | None) -> int:
    """Read DEVICE.SIGNAL (or a bank such as pdu.outlet.current) now; exit 3 when a reading is not GOOD."""
    need_simulate(simulate=simulate, fault=faults, seed=seed)
    path = find_station(station, simulate=simulate)
    from harness.cli.session import opened, run_session
    from harness.cli.terminal import say
    from harness.engine.project import load_station

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
def set_(
    control: str,
    value: str,
    station: str | None,
    simulate: bool,
    faults: tuple[str, ...],
    seed: int | None,
    yes: bool,
) -> int:
    """Set DEVICE.CONTROL (or a bank such as pdu.outlet) to VALUE and see it confirmed; exit 3 when it is not."""
    need_simulate(simulate=simulate, fault=faults, seed=seed)
    path = find_station(station, simulate=simulate)
    from harness.cli.session import opened, run_session
    from harness.cli.terminal import say
    from harness.device.actuate import actuate
    from harness.device.device import resolve_setting
    from harness.engine.project import load_station

    on = load_station(path)
    pairs = on.catalog.find_controls(control)
    if not pairs:
        raise ConfigError(on.catalog.control_problem(control))
    try:
        wanted = [(point, resolve_setting(point, value)) for _, point in pairs]
    except ValueError as error:
        raise ConfigError(str(error)) from error
    device_name = pairs[0][0]
    if any(point.spec.danger or point.spec.energises for point, _ in wanted) and not yes:
        _ask(f"{control} to {value} on station {on.station.station}")

    async def work() -> int:
        async with opened(on, {device_name}, simulate=simulate, seed=seed, faults=faults) as session:
            device = session.need(device_name)
            found = {point.name for _, point in on.catalog.find_controls(control)}  # rows that the device has
            meant = [pair for pair in wanted if pair[0].name in found]
            outcomes = await actuate(device, meant, session.clock, SpokenNotes())
            for point, setting in meant:
                outcome = outcomes[point.name]
                shown = setting.show(point.spec.unit)
                word = "confirmed" if outcome.is_confirmed else "NOT CONFIRMED"
                detail = f": {outcome.error or outcome.reading}" if not outcome.is_confirmed else ""
                say(f"{device_name}.{point.name} = {shown}  {word}{detail}")
            return 0 if all(outcome.is_confirmed for outcome in outcomes.values()) else 3

    return run_session(work)


def _ask(what: str) -> None:
    from harness.cli.terminal import can_ask

    if not can_ask():
        raise ConfigError(f"{what} is dangerous, and there is no terminal to ask at", hint="add --yes if it is meant")
    if not click.confirm(f"Set {what}? It energises something, or stops cooling.", default=False):
        raise click.Abort


@click.command()
@station_argument
@click.option("--sequence", default="default", show_default=True, help="Which safe-state sequence.")
@simulation_options
def safe(station: str | None, sequence: str, simulate: bool, faults: tuple[str, ...], seed: int | None) -> int:
    """Bring STATION to its safe state now; exit 0 when confirmed, 5 when not. Never asks first."""
    need_simulate(simulate=simulate, fault=faults, seed=seed)
    path = find_station(station, simulate=simulate)
    from harness.cli.session import opened, run_session
    from harness.cli.terminal import say
    from harness.engine.catalog import did_you_mean
    from harness.engine.project import load_station
    from harness.safety.actions import Sequences
    from harness.safety.compile import compile_plan
    from harness.safety.device_reach import DeviceReach
    from harness.safety.sequence import cool_down, make_safe

    on = load_station(path)
    if sequence not in on.station.sequences:
        hint = did_you_mean(sequence, on.station.safe_state)
        raise ConfigError(f"station {on.station.station} has no safe_state sequence {sequence!r}{hint}")

    async def work() -> int:
        async with opened(on, simulate=simulate, seed=seed, faults=faults) as session:
            for name, error in session.failures.items():
                say(f"{name} at {session.addresses[name]}: {error}")
            plan = Sequences.of(await compile_plan(on.station, session.devices, on.catalog.derived))
            reach, notes = DeviceReach(session.devices), SpokenNotes()
            report = await make_safe(plan.by_name[sequence], "asked for by hand", reach, notes)
            await cool_down(plan.by_name[sequence], reach, notes, report)
            if report.is_confirmed:
                say(f"SAFE CONFIRMED  {on.station.station}, sequence {sequence}, {len(report.actions)} actions")
                return 0
            say(f"SAFE NOT CONFIRMED - LOOK AT THE RACK  {on.station.station}")
            for line in report.unconfirmed:
                say(f"  {line}")
            return 5

    return run_session(work, goes_on="the safe state goes on: it does not end half-way")


class SpokenNotes:
    """Commands by hand have no journal: what happens is said on stderr."""

    async def intent(self, device: str, commands: Mapping[str, str]) -> None:
        """Said before anything is sent."""
        shown = ", ".join(f"{name} {setting}" for name, setting in commands.items())
        self._say(f"sending {device}: {shown}")

    def note(self, kind: str, /, **data: Any) -> None:
        """What came of it, as far as it is out of the ordinary."""
        if kind in ("refused", "unclear", "safe action", "not confirmed"):
            from harness.engine.log import spoken

            self._say(f"{kind}: {spoken(data)}")

    def _say(self, text: str) -> None:
        import contextlib

        from harness.schema.problems import one_line

        with contextlib.suppress(OSError, ValueError):
            click.echo(one_line(text), err=True)
