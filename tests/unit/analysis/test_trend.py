"""The line through samples against numpy's, and what it claims to know against how much the answers scatter."""

from __future__ import annotations

import math
import random
from statistics import fmean, pstdev

import numpy as np
import pytest

from harness.analysis.trend import fit_trend, slope_uncertainty


def test_it_is_the_line_that_numpy_finds():
    chance = random.Random(3)
    times = [float(t) for t in range(40)]
    values = [35.0 + 0.004 * t + chance.gauss(0, 0.03) for t in times]
    trend = fit_trend(times, values)
    (slope, _), covariance = np.polyfit(times, values, 1, cov=True)
    assert trend.slope == pytest.approx(slope)
    assert trend.slope_u == pytest.approx(math.sqrt(covariance[0, 0]))


def test_what_is_claimed_before_and_after_is_what_the_slopes_scatter_by():
    """0.03 K of noise, one sample a second for a minute: 0.013 K/min, a twentieth of 0.3 K/min."""
    chance = random.Random(5)
    times = [float(t) for t in range(61)]
    trends = [fit_trend(times, [chance.gauss(45, 0.03) for _ in times]) for _ in range(500)]
    seen = pstdev(each.slope for each in trends)
    assert seen == pytest.approx(slope_uncertainty(0.03, 60, 1), rel=0.1)
    assert fmean(each.slope_u for each in trends) == pytest.approx(seen, rel=0.1)
    assert 60 * slope_uncertainty(0.03, 60, 1) == pytest.approx(0.0131, abs=2e-4)


def test_a_sensor_that_stands_still_within_its_resolution_knows_no_slope_for_certain():
    trend = fit_trend([0, 1, 2, 3], [20.1] * 4, least_scatter=0.03)
    assert trend.slope == 0.0
    assert trend.slope_u == pytest.approx(0.03 / math.sqrt(5))


def test_what_is_no_line_is_none():
    for times, values in (([1, 2], [1, 2]), ([1, 1, 1], [1, 2, 3])):
        with pytest.raises(ValueError, match=r"samples"):
            fit_trend(times, values)
    assert slope_uncertainty(0.03, 1.0, 1.0) == math.inf
