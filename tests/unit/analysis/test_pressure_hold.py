"""The drop of a held pressure and what it was compensated for; what a dew point says of vapour."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.drying import vapour_mass, vapour_pressure
from harness.analysis.pressure_hold import evaluate

TIMES = np.arange(0.0, 600.0, 1.0)


@pytest.mark.parametrize("drop", [0.0, 3.0, -2.0])
@pytest.mark.parametrize("warming", [0.0, 0.5, -1.0])
def test_the_drop_is_that_of_the_liquid_and_not_of_its_temperature(drop, warming):
    celsius = 24.0 + warming * TIMES / TIMES[-1]
    pressure = 400.0 - drop * TIMES / TIMES[-1] + 5.0 * (celsius - 24.0)
    found = evaluate(TIMES, pressure, celsius, 5.0, 0.2, 0.3)
    assert found.drop == pytest.approx(drop, abs=1e-6)
    assert found.compensated == pytest.approx(5.0 * warming, abs=1e-6)
    assert found.expanded == pytest.approx(math.hypot(0.3, 0.2 * 5.0 * warming), rel=1e-6)


def test_noise_is_as_uncertain_as_it_says():
    errors, said = [], []
    for seed in range(300):
        pressure = 400.0 + np.random.default_rng(seed).normal(0.0, 0.2, len(TIMES))
        found = evaluate(TIMES, pressure, np.full_like(TIMES, 24.0), 5.0, 0.2, 0.0)
        errors.append(found.drop)
        said.append(found.expanded)
    assert np.std(errors) == pytest.approx(0.5 * np.mean(said), rel=0.15)


def fallen(lost, begins, lasts, seed=1):
    """Pressure that falls by so much within a part of the hold (shares of its time)."""
    share = np.clip((TIMES / TIMES[-1] - begins) / max(lasts, 1e-9), 0.0, 1.0)
    return 400.0 - lost * share + np.random.default_rng(seed).normal(0.0, 0.1, len(TIMES))


@pytest.mark.parametrize("lost", [5.0, 20.0, 50.0])
@pytest.mark.parametrize(("begins", "lasts"), [(0.0, 1.0), (0.9, 0.1), (0.5, 0.5), (0.5, 0.0), (0.0, 0.2), (0.95, 0.0)])
def test_a_fall_counts_whole_wherever_in_the_hold_it_was(lost, begins, lasts):
    """Neither more nor less: what a straight line would make of a step in the middle is half as much again."""
    for seed in range(10):
        found = evaluate(TIMES, fallen(lost, begins, lasts, seed), np.full_like(TIMES, 24.0), 5.0, 0.2, 0.3)
        if begins < 0.95:
            assert found.drop == pytest.approx(lost, abs=max(found.expanded, 0.03 * lost))
        assert found.drop + found.expanded > 0.9 * lost


@pytest.mark.parametrize(
    ("pressure", "said"), [(TIMES[:5], "20 samples"), (np.where(TIMES == 9.0, math.nan, 1.0), "no number")]
)
def test_series_that_say_nothing_are_refused(pressure, said):
    with pytest.raises(ValueError, match=said):
        evaluate(TIMES[: len(pressure)], pressure, TIMES[: len(pressure)], 1.0, 0.1, 0.1)
    with pytest.raises(ValueError, match="one time"):
        evaluate(0.0 * TIMES, TIMES, TIMES, 1.0, 0.1, 0.1)


@pytest.mark.parametrize(("dew_point", "pressure"), [(0.0, 0.6112), (20.0, 2.3388), (40.0, 7.3849), (-20.0, 0.1254)])
def test_vapour_pressures_are_those_of_the_tables(dew_point, pressure):
    """IAPWS saturation over water, and below 0 degC over supercooled water (Goff and Gratch), within 0.6 %."""
    assert vapour_pressure(dew_point) == pytest.approx(pressure, rel=6e-3)


def test_sixty_litres_of_saturated_air_hold_a_gram():
    """17.3 g/m3 at 20 degC, a number of every table of humid air."""
    assert vapour_mass(20.0, 20.0, 1000.0) == pytest.approx(17.3, rel=5e-3)
    assert vapour_mass(-40.0, 20.0, 60.0) == pytest.approx(0.0084, rel=0.05)
