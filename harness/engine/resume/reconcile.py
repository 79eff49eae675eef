"""What must be done again: the controls are read and held against what the completed steps left."""

from __future__ import annotations

from collections.abc import Mapping

from harness.device.confirm import agrees
from harness.device.device import Device
from harness.device.setting import resolve_setting
from harness.engine.resume.replay import InterruptedRun
from harness.errors import DeviceError
from harness.project.model import Project
from harness.project.step import Resume


async def reconcile(past: InterruptedRun, project: Project, devices: Mapping[str, Device]) -> list[str]:
    """Compare the controls with what the completed steps left, and fill `past.redo`; returns what was found, in words.

    What cannot be read counts as changed.
    """
    owners: dict[tuple[str, str], tuple[str, str]] = {}
    for step in project.steps:
        known = past.steps.get(step.path)
        if known is not None and known.is_done and step.section != "cleanup":
            owners.update({control: (step.path, setting) for control, setting in known.commands.items()})
    lines = []
    timed = {step.path for step in project.steps if step.params.after_resume is Resume.TIME}
    for (device, name), (key, shown) in owners.items():
        text, agreed = await _look(devices[device], name, shown)
        lines.append(f"{device}.{name} is {text}, the run had set it to {shown}")
        if not agreed and key in timed:
            past.restore.setdefault(key, []).append((device, name, shown))
        elif not agreed:
            past.redo.add(key)
    planned = [step.path for step in project.steps if step.section != "cleanup"]
    if all(key in past.steps and past.steps[key].is_done for key in planned):
        past.redo.clear()  # nothing is left to do for which the rack would have to be as it was
        past.restore.clear()
        return lines
    again = False
    for step in project.steps:
        again = again or step.path in past.redo or step.path in past.restore
        if again and step.params.after_resume is Resume.WAIT and step.section != "cleanup":
            past.redo.add(step.path)
    return lines


async def _look(device: Device, name: str, shown: str) -> tuple[str, bool]:
    control = device.expansion.controls.get(name)
    if control is None or not control.confirm_by:
        return "not to be read", False
    try:
        (reading,) = await device.read([control.confirm_by])
        return str(reading), agrees(control, resolve_setting(control, shown), reading)
    except (DeviceError, ValueError) as error:
        return f"unknown ({error})", False
