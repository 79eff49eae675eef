"""`harness probe`: who answers, with which identity, how fast. Nothing is written to any device."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from harness.cli.inputs import find_station, need_simulate, simulation_options, station_argument

if TYPE_CHECKING:
    from harness.device.device import Device
    from harness.session import Session


@click.command()
@station_argument
@simulation_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def probe(station: str | None, simulate: bool, faults: tuple[str, ...], seed: int | None, as_json: bool) -> int:
    """Open all devices of STATION in parallel and tell who answers; exit 3 when one does not, or measures nothing."""
    need_simulate(simulate=simulate, fault=faults, seed=seed)
    path = find_station(station, simulate=simulate)
    from harness.cli.session import run_session
    from harness.cli.ui.terminal import say
    from harness.session import opened

    async def work() -> int:
        async with opened(path, simulate=simulate, seed=seed, faults=faults) as session:
            rows = [await _row(session, name) for name in session.devices]
            if as_json:
                say(json.dumps({"station": session.on.station.station, "devices": rows}))
            else:
                _show(session.on.station.station, rows)
            return 0 if all(row["ok"] for row in rows) else 3

    return run_session(work)


async def _row(session: Session, name: str) -> dict[str, Any]:
    from harness.device.evidence import NO_MEASUREMENT, NO_MEASUREMENT_HINT, measures_nothing
    from harness.device.protocol import protocol
    from harness.errors import ConfigError, IdentityError

    device = session.devices[name]
    row: dict[str, Any] = {"device": name, "profile": device.entry.profile, "address": session.addresses[name]}
    error = session.failures.get(name)
    if error is not None:
        hint = error.advice
        spoken = protocol(device.profile.protocol)
        if isinstance(error, IdentityError) and spoken.fitting:
            with suppress(ConfigError):  # code of others: nothing is suggested
                if found := await spoken.part("fitting")(device):
                    hint = f"it may be {' or '.join(found[:3])}; {hint}"
        return {**row, "ok": False, "reason": error.message, "hint": hint}
    frame = await device.poll()
    good = int((frame.qualities == 0).sum()) if frame is not None else 0
    if frame is None or measures_nothing(device, frame):
        reason = device.health.last_error or NO_MEASUREMENT
        return {**row, "ok": False, "reason": reason, "hint": NO_MEASUREMENT_HINT}
    return {
        **row,
        "ok": True,
        "identity": dict(device.identity),
        "open_ms": round(1000 * session.opened_in[name], 1),
        "poll_ms": round(1000 * device.health.latency_s, 1),
        "signals": len(device.signals),
        "good": good,
        "banks": _banks(device),
    }


def _banks(device: Device) -> dict[str, int]:
    """How many of each switchable repetition the device has: what `counts` of the station file should say."""
    found: dict[str, set[int]] = {}
    for control in device.expansion.controls.values():
        if control.row and control.name not in device.expansion.absent:
            found.setdefault(control.group, set()).add(control.row)
    return {group: len(rows) for group, rows in found.items()}


def _show(station: str, rows: list[dict[str, Any]]) -> None:
    from harness.cli.ui.terminal import say

    down = sum(1 for row in rows if not row["ok"])
    say(f"{station}: {len(rows)} devices, {f'{down} cannot be used' if down else 'all answer'}")
    width = max((len(row["device"]) for row in rows), default=0)
    for index, row in enumerate(rows):
        last = index == len(rows) - 1
        head = f"{'└─' if last else '├─'} {'✔' if row['ok'] else '✘'} {row['device']:<{width}}"
        say(f"{head}  {row['profile']}  {row['address']}")
        stem = f"{' ' if last else '│'}    {'':<{width}}  "
        if not row["ok"]:
            say(f"{stem}{row['reason']}{'; ' + row['hint'] if row['hint'] else ''}")
            continue
        identity = ", ".join(f"{key} {text}" for key, text in row["identity"].items() if text) or "no identity"
        banks = "".join(f", {count} x {group}" for group, count in row["banks"].items())
        say(f"{stem}{identity}{banks}")
        say(f"{stem}{row['good']} of {row['signals']} signals good, open {row['open_ms']} ms, poll {row['poll_ms']} ms")
