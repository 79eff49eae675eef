"""Whether a device measures anything at all: a name and a clock are what every agent has, whatever stands behind it."""

from __future__ import annotations

from harness.device.device import Device
from harness.device.points import SignalPoint
from harness.quantity import Frame
from harness.schema.profile import Profile

NO_MEASUREMENT = "not one measurement of this profile is there: whatever answers is no device of this kind"
NO_MEASUREMENT_HINT = "check the address and the profile; a device that has just started may need a minute"


def is_measurement(profile: Profile, point: SignalPoint) -> bool:
    """Whether the signal says something of the rack: no text, nothing read once only, no clock of the device."""
    spec = point.spec
    is_clock = point.name == profile.heartbeat or (spec.counter and spec.unit == "s")
    return not (spec.is_text or spec.poll == "once" or is_clock)


def can_measure(device: Device) -> bool:
    """Whether the profile promises anything that could be measured."""
    return any(is_measurement(device.profile, point) for point in device.expansion.signals.values())


def measures_nothing(device: Device, frame: Frame) -> bool:
    """Whether not one of the measurements that the profile promises is GOOD in this frame."""
    good = (point for point, quality in zip(device.points, frame.qualities, strict=True) if not quality)
    return can_measure(device) and not any(is_measurement(device.profile, point) for point in good)
