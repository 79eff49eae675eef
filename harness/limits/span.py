"""What a signal can show at all: the sensor's own range, else what is physically plausible for its unit.

A bound outside of that can never be violated: what lies there is BAD, or never comes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from harness.limits.check import Check, compile_check
from harness.quantity import SignalInfo, convert, unit
from harness.schema.conditions import Bounds
from harness.schema.fields import LocatedError

PLAUSIBLE: Mapping[str, tuple[float, float, str]] = {
    "temperature": (-60, 200, "degC"),
    "temperature difference": (-100, 100, "K"),
    "pressure": (-100, 2500, "kPa"),
    "flow": (0, 5000, "L/min"),
    "power": (-5, 5, "MW"),
    "apparent power": (0, 5000, "kVA"),
    "voltage": (-10, 10, "kV"),
    "current": (-20, 20, "kA"),
    "frequency": (0, 1000, "kHz"),
    "rotation": (0, 50_000, "RPM"),
    "ratio": (-1000, 1000, "%"),
    "level": (-100, 50, "dBm"),
    "attenuation": (-100, 100, "dB"),
    "humidity": (0, 100, "%RH"),
    "acidity": (0, 14, "pH"),
    "conductivity": (0, 1000, "mS/cm"),
    "velocity": (-100, 100, "m/s"),
}
"""By kind of unit: between what values a signal of a rack or its station may lie, where its profile does not say."""


def span(info: SignalInfo) -> tuple[float, float]:
    """(lowest, highest) value that the signal can show as GOOD, in its unit; infinite where nothing is known."""
    low, high = info.valid
    kind = PLAUSIBLE.get(unit(info.unit).kind)
    if kind is not None and math.isinf(low):
        low = convert(kind[0], kind[2], info.unit)
    if kind is not None and math.isinf(high):
        high = convert(kind[1], kind[2], info.unit)
    return low, high


def shown_span(info: SignalInfo) -> str:
    """`0 to 2000 L/min`."""
    low, high = span(info)
    return f"{low:g} to {high:g} {info.unit}".rstrip()


def can_violate(check: Check, info: SignalInfo) -> bool:
    """Whether the signal can show a GOOD value that violates the check."""
    return math.isfinite(violating(check, info))


def check_binds(bounds: Bounds, info: SignalInfo) -> Check:
    """Compile a limit; ValueError when it does not fit the signal, or no GOOD value violates it, or none meets it."""
    check = compile_check(bounds, info)
    if not can_violate(check, info):
        shows = f"{info.name} shows {shown_span(info)}" if bounds.quantities() else f"{info.name} shows no other word"
        raise LocatedError(f"{shows}: nothing could violate {check}", _first_key(bounds))
    low, high = span(info)
    if check.codes is None and check.mask is None and (check.low > high or check.high < low):
        raise LocatedError(f"{info.name} shows {shown_span(info)}: nothing could meet {check}", _first_key(bounds))
    return check


def _first_key(bounds: Bounds) -> str:
    if bounds.words:
        return "equals" if bounds.equals is not None else "one_of"
    return bounds.quantities()[0][0]


def violating(check: Check, info: SignalInfo) -> float:
    """A GOOD value that violates the check, NaN when there is none: halfway from the bound to the end of the span."""
    if check.codes is not None:
        return next((value for value in info.labels if value not in check.codes), math.nan)
    if check.mask is not None:
        return next((float(1 << bit) for bit in info.flags if not check.mask >> bit & 1), math.nan)
    low, high = span(info)
    if check.high < high:
        return _beyond(check.high, high)
    if check.low > low:
        return _beyond(check.low, low)
    return math.nan


def _beyond(bound: float, end: float) -> float:
    """Between a bound and the end of the span; a little beyond the bound where the span has no end."""
    if math.isinf(end):
        return bound + math.copysign(0.1 * abs(bound) + 1.0, end)
    return (bound + end) / 2
