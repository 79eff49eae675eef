"""`harness safe`: the button for everybody. It makes the rack safe, and judges the rack, not the file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from harness.cli.inputs import find_station, need_simulate, simulation_options, station_argument
from harness.cli.ui.aside import SpokenNotes, aside
from harness.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from harness.project.model import StationProject
    from harness.session import Session
TOLD_WITHIN_S = 1.0
"""Longest wait for the run that goes on to hear of it, seconds; it is told all the same."""


@click.command()
@station_argument
@click.option("--sequence", default="default", show_default=True, help="Which safe-state sequence.")
@simulation_options
def safe(station: str | None, sequence: str, simulate: bool, faults: tuple[str, ...], seed: int | None) -> int:
    """Bring STATION to its safe state now; exit 0 when confirmed, 5 when not. Never asks first.

    A run that goes on there is told and ends as ABORTED, in the name of who typed this; no run begins meanwhile. Then
    every switch of the station is read: one that is on, or that does not tell, is not safe, whatever the sequence says.
    """
    need_simulate(simulate=simulate, fault=faults, seed=seed)
    path = find_station(station, simulate=simulate)
    from harness.cli.hold import Hold
    from harness.cli.session import run_session
    from harness.cli.ui.banner import say_not_safe
    from harness.cli.ui.terminal import say
    from harness.project.catalog import did_you_mean
    from harness.safety.actions import Sequences
    from harness.safety.compile import compile_plan
    from harness.safety.device_reach import DeviceReach
    from harness.safety.sequence import cool_down, make_safe
    from harness.session import opened

    on = _load(path)
    if sequence not in on.station.sequences:
        hint = did_you_mean(sequence, on.station.safe_state)
        raise ConfigError(f"station {on.station.station} has no safe_state sequence {sequence!r}{hint}")
    _refuse_energising(on, sequence)

    async def work() -> int:
        hold = Hold(on, sequence)
        telling = None if simulate else hold.begin()
        try:
            async with opened(on, simulate=simulate, seed=seed, faults=faults) as session:
                for name, error in session.failures.items():
                    say(f"{name} at {session.addresses[name]}: {error}")
                plan = Sequences.of(await compile_plan(on.station, session.devices, on.catalog.derived))
                if telling is not None:
                    await asyncio.wait({telling, hold.extend(session.devices)}, timeout=TOLD_WITHIN_S)
                reach, notes = DeviceReach(session.devices), SpokenNotes()
                report = await make_safe(plan.by_name[sequence], "asked for by hand", reach, notes)
                for line in (await _left(session))[0]:
                    aside(line)
                await cool_down(plan.by_name[sequence], reach, notes, report)
                wrong, kept = await _left(session)
        finally:
            await hold.release()
        for line in kept:
            say(line)
        if report.is_confirmed and not wrong:
            done = sum(action.is_confirmed for action in report.actions)
            say(f"SAFE CONFIRMED  {on.station.station}, sequence {sequence}, {done} of {len(report.actions)} actions")
            for line in report.unreached:
                say(f"  not reached: {line}")
            return 0
        say_not_safe(on.station.station, [*report.unconfirmed, *wrong])
        return 5

    return run_session(work, goes_on="the safe state goes on: it does not end half-way")


def _load(path: Path) -> StationProject:
    """The station; one that a run would refuse (an interlock that cannot trip) is good enough to switch it off."""
    from harness.project.station import load_station
    from harness.schema.problems import ProblemsError

    try:
        return load_station(path)
    except ProblemsError as error:
        on = load_station(path, only_to_make_safe=True)
        aside(f"{error.problems[0]}; the rack is made safe all the same, `harness check {path}` tells the rest")
        return on


def _refuse_energising(on: StationProject, sequence: str) -> None:
    """ConfigError for a sequence that puts power on: whoever presses this button must not switch a rack on."""
    from harness.device.setting import puts_power_on, resolve_setting

    for action in on.station.actions_of(sequence):
        for device, point in on.catalog.find_controls(action.set or ""):
            if action.to is not None and puts_power_on(point, resolve_setting(point, action.to)):
                raise ConfigError(
                    f"sequence {sequence!r} of station {on.station.station} sets {device}.{point.name} to {action.to}: "
                    "that puts power on, and nothing was sent",
                    hint="take it out of the sequence; `harness set` switches on",
                )


async def _left(session: Session) -> tuple[list[str], list[str]]:
    """What is not safe on the whole station, whatever the sequence names; and what stays on as it must."""
    from harness.device.uncounted import uncounted_switches
    from harness.safety.power_state import read_switches, switches_of

    found = await read_switches(session.devices, session.clock)
    blind = [
        f"{name}.{point.name}"
        for name, device in session.devices.items()
        for point in switches_of(device)
        if point.spec.confirm is None
    ]
    kept = session.on.stays_on
    wrong = [f"{name} is on" for name in found.on if name not in kept]
    wrong += [f"{name} was left as it is: {why}" for name, why in session.on.left_out.items()]
    wrong += [f"{name} cannot be read" for name in (*found.unknown, *blind) if name not in kept]
    wrong += [line for device in session.devices.values() if device.is_open for line in uncounted_switches(device)]
    now = {**dict.fromkeys(found.on, "is on"), **dict.fromkeys((*found.unknown, *blind), "cannot be read")}
    return wrong, [f"stays on: {name} {now.get(name, 'is OFF')} ({why})" for name, why in kept.items()]
