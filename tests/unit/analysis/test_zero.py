"""Zeros of sensors against sensors that are drawn: what is taken off, and how far what remains is out."""

from __future__ import annotations

import math
import random
from statistics import fmean, pstdev

import pytest

from harness.analysis.zero import Mean, friction_rise, steady_mean, zero_to, zero_together


def test_the_uncertainty_of_a_mean_is_what_means_scatter_by_also_when_noise_remembers():
    chance = random.Random(11)
    for memory in (0.0, 0.6):
        means = []
        for _ in range(400):
            last, values = 0.0, []
            for _ in range(200):
                last = memory * last + chance.gauss(0, 0.03)
                values.append(35.0 + last)
            means.append(steady_mean(values))
        assert fmean(each.u for each in means) == pytest.approx(pstdev(each.value for each in means), rel=0.12)


def test_too_few_samples_are_no_mean_and_a_constant_is_one():
    with pytest.raises(ValueError, match="10 samples are needed"):
        steady_mean([1.0] * 9)
    assert steady_mean([1.0] * 10) == Mean(1.0, 0.0)


def test_thermometers_in_one_coolant_agree_afterwards_within_what_is_claimed():
    """1 000 pairs, each out by 0.075 K (one sigma): their difference by 0.106 K, and afterwards by less than 0.01."""
    chance = random.Random(7)
    rise, left, right = 0.015, [], []
    for _ in range(1000):
        bias = [chance.gauss(0, 0.075) for _ in range(2)]
        read = [
            steady_mean([t + b + chance.gauss(0, 0.03) for _ in range(60)])
            for t, b in zip((24.0, 24.0 + rise), bias, strict=True)
        ]
        one, other = zero_together(read, [0.0, rise], [0.15, 0.15], [0.0, 0.0])
        left.append((bias[1] - other.offset) - (bias[0] - one.offset))
        right.append(math.hypot(one.own_u, other.own_u))
        assert one.shared_u == pytest.approx(0.15 / math.sqrt(3) / math.sqrt(2))
    assert pstdev(left) < 0.007
    assert fmean(right) >= pstdev(left)
    within = sum(abs(error) <= 2 * u for error, u in zip(left, right, strict=True))
    assert within >= 950


def test_what_no_zero_takes_off_stays_in_what_is_claimed():
    found = zero_to(Mean(0.4, 0.02), 0.0, remains=0.3)
    assert (found.offset, found.own_u) == (0.4, pytest.approx(math.hypot(0.02, 0.3 / math.sqrt(3))))
    assert found.shared_u == 0.0


def test_one_alone_shows_the_same_as_nobody():
    with pytest.raises(ValueError, match="at least two"):
        zero_together([Mean(1.0, 0.1)], [0.0], [0.1], [0.0])


def test_friction_is_the_energy_of_the_pressure_drop():
    """172 L/min through 60 kPa: 172 W. In 11.5 kW/K of coolant that is 0.015 K."""
    assert friction_rise(60.0, 4.0) == pytest.approx(172.0 / (172 / 60 * 4000.0))
