"""For how long something was shown: by the samples alone, and never longer than it was."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.lasting import lasted


@pytest.mark.parametrize(
    ("shown", "seconds"),
    [
        ("....", math.nan),
        ("....#...", 0),
        (".####.", 3),
        (".##.####.#.", 3),
        ("#####", 4),
    ],
)
def test_the_longest_run_counts(shown, seconds):
    found = lasted(range(len(shown)), [each == "#" for each in shown])
    assert found == pytest.approx(seconds, nan_ok=True)


@given(
    began=st.floats(1, 10),
    lasts=st.floats(0.1, 30),
    period=st.floats(0.2, 3),
    phase=st.floats(0, 1),
)
def test_it_is_a_lower_bound_and_misses_at_most_two_periods(began, lasts, period, phase):
    times = [period * (k + phase) for k in range(int(60 / period))]
    found = lasted(times, [began <= time < began + lasts for time in times])
    if math.isnan(found):
        assert lasts <= period + 1e-9
    else:
        assert lasts - 2 * period - 1e-9 <= found <= lasts
