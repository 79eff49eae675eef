"""Commanding: intent noted -> sent -> acknowledged -> confirmed by read-back. Only the last counts.

A write is never blindly repeated: after an unclear write the read-back decides what happened. What makes a rack safe
goes by another way, which may repeat `off` (`harness.safety.sequence`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from harness.clock import Clock
from harness.device.confirm import Outcome, agrees, confirm
from harness.device.device import Device
from harness.device.points import ControlPoint
from harness.device.ramp import levels
from harness.device.setting import Setting
from harness.errors import DeviceError, RefusedError
from harness.events import EventKind
from harness.faultpoint import fault_point

_WRITE_S = 5.0
"""Longest time for one command to be acknowledged, seconds."""
_LOOK_S = 2.0
"""Longest time for the read-back that decides what a refused message has done, seconds."""


class Notes(Protocol):
    """Where commands are written down."""

    async def intent(self, device: str, commands: Mapping[str, str]) -> None:
        """Called before anything is sent; must not return before the intent is durable."""
        ...

    def note(self, kind: EventKind, /, **data: Any) -> None:
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
    shared: list[str] = []
    for batch in _batches(device, wanted):
        if len(batch) > 1:
            shared += [control.name for control, _ in batch]
            problems |= await _send_together(device, batch, clock, notes)
        else:
            ((control, setting),) = batch
            problems[control.name] = await _walk(device, control, setting, clock, notes)
    fault_point("before-confirm")
    outcomes = await confirm(device, wanted, clock, within)
    for control, setting in wanted:
        outcome = outcomes[control.name]
        if not outcome.is_confirmed and problems[control.name]:
            outcome.error = problems[control.name]
        if not outcome.is_confirmed:
            device.health.count("not_confirmed")
        notes.note(
            EventKind.CONFIRMED if outcome.is_confirmed else EventKind.NOT_CONFIRMED,
            device=device.name,
            control=control.name,
            wanted=setting.show(control.spec.unit),
            read=str(outcome.reading) if outcome.reading else None,
            warning=problems[control.name] or None,
        )
    if not all(outcomes[name].is_confirmed for name in shared):
        device.is_doubted = True  # it may have done a part of a message only
    fault_point("confirmed")
    return outcomes


def _batches(
    device: Device, wanted: Sequence[tuple[ControlPoint, Setting]]
) -> Iterator[Sequence[tuple[ControlPoint, Setting]]]:
    """The commands in order; switches next to each other that go off share a message where the device takes it.

    What goes on does so one by one: many loads that start in the same instant trip a breaker.
    """
    batch: list[tuple[ControlPoint, Setting]] = []
    for pair in wanted:
        is_off = pair[1].word == "off"
        if batch and (not is_off or batch[-1][1].word != "off" or len(batch) >= device.max_batch):
            yield batch
            batch = []
        batch.append(pair)
    if batch:
        yield batch


async def _send_together(
    device: Device, batch: Sequence[tuple[ControlPoint, Setting]], clock: Clock, notes: Notes
) -> dict[str, str]:
    """Switch several things off with one message; per control '' or what went wrong.

    When the device refuses the message, or it is lost, what reads as something else than off is told so again, one by
    one: an error says nothing of what was done, and off may be said twice.
    """
    about = {"device": device.name}
    names = [control.name for control, _ in batch]
    try:
        async with clock.timeout(_WRITE_S):
            await device.write_batch(batch)
    except (DeviceError, TimeoutError) as error:
        reason = str(error) or f"no acknowledgement within {_WRITE_S:g} s"
        kind = EventKind.REFUSED if isinstance(error, RefusedError) else EventKind.UNCLEAR
    else:
        fault_point("sent")
        for name in names:
            notes.note(EventKind.ACKNOWLEDGED, **about, control=name)
        return dict.fromkeys(names, "")
    for name in names:
        notes.note(kind, **about, control=name, error=reason)
    device.is_doubted = True
    problems = dict.fromkeys(names, f"{kind}: {reason}")
    for control, setting in await _disagreeing(device, batch, clock):
        problems[control.name] = await _send(device, control, setting, clock, notes)
    return problems


async def _disagreeing(
    device: Device, batch: Sequence[tuple[ControlPoint, Setting]], clock: Clock
) -> Sequence[tuple[ControlPoint, Setting]]:
    """Those that do not read as commanded; all of them when that cannot be read."""
    if any(control.spec.confirm is None for control, _ in batch):
        return batch
    try:
        async with clock.timeout(_LOOK_S):
            readings = await device.read([control.confirm_by for control, _ in batch])
    except (DeviceError, TimeoutError):
        return batch
    return [pair for pair, reading in zip(batch, readings, strict=True) if not agrees(*pair, reading)]


async def _walk(device: Device, control: ControlPoint, setting: Setting, clock: Clock, notes: Notes) -> str:
    """Lead a control to its setting no faster than its `rate`; '' when all was acknowledged, else what went wrong.

    It stops at the first step that is not acknowledged. The caller may cancel it between two steps.
    """
    try:
        steps, pause = await levels(device, control, setting, clock)
    except (DeviceError, TimeoutError) as error:
        return f"not sent: {error or 'no answer where the control is'}"
    if len(steps) > 1:
        unit = control.spec.unit
        way = f"in {len(steps)} steps of {pause:g} s, {control.spec.rate:g} {unit}/s at most"
        notes.note(EventKind.WALKING, device=device.name, control=control.name, wanted=setting.show(unit), way=way)
    for number, each in enumerate(steps):
        if number:
            await clock.sleep(pause)
        if problem := await _send(device, control, each, clock, notes):
            return problem
    return ""


async def _send(device: Device, control: ControlPoint, setting: Setting, clock: Clock, notes: Notes) -> str:
    """Send one command; returns '' when it was acknowledged, else what went wrong."""
    about = {"device": device.name, "control": control.name}
    try:
        async with clock.timeout(_WRITE_S):
            await device.write(control, setting)
    except RefusedError as error:
        notes.note(EventKind.REFUSED, **about, error=error.message)
        return f"refused: {error.message}"
    except (DeviceError, TimeoutError) as error:
        reason = str(error) or f"no acknowledgement within {_WRITE_S:g} s"
        notes.note(EventKind.UNCLEAR, **about, error=reason)
        return f"unclear: {reason}"
    fault_point("sent")
    notes.note(EventKind.ACKNOWLEDGED, **about)
    return ""
