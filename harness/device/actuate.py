"""Commanding: intent noted -> sent -> acknowledged -> confirmed by read-back. Only the last counts.

A write is never blindly repeated: after an unclear write the read-back decides what happened. The guardian and the
engine both command through here; they differ only in where the notes go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from harness.clock import Clock
from harness.device.confirm import Outcome, confirm
from harness.device.device import Device, Setting
from harness.device.points import ControlPoint
from harness.errors import DeviceError, RefusedError
from harness.faultpoint import fault_point

_WRITE_S = 5.0
"""Longest time for one command to be acknowledged, seconds."""


class Notes(Protocol):
    """Where commands are written down."""

    async def intent(self, device: str, commands: Mapping[str, str]) -> None:
        """Called before anything is sent; must not return before the intent is durable."""
        ...

    def note(self, kind: str, /, **data: Any) -> None:
        """What came of it: acknowledged, refused, unclear, confirmed, not confirmed."""
        ...


async def actuate(
    device: Device,
    wanted: Sequence[tuple[ControlPoint, Setting]],
    clock: Clock,
    notes: Notes,
    within: float | None = None,
) -> Mapping[str, Outcome]:
    """Command several controls of one device and confirm them together. Never raises for what the device does."""
    shown = {control.name: setting.show(control.spec.unit) for control, setting in wanted}
    await notes.intent(device.name, shown)
    fault_point("intent-durable")
    problems: dict[str, str] = {}
    for control, setting in wanted:
        problems[control.name] = await _send(device, control, setting, clock, notes)
    fault_point("before-confirm")
    outcomes = await confirm(device, wanted, clock, within)
    for control, setting in wanted:
        outcome = outcomes[control.name]
        if not outcome.is_confirmed and problems[control.name]:
            outcome.error = problems[control.name]
        if not outcome.is_confirmed:
            device.health.count("not_confirmed")
        notes.note(
            "confirmed" if outcome.is_confirmed else "not confirmed",
            device=device.name,
            control=control.name,
            wanted=setting.show(control.spec.unit),
            read=str(outcome.reading) if outcome.reading else None,
            warning=problems[control.name] or None,
        )
    fault_point("confirmed")
    return outcomes


async def _send(device: Device, control: ControlPoint, setting: Setting, clock: Clock, notes: Notes) -> str:
    """Send one command; returns '' when it was acknowledged, else what went wrong."""
    about = {"device": device.name, "control": control.name}
    try:
        async with clock.timeout(_WRITE_S):
            await device.write(control, setting)
    except RefusedError as error:
        notes.note("refused", **about, error=error.message)
        return f"refused: {error.message}"
    except (DeviceError, TimeoutError) as error:
        reason = str(error) or f"no acknowledgement within {_WRITE_S:g} s"
        notes.note("unclear", **about, error=reason)
        return f"unclear: {reason}"
    fault_point("sent")
    notes.note("acknowledged", **about)
    return ""
