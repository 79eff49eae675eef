"""The heat balance and the filter against the published figures, and against errors that are drawn."""

from __future__ import annotations

import math
import random
from statistics import pstdev

import pytest

from harness.analysis.filter import at_flow, change
from harness.analysis.heat import Known, heat_balance


@pytest.mark.parametrize(("rise", "percent"), [(10.0, 2.6), (5.0, 4.5), (3.0, 7.2)])
def test_the_uncertainty_is_the_published_one(rise, percent):
    """Flow 1.5 %, two thermometers of 0.15 K: 2.6 % at 10 K, 4.5 % at 5 K, 7.2 % at 3 K."""
    found = heat_balance(Known(172, 0.015 * 172), 35, 35 + rise, 0.15 * math.sqrt(2), Known(115, 0))
    assert 100 * found.u / found.share == pytest.approx(percent, abs=0.06)


def test_the_handy_constant():
    """15 L/min a kilowatt and kelvin, at 4.0 kJ/(L K)."""
    found = heat_balance(Known(150, 1), 25, 35, 0.1, Known(100, 1))
    assert (found.heat, found.share, found.rise) == (pytest.approx(100, rel=0.003), pytest.approx(100, rel=0.003), 10)


def test_the_uncertainty_is_what_drawn_errors_scatter_by():
    chance = random.Random(1)
    shares = []
    for _ in range(5000):
        flow, power = 172 * chance.gauss(1, 0.008), 132 * chance.gauss(1, 0.003)
        shares.append(heat_balance(Known(flow, 1), 35, 45 + chance.gauss(0, 0.1), 0.1, Known(power, 1)).share)
    found = heat_balance(Known(172, 172 * 0.008), 35, 45, 0.1, Known(132, 132 * 0.003))
    assert found.u == pytest.approx(pstdev(shares), rel=0.05)


def test_without_power_or_rise_there_is_no_balance():
    for flow, high, power in ((172, 45, 0), (172, 35, 100), (0, 45, 100)):
        with pytest.raises(ValueError, match="no balance"):
            heat_balance(Known(flow, 1), 35, high, 0.1, Known(power, 1))


def test_a_filter_is_the_same_at_every_flow():
    assert at_flow(Known(8.0, 0.0), Known(172.0, 0.0), 172.0) == Known(8.0, 0.0)
    found = at_flow(Known(8.0 * (120 / 172) ** 2, 0.1), Known(120.0, 1.2), 172.0)
    assert found.value == pytest.approx(8.0)
    assert found.u == pytest.approx(math.hypot(0.1 * (172 / 120) ** 2, 2 * 8.0 * 0.01))


def test_a_filter_that_has_loaded_up_by_a_fifth():
    found = change(Known(8.0, 0.05), Known(9.6, 0.05))
    assert found.value == pytest.approx(20.0)
    assert found.u == pytest.approx(100 * math.hypot(0.05 / 8, 1.2 * 0.05 / 8))
    with pytest.raises(ValueError, match="no pressure drop before"):
        change(Known(0.0, 0.1), Known(1.0, 0.1))
