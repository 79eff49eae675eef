"""The fit of a power law against numpy's, against its own claims, and against numbers that are no curve."""

from __future__ import annotations

import math
import random
from statistics import fmean

import numpy as np
import pytest

from harness.analysis.power_law import fit_power_law, viscosity_factor

FLOWS = [172.0, 140.0, 115.0, 90.0]


@pytest.mark.parametrize("n", [0.5, 1.0, 1.75, 1.8, 2.0])
def test_an_exact_curve_is_found(n):
    curve = fit_power_law(FLOWS, [0.006 * q**n for q in FLOWS])
    assert curve.exponent == pytest.approx(n, abs=1e-12)
    assert curve.at(172.0) == pytest.approx(0.006 * 172.0**n)
    assert curve.scatter < 1e-12


def test_it_is_the_line_that_numpy_finds():
    drops = [57.9, 39.5, 27.1, 17.6]
    curve = fit_power_law(FLOWS, drops)
    (slope, cut), covariance = np.polyfit(np.log(FLOWS), np.log(drops), 1, cov=True)
    assert curve.exponent == pytest.approx(slope)
    assert curve.log_factor == pytest.approx(cut)
    assert curve.exponent_u == pytest.approx(math.sqrt(covariance[0, 0]))
    at = math.log(160.0)
    assert curve.relative_u(160.0) == pytest.approx(math.sqrt(np.array([at, 1]) @ covariance @ np.array([at, 1])))


def test_the_uncertainty_is_what_the_answers_scatter_by():
    """2 000 racks of n = 1.8 with 1 % of noise on each drop: the claimed u is the deviation of the answers."""
    chance = random.Random(1)
    found = [fit_power_law(FLOWS, [0.006 * q**1.8 * (1 + chance.gauss(0, 0.01)) for q in FLOWS]) for _ in range(2000)]
    deviation = math.sqrt(fmean((each.exponent - 1.8) ** 2 for each in found))
    claimed = math.sqrt(fmean(each.exponent_u**2 for each in found))
    assert claimed == pytest.approx(deviation, rel=0.08)
    assert fmean(each.exponent for each in found) == pytest.approx(1.8, abs=0.002)


@pytest.mark.parametrize(
    ("xs", "ys", "why"),
    [
        ([1, 2], [1, 2], "3 points are needed, there are 2"),
        ([1, 2, 3], [1, 0, 3], "zero, negative or no number"),
        ([1, 2, 3], [1, math.nan, 3], "zero, negative or no number"),
        ([5, 5, 5], [1, 2, 3], "all points are at one place"),
    ],
)
def test_what_is_no_curve_is_none(xs, ys, why):
    with pytest.raises(ValueError, match=why):
        fit_power_law(xs, ys)


def test_viscosity_is_that_of_the_table():
    """CoolProp INCOMP::MPG[0.25], mPa s at 25, 35, 45 and 60 degC: 2.071, 1.542, 1.199, 0.878."""
    for temperature, viscosity in ((25, 2.071), (35, 1.542), (45, 1.199), (60, 0.878)):
        assert viscosity_factor(temperature) == pytest.approx((viscosity / 1.542) ** 0.25, rel=2e-3)
