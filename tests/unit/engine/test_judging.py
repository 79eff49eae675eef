"""A value with an uncertainty of its own is decided only where that is sure."""

from __future__ import annotations

import math

import pytest

from harness.engine.judging import Data, ResolvedLimit, too_little, verdict_of
from harness.limits.check import Check
from harness.limits.verdict import Verdict

AT_MOST = ResolvedLimit(Check(high=20.0, unit="sccm", shown="<= 20 sccm"))
BAND = ResolvedLimit(Check(low=10.0, high=20.0), guard_band=1.0)


@pytest.mark.parametrize(
    ("value", "uncertainty", "verdict"),
    [
        (10.0, 2.0, Verdict.PASS),
        (18.0, 2.0, Verdict.PASS),
        (18.1, 2.0, Verdict.INCONCLUSIVE),
        (22.0, 2.0, Verdict.INCONCLUSIVE),
        (22.1, 2.0, Verdict.FAIL),
        (20.0, 0.0, Verdict.PASS),
        (20.1, 0.0, Verdict.FAIL),
        (math.nan, 2.0, Verdict.INCONCLUSIVE),
    ],
)
def test_a_limit_that_is_nearer_than_the_uncertainty_is_not_decided(value, uncertainty, verdict):
    assert verdict_of(value, AT_MOST, Data(guarded_by=uncertainty)) is verdict


@pytest.mark.parametrize(
    ("value", "uncertainty", "verdict"),
    [
        (10.5, 0.1, Verdict.INCONCLUSIVE),  # the guard band of the limit is the larger one
        (11.0, 0.1, Verdict.PASS),
        (8.9, 0.1, Verdict.FAIL),
        (12.0, 3.0, Verdict.INCONCLUSIVE),
        (15.0, 5.0, Verdict.PASS),
        (15.0, 50.0, Verdict.INCONCLUSIVE),
        (-50.0, 50.0, Verdict.FAIL),
    ],
)
def test_both_sides_of_a_band_count_and_the_larger_of_the_two_uncertainties(value, uncertainty, verdict):
    assert verdict_of(value, BAND, Data(guarded_by=uncertainty)) is verdict


def test_too_few_samples_are_still_too_few():
    data = Data(samples=5, coverage=0.4, needed=0.9, guarded_by=2.0)
    assert verdict_of(1.0, AT_MOST, data) is Verdict.INCONCLUSIVE
    assert "40.0 % of the samples" in too_little(1.0, "x", AT_MOST.check, data, None)
    assert "does not decide <= 20 sccm" in too_little(19.0, "x", AT_MOST.check, Data(guarded_by=2.0), None)
