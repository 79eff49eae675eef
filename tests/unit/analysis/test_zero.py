"""Zeros of sensors against sensors that are drawn: what is taken off, and how far what remains is out."""

from __future__ import annotations

import math
import random
from statistics import fmean, pstdev

import pytest

from harness.analysis.zero import Mean, apart, friction_rise, steady_mean, zero_to, zero_together


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
        assert one.shared_u >= 0.15 / math.sqrt(3) / math.sqrt(2) - 1e-9
    assert pstdev(left) < 0.007
    assert fmean(right) >= pstdev(left)
    within = sum(abs(error) <= 2 * u for error, u in zip(left, right, strict=True))
    assert within >= 950


@pytest.mark.parametrize("count", [2, 3, 6])
@pytest.mark.parametrize(("lies_by", "least"), [(0.0, 0.95), (0.3, 0.9)])
def test_what_is_not_known_of_the_mean_covers_what_it_is_out_by(count, lies_by, least):
    """2 000 groups; and nearly as well where one is out by twice its class (of a pair 39 % without the ratio)."""
    chance, within = random.Random(5), 0
    for _ in range(2000):
        bias = [chance.gauss(0, 0.075) for _ in range(count)]
        bias[0] += lies_by
        found = zero_together([Mean(24.0 + b, 0.005) for b in bias], [0.0] * count, [0.15] * count, [0.045] * count)
        out = bias[0] - found[0].offset  # of the absolute temperature, when the zero is taken off
        within += abs(out) <= 2 * math.hypot(found[0].own_u, found[0].shared_u)
    assert within >= least * 2000


def test_what_they_share_grows_with_what_their_classes_do_not_explain():
    """0.4 K between two of 0.15 K: chi^2 = 2 (0.2 / 0.0866)^2, as much is the mean out by."""
    one, _ = zero_together([Mean(24.2, 0.0), Mean(23.8, 0.0)], [0.0] * 2, [0.15] * 2, [0.0] * 2)
    assert one.shared_u == pytest.approx(0.2)
    same, _ = zero_together([Mean(24.0, 0.0), Mean(24.0, 0.0)], [0.0] * 2, [0.15] * 2, [0.0] * 2)
    assert same.shared_u == pytest.approx(0.15 / math.sqrt(6))


def test_two_that_differ_are_both_accused_by_their_difference():
    one, other = apart([24.45, 24.0], [0.3, 0.3])
    assert (one.by, other.by) == (pytest.approx(0.45), pytest.approx(-0.45))
    assert one.limit == other.limit == pytest.approx(0.3 * math.sqrt(2))
    assert one.by > one.limit


def test_of_several_the_one_that_lies_is_found_and_the_others_are_not():
    found = apart([24.0, 24.02, 25.5, 23.99], [0.3] * 4)
    assert [abs(each.by) > each.limit for each in found] == [False, False, True, False]
    assert found[2].by == pytest.approx(25.5 - (24.0 + 24.02 + 23.99) / 3)
    assert found[2].limit == pytest.approx(0.3 * math.sqrt(4 / 3))
    assert found[0].by == pytest.approx(24.0 - (24.02 + 23.99) / 2), "without the one that lies"


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
