"""Whether a series over time is one straight line, and its slope; else where it jumps or bends. Pure."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SIGMAS = 6.0
"""A jump or a bend counts from so many of its own standard deviations."""
LEAST_SIDE = 20
"""Samples that each side of a bend must have."""
PLACES = 60
"""Places at which a bend is looked for."""
Series = NDArray[np.float64]


def line(t: Series, y: Series) -> tuple[float, float]:
    """Slope of a straight line, and its standard uncertainty with correlated residuals."""
    away = t - t.mean()
    spread = float(away @ away)
    slope = float(away @ (y - y.mean())) / spread
    rest = y - y.mean() - slope * away
    square = float(rest @ rest)
    if square <= 0.0:
        return slope, 0.0
    r = min(0.99, max(0.0, float(rest[1:] @ rest[:-1]) / square))
    return slope, math.sqrt(square / (len(t) - 2) / spread * (1.0 + r) / (1.0 - r))


def largest_jump(y: Series) -> tuple[float, int]:
    """The largest jump of an even series, and where; 0 when none is more than the noise lets one expect.

    At each place the mean of a twentieth of the samples behind it less that of as many before it, less what their own
    slopes explain: a straight line and a parabola make no jump. Noise is that of the differences of neighbours, by
    their median: neither a slope nor a jump is in it.
    """
    width = max(10, len(y) // 20)
    if len(y) < 2 * width + 1:
        return 0.0, 0
    k = np.arange(len(y), dtype=float)
    sums, moments = (np.concatenate(([0.0], np.cumsum(each))) for each in (y - y[0], k * (y - y[0])))
    part = sums[width:] - sums[:-width]
    middle = k[: len(part)] + 0.5 * (width - 1)
    slopes = (moments[width:] - moments[:-width] - middle * part) * 12.0 / (width * (width**2 - 1.0))
    jumps = (part[width:] - part[:-width]) / width - 0.5 * width * (slopes[width:] + slopes[:-width])
    around = np.diff(y)
    sigma = 1.4826 * float(np.median(np.abs(around - np.median(around)))) / math.sqrt(2.0)
    at = int(np.argmax(np.abs(jumps)))
    found = float(jumps[at])
    return (found, at + width) if abs(found) > SIGMAS * sigma * math.sqrt(8.0 / width) else (0.0, 0)


def largest_bend(t: Series, y: Series) -> tuple[float, int]:
    """How far the shorter side of the largest bend departs from the line of the other, and where; 0: no bend.

    Of all two straight lines that meet at a sample, those with the least residual; their slopes must differ by more
    than `SIGMAS` standard uncertainties (with the lag-1 correlation of the residuals). Positive: it bends upwards.
    """
    count = len(t)
    side = max(LEAST_SIDE, count // 33)
    if count < 2 * side:
        return 0.0, 0
    basis = np.column_stack((np.ones(count), t - t.mean()))
    basis /= np.sqrt((basis * basis).sum(axis=0))
    places = np.unique(np.linspace(side, count - side, PLACES).astype(int))
    hinges = np.maximum(0.0, t[:, None] - t[places][None, :])
    hinges -= basis @ (basis.T @ hinges)
    rest = y - y.mean()
    rest = rest - basis @ (basis.T @ rest)
    lengths = (hinges * hinges).sum(axis=0)
    bends = (rest @ hinges) / lengths
    best = int(np.argmax(bends * bends * lengths))
    left = rest - bends[best] * hinges[:, best]
    square = float(left @ left)
    bend, index = float(bends[best]), int(places[best])
    if square > 0.0:
        r = min(0.99, max(0.0, float(left[1:] @ left[:-1]) / square))
        u = math.sqrt(square / (count - 3) / float(lengths[best]) * (1.0 + r) / (1.0 - r))
        if abs(bend) <= SIGMAS * u:
            return 0.0, 0
    return bend * float(min(t[-1] - t[index], t[index] - t[0])), index
