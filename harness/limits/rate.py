"""How a rate of change is seen: between the oldest and the newest of the last seconds of samples."""

from __future__ import annotations

import math

from harness.quantity import SignalInfo, convert, difference_unit
from harness.schema.fields import Rate

RATE_OVER_S = 5.0
"""A rate is seen over this long at most, and over half of it at least."""


STEEPER = 1.05
"""By how much a change is steeper than a rate, to be told from it."""


def change_needed(rate: float, lasts: float, poll: float) -> float:
    """How far a signal must move at least to break a rate for `lasts` seconds, when it is read every `poll` seconds.

    Infinite when it is read too rarely for any rate to be seen.
    """
    return math.inf if poll > RATE_OVER_S else STEEPER * rate * (RATE_OVER_S + lasts + 2 * poll)


def rate_per_second(rate: Rate, info: SignalInfo) -> float:
    """A rate in the signal's unit a second; ValueError when it is a rate of something else."""
    change, per = rate
    return convert(change.value, change.unit, difference_unit(info.unit)) / per
