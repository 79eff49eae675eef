"""Whether a run that died may go on: made from the same files, on the same hardware."""

from __future__ import annotations

import asyncio
import difflib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.clock import Clock
from harness.device.build import DeviceBuilder
from harness.device.device import Device
from harness.engine.options import RunOptions
from harness.engine.resume.replay import InterruptedRun
from harness.errors import HarnessError, RunError
from harness.project.model import Project
from harness.safety.power_state import Switches, read_switches
from harness.version import __version__

_OPEN_S = 4.5


def run_meta(project: Project, serial: str) -> dict[str, Any]:
    """What of a run must be the same when it is resumed, and what marks its telemetry."""
    return {
        "serial": serial,
        "station": project.on.station.station,
        "plan": project.plan.plan,
        "harness_version": __version__,
        "hashes": dict(project.on.hashes),
        "parameters": json.loads(json.dumps(project.parameters, default=str)),
        "engineering": list(project.engineering),
        "begin_at": project.begin_at,
    }


def refuse_if_changed(past: InterruptedRun, project: Project, serial: str) -> None:
    """RunError with every difference between what the run was made from and what is here now."""
    now = run_meta(project, serial)
    differences = [
        f"{name}: was {past.meta.get(name)!r}, is {now[name]!r}"
        for name in ("serial", "station", "plan", "harness_version", "begin_at")
        if past.meta.get(name) != now[name]
    ]
    for what in ("hashes", "parameters"):
        was, is_ = past.meta.get(what) or {}, now[what]
        differences += [
            _difference(past.folder, project, what, name, was.get(name), is_.get(name))
            for name in sorted({*was, *is_})
            if was.get(name) != is_.get(name)
        ]
    if past.stop:
        differences.append(f"it had stopped already: {past.stop}")
    if differences:
        raise RunError(
            f"{past.run} cannot be resumed:\n  " + "\n  ".join(differences),
            hint="put back what it was started with, or start a new run",
        )


def _difference(folder: Path, project: Project, what: str, name: str, was: Any, is_: Any) -> str:
    if what == "parameters":
        return f"parameter {name}: was {was!r}, is {is_!r}"
    if was is None or is_ is None:
        return f"{name}: {'was not used' if was is None else 'is not used any more'}"
    line = f"{name} has changed"
    path = project.on.files.get(name)
    old = next((each for each in (folder / "inputs").glob("*") if _sha256(each) == was), None)
    if path is None or old is None:
        return line
    diff = difflib.unified_diff(
        old.read_text("utf-8", "replace").splitlines(),
        path.read_text("utf-8", "replace").splitlines(),
        lineterm="",
        n=0,
    )
    shown = [each for each in diff if not each.startswith(("---", "+++", "@@"))][:12]
    return "\n    ".join([line, *shown])


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


async def refuse_unfit(past: InterruptedRun, project: Project, options: RunOptions, clock: Clock) -> None:
    """Ask every device who it is, before anything of the run is touched; RunError when the run cannot go on.

    A refusal also says what is still switched on: nobody watches it any more.
    """
    builder = DeviceBuilder(clock, project.on.base, options.network)
    devices: dict[str, Device] = {}
    try:
        for name, entry in project.on.station.devices.items():
            address = options.addresses.get(name, "")
            devices[name] = builder.make(name, entry, project.catalog.profiles[name], address)
        failures = [text for text in await asyncio.gather(*(_open(each, clock) for each in devices.values())) if text]
        try:
            refuse_if_changed(past, project, options.serial)
            if failures:
                text = "\n  ".join(failures)
                raise RunError(f"{past.run} cannot be resumed now:\n  {text}", hint="check the devices")
            _refuse_other_units(past, devices)
        except RunError as error:
            found: Switches = await read_switches(devices, clock, project.on.stays_on)
            if not found.on and not found.unknown:
                raise
            hint = f"nobody watches the rack: `harness safe STATION` makes it safe; {error.hint}"
            raise RunError(f"{error.message}\n  found: {found}", hint=hint) from error
    finally:
        await asyncio.gather(*(device.close() for device in devices.values()), return_exceptions=True)


async def _open(device: Device, clock: Clock) -> str:
    try:
        async with clock.timeout(_OPEN_S):
            await device.open()
    except TimeoutError:
        return f"{device.name}: no answer within {_OPEN_S:g} s"
    except HarnessError as error:
        return f"{device.name}: {error}"
    return ""


def _refuse_other_units(past: InterruptedRun, devices: Mapping[str, Device]) -> None:
    """RunError when another unit answers than the run was begun with."""
    found = {name: device.identity for name, device in devices.items()}
    wrong = [
        f"{name}: was {_identity(was)}, is {_identity(found.get(name, {}))}"
        for name, was in past.identities.items()
        if found.get(name) != was
    ]
    if wrong:
        text = "\n  ".join(wrong)
        raise RunError(f"{past.run} cannot be resumed, the hardware is another:\n  {text}", hint="start a new run")


def _identity(fields: Mapping[str, str]) -> str:
    return " ".join(text for text in fields.values() if text) or "no identity"
