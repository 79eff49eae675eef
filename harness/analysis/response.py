"""What something does after a disturbance: how far it goes, when it is back, whether it swings. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from harness.analysis.zero import steady_mean

LAST = 0.2
"""Share of the record, at its end, whose mean is where a response goes to."""
NOISE = 4.0
"""A swing counts from so many times the noise of its smoothed record on."""
OF_BAND = 0.1
"""A swing counts from this share of the band on: less is nothing that anybody regulates to."""
FLIPS = 0.1
"""Share of samples that change from which on they flip between steps of the resolution."""
FIRST = 3.0
"""The first of two swings that are compared must be so many times that."""
SMOOTH = 5
"""Samples of the running mean that swings are looked for in."""


@dataclass(frozen=True, slots=True)
class Response:
    """How a regulated quantity answers a step of its load."""

    before: float
    final: float
    overshoot: float
    """The largest excursion beyond where it goes to (or its setpoint), upwards; 0 when there is none."""
    settled_after: float
    """Seconds from the step to when it enters the band around where it goes to, for good; infinite: it does not."""
    decay_ratio: float
    """The second swing to one side over the first: 0 without a second, 1 when it hunts for ever."""


def step_response(
    before: Sequence[float], times: Sequence[float], values: Sequence[float], band: float, aim: float | None = None
) -> Response:
    """Of samples before the step, and after it (times in seconds since the step).

    It goes to the mean of the last fifth; excursions are counted from `aim` (a setpoint) where there is one. Swings are
    the parts of the smoothed record on one side of where it goes to; those within the noise (by the differences of
    neighbours, in which no swing is), one step of the resolution or a tenth of the band are none. The decay ratio of a
    linear second-order system is exp(-2 pi zeta / sqrt(1 - zeta^2)).
    ValueError: fewer than ten samples before or in the last fifth.
    """
    end = [v for t, v in zip(times, values, strict=True) if t >= times[-1] - LAST * (times[-1] - times[0])]
    final, start = steady_mean(end), steady_mean(before)
    smooth = _running_mean(values)
    least = max(NOISE * _noise(values) / math.sqrt(SMOOTH), _resolution(values), OF_BAND * band)
    reference = final.value if aim is None else aim
    overshoot = max(0.0, *(each - reference for each in smooth))
    late = [t for t, v in zip(times, smooth, strict=True) if abs(v - final.value) > band]
    is_back = not late or late[-1] < times[-1] - LAST * (times[-1] - times[0])  # else the end is no place it goes to
    settled = 0.0 if not late else min(t for t in times if t > late[-1]) if is_back else math.inf
    return Response(start.value, final.value, overshoot, settled, _decay(smooth, final.value, least))


def _noise(values: Sequence[float]) -> float:
    """Standard deviation of the noise of single samples, by the median of the differences of neighbours."""
    steps = [b - a for a, b in itertools.pairwise(values)]
    middle = median(steps)
    return 1.4826 * median([abs(each - middle) for each in steps]) / math.sqrt(2.0)


def _resolution(values: Sequence[float]) -> float:
    """The smallest step of samples that flip between steps of the resolution; 0 where few of them change at all."""
    steps = [abs(b - a) for a, b in itertools.pairwise(values) if b != a]
    return min(steps) if len(steps) > FLIPS * len(values) else 0.0


def _running_mean(values: Sequence[float]) -> list[float]:
    half = SMOOTH // 2
    cut = [values[max(0, k - half) : k + half + 1] for k in range(len(values))]
    return [math.fsum(part) / len(part) for part in cut]


def _decay(values: Sequence[float], final: float, least: float) -> float:
    swings: list[float] = []  # the largest deviation of each part on one side
    for value in values:
        away = value - final
        if abs(away) <= least:
            continue
        if swings and away * swings[-1] > 0:
            swings[-1] = away if abs(away) > abs(swings[-1]) else swings[-1]
        else:
            swings.append(away)
    pairs = zip(swings, swings[2:], strict=False)
    return max((abs(third / first) for first, third in pairs if abs(first) >= FIRST * least), default=0.0)


@dataclass(frozen=True, slots=True)
class Dip:
    """What a flow loses when a pump stops, % of what it was, and when (s) it is back to the share asked for."""

    lost: float
    recovered_after: float
    """Infinite: not within the record."""


def dip(before: float, times: Sequence[float], values: Sequence[float], share: float) -> Dip:
    """The largest loss, and the first time from which the flow stays above `share` (0 to 1) of what it was.

    Taken from means of three samples: one noisy sample is no dip.
    """
    if before <= 0 or len(values) < 3:
        raise ValueError("without flow before, or samples after, nothing dips")
    means = [math.fsum(values[max(0, k - 1) : k + 2]) / len(values[max(0, k - 1) : k + 2]) for k in range(len(values))]
    low = [t for t, v in zip(times, means, strict=True) if v < share * before]
    back = 0.0 if not low else math.inf if low[-1] >= times[-1] else min(t for t in times if t > low[-1])
    return Dip(100 * max(0.0, 1 - min(means) / before), back)
