"""How a rate of change is seen: between the oldest and the newest of the last seconds of samples."""

from __future__ import annotations

import math

from harness.quantity import SignalInfo, convert, difference_unit
from harness.schema.fields import Rate

RATE_OVER_S = 5.0
"""A rate is seen over this long at most, and over half of it at least."""


def rate_window(poll: float) -> float:
    """The shortest time over which samples that come every `poll` seconds show a rate, seconds."""
    return math.ceil(RATE_OVER_S / 2 / poll - 1e-9) * poll


def rate_per_second(rate: Rate, info: SignalInfo) -> float:
    """A rate in the signal's unit a second; ValueError when it is a rate of something else."""
    change, per = rate
    return convert(change.value, change.unit, difference_unit(info.unit)) / per
