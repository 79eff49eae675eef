"""Walking: a control that must not jump is led to its setting in steps no faster than its `rate`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.clock import Clock
from harness.device.device import Device
from harness.device.points import ControlPoint
from harness.device.setting import Setting
from harness.errors import DeviceError

_LOOK_S = 2.0
"""Longest time for reading where a control is, seconds."""
_STEP_S = 1.0
"""Time between two steps of a walk, seconds; longer where a step would be less than the device can tell apart."""


async def levels(
    device: Device, control: ControlPoint, setting: Setting, clock: Clock
) -> tuple[Sequence[Setting], float]:
    """The settings on the way, the last one last, and the pause between them in seconds.

    Only the setting itself where the control has no `rate`, or is near enough. DeviceError when it cannot be read where
    the control is: it is not moved then.
    """
    spec = control.spec
    if spec.rate is None or setting.word:
        return [setting], 0.0
    async with clock.timeout(_LOOK_S):
        (reading,) = await device.read([control.confirm_by])
    if not reading.is_good:
        raise DeviceError(f"{reading.signal} is {reading}: a change at a rate begins where the control is")
    smallest = max(abs(spec.scale) / 2**spec.precision, spec.step or 0.0)
    pause = max(_STEP_S, smallest / spec.rate)
    way = setting.value - reading.value
    count = max(1, math.ceil(abs(way) / (spec.rate * pause) - 1e-9))
    steps = [Setting(value=reading.value + way * number / count) for number in range(1, count)]
    return [*steps, setting], pause
