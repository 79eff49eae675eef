"""Evaluation of the steps of power, against closed forms and draws of a known spread."""

from __future__ import annotations

import math
import random
from statistics import stdev

import pytest

from harness.analysis.comparison import Series, difference
from harness.analysis.inrush import let_through, worst_case
from harness.analysis.mapping import wrong_switches
from harness.analysis.sharing import sharing
from harness.analysis.unbalance import unbalance


def test_unbalance_is_the_largest_deviation_from_the_mean():
    found = unbalance([208.0, 208.0, 139.0])
    assert (found.mean, found.worst) == (185.0, 2)
    assert found.percent == pytest.approx(100 * 46 / 185)
    assert unbalance([5.0, 5.0, 5.0]).percent == 0.0
    for bad in ([], [3.0], [0.0, 0.0, 0.0], [math.nan, 1.0]):
        with pytest.raises(ValueError, match="current"):
            unbalance(bad)


def test_the_uncertainty_of_an_unbalance_is_what_draws_scatter_by():
    draw, u = random.Random(7), 0.4
    fixed = unbalance([200.0, 180.0, 179.0], [u] * 3)
    found = [unbalance([draw.gauss(200, u), draw.gauss(180, u), draw.gauss(179, u)]).percent for _ in range(4000)]
    assert stdev(found) == pytest.approx(fixed.percent_u, rel=0.05)


def test_a_difference_and_its_uncertainty():
    found = difference(Series(5050.0, 0.0, 20), Series(5000.0, 0.0, 20), 0.5)
    assert (found.percent, found.expanded_u) == (pytest.approx(1.0), pytest.approx(0.5))
    noisy = difference(Series(5000.0, 25.0, 25), Series(5000.0, 50.0, 25), 0.0)
    assert noisy.expanded_u == pytest.approx(2 * math.hypot(0.1, 0.2))
    draw = random.Random(5)

    def mean(true: float, scatter: float) -> float:
        return sum(draw.gauss(true, scatter) for _ in range(25)) / 25

    drawn = [100 * (mean(5000, 25) / mean(5000, 50) - 1) for _ in range(2000)]
    assert 2 * stdev(drawn) == pytest.approx(noisy.expanded_u, rel=0.05)
    with pytest.raises(ValueError, match="shows 0"):
        difference(Series(1.0, 0.0, 2), Series(0.0, 0.0, 2), 0.5)


@pytest.mark.parametrize(
    ("seen", "wrong"),
    [
        ([{0}, {1}, {2}], {}),
        ([{1}, {0}, {2}], {0: "is seen at 2: swapped with 2", 1: "is seen at 1: swapped with 1"}),
        ([{1}, {2}, {0}], {0: "is seen at 2", 1: "is seen at 3", 2: "is seen at 1"}),
        ([{0}, set(), {2}], {1: "is seen nowhere"}),
        ([{0, 2}, {1}, set()], {0: "is seen at 1, 3", 2: "is seen nowhere"}),
        ([{0}, {0}, {2}], {1: "is seen at 1"}),
    ],
)
def test_a_switch_is_right_where_it_alone_is_seen_at_its_place(seen, wrong):
    assert wrong_switches([frozenset(each) for each in seen]) == wrong


def test_sharing_is_told_of_the_rating():
    assert sharing([55.0, 53.0, 51.0], 100.0) == (pytest.approx(2.0), 0)
    assert sharing([5.0, 5.0], 100.0)[0] == 0.0
    for outputs, rating in (([], 100.0), ([1.0], 0.0)):
        with pytest.raises(ValueError, match="no outputs, or no rating"):
            sharing(outputs, rating)


def test_the_let_through_is_the_integral_of_the_square():
    peak, decay, step = 378.0, 0.010, 1e-6
    integral = sum((peak * math.exp(-k * step / decay)) ** 2 * step for k in range(200_000))
    assert let_through(peak, decay) == pytest.approx(integral, rel=1e-3)


def test_the_worst_case_holds_the_crest_whenever_it_was_switched():
    draw = random.Random(11)
    for _ in range(500):
        angles = [draw.uniform(0, math.pi) for _ in range(3)]
        peaks = [[378 * abs(math.sin(angle + k * math.tau / 3)) for k in range(3)] for angle in angles]
        seen, worst = worst_case(peaks)
        assert seen <= 378 * (1 + 1e-12) <= worst * (1 + 1e-9)
        assert worst <= 378 / math.sqrt(0.75) * (1 + 1e-9)
    for bad in ([], [[1.0, 2.0]]):
        with pytest.raises(ValueError, match="three phases"):
            worst_case(bad)
