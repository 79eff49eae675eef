"""A straight line through samples over time: how fast something changes, and how well the samples know it. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_POINTS = 3
"""Two points have no residual: nothing would be known of the uncertainty."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A line by least squares. Slopes are in units a second."""

    slope: float
    slope_u: float
    """Standard uncertainty of the slope, from the residuals (and `least_scatter`)."""
    mean: float
    scatter: float
    """Standard deviation of the residuals."""
    points: int


def fit_trend(times: Sequence[float], values: Sequence[float], least_scatter: float = 0.0) -> Trend:
    """The line through samples. ValueError: fewer than three, or all at one time.

    u(slope) = s / sqrt(sum (t - mean t)^2), the textbook result for white residuals s. `least_scatter` is what the
    samples scatter by at least: within one step of its resolution a sensor shows no residual, and knows no slope.
    """
    count = len(times)
    if count < LEAST_POINTS or count != len(values):
        raise ValueError(f"{LEAST_POINTS} samples are needed, there are {min(count, len(values))}")
    mean_t, mean = math.fsum(times) / count, math.fsum(values) / count
    spread = math.fsum((t - mean_t) ** 2 for t in times)
    if spread <= 0:
        raise ValueError("all samples are of one time")
    slope = math.fsum((t - mean_t) * (v - mean) for t, v in zip(times, values, strict=True)) / spread
    rest = math.fsum((v - mean - slope * (t - mean_t)) ** 2 for t, v in zip(times, values, strict=True))
    scatter = max(math.sqrt(rest / (count - 2)), least_scatter)
    return Trend(slope, scatter / math.sqrt(spread), mean, scatter, count)


def slope_uncertainty(scatter: float, over: float, period: float) -> float:
    """Standard uncertainty of the slope over a window of `over` seconds, a sample each `period`, before it is measured.

    For n equally spaced samples sum (t - mean t)^2 = n (n^2 - 1) period^2 / 12. Infinite for fewer than three.
    """
    count = math.floor(over / period + 1e-6) + 1
    if count < LEAST_POINTS:
        return math.inf
    return scatter / (period * math.sqrt(count * (count * count - 1) / 12))
