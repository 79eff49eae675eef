"""Confirmation: a command happened when a reading says so, before a deadline. Acknowledged is not confirmed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from harness.clock import Clock
from harness.device.device import Device
from harness.device.points import ControlPoint
from harness.device.setting import Setting
from harness.errors import DeviceError
from harness.quantity import Reading, parse_quantity

_POLL_S = 0.2


@dataclass(slots=True)
class Outcome:
    """Whether a control was confirmed, and what was last read of it."""

    control: str
    is_confirmed: bool
    reading: Reading | None = None
    error: str = ""

    def __str__(self) -> str:
        shown = str(self.reading) if self.reading is not None else (self.error or "nothing read")
        return f"{self.control}: {shown}"


def agrees(control: ControlPoint, setting: Setting, reading: Reading) -> bool:
    """Whether a GOOD reading of the confirming signal shows the setting."""
    if not reading.is_good:
        return False
    confirm = control.spec.confirm
    assert confirm is not None
    if setting.word:
        return reading.text == confirm.words.get(setting.word, setting.word)
    return math.isfinite(reading.value) and abs(reading.value - setting.value) <= tolerance_of(control)


def tolerance_of(control: ControlPoint) -> float:
    """By how much a reading of the confirming signal may differ from what was set, in the control's unit."""
    spec = control.spec
    if spec.confirm is not None and spec.confirm.tolerance:
        return _tolerance(spec.confirm.tolerance)
    return float(abs(spec.scale) / 2**spec.precision * 1.0001)


@cache
def _tolerance(text: str) -> float:
    """A profile's tolerance, parsed once: read-backs of every frame are held against it."""
    return parse_quantity(text).value


async def confirm(
    device: Device, wanted: Sequence[tuple[ControlPoint, Setting]], clock: Clock, within: float | None = None
) -> Mapping[str, Outcome]:
    """Read back several controls of one device together until all agree or the deadline passes.

    `within` [s] replaces the profile's own deadlines. Controls without a confirming signal are reported as not
    confirmed with the reason said: acknowledged is all that can be known of them.
    """
    outcomes = {control.name: Outcome(control.name, False) for control, _ in wanted}
    open_ = [(control, setting) for control, setting in wanted if control.spec.confirm is not None]
    for control, _ in wanted:
        if control.spec.confirm is None:
            outcomes[control.name].error = "the profile names no signal that confirms it"
    if not open_:
        return outcomes
    started = clock.monotonic()
    confirms = [control.spec.confirm for control, _ in open_ if control.spec.confirm is not None]
    deadline = started + (within if within is not None else max(c.within for c in confirms))
    await clock.sleep(min(max(c.delay for c in confirms), max(0.0, deadline - started)))
    while True:
        try:
            async with clock.timeout(max(0.05, deadline - clock.monotonic())):
                readings = await device.read([control.confirm_by for control, _ in open_])
        except (DeviceError, TimeoutError) as error:
            for control, _ in open_:
                outcomes[control.name].error = str(error) or "no answer before the deadline"
        else:
            for (control, setting), reading in zip(list(open_), readings, strict=True):
                outcome = outcomes[control.name]
                outcome.reading, outcome.error = reading, ""
                outcome.is_confirmed = agrees(control, setting, reading)
            open_ = [pair for pair in open_ if not outcomes[pair[0].name].is_confirmed]
        if not open_ or clock.monotonic() >= deadline:
            return outcomes
        await clock.sleep(min(_POLL_S, max(0.01, deadline - clock.monotonic())))
