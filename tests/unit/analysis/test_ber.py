"""The bounds of a bit error rate against tables of Poisson's, and their promise against drawn errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.ber import MANY, bits_needed, least_errors, most_errors, proved, seconds_needed


@pytest.mark.parametrize(
    ("errors", "most", "least"),
    [(0, 2.9957, 0.0), (1, 4.7439, 0.0513), (2, 6.2958, 0.3554), (5, 10.513, 1.9701), (10, 16.962, 5.4254)],
)
def test_the_bounds_are_those_of_the_tables_at_95_percent(errors, most, least):
    """Exact limits of a Poisson mean, as every table of chi-square halves has them."""
    assert most_errors(errors, 0.95) == pytest.approx(most, abs=6e-4)
    assert least_errors(errors, 0.95) == pytest.approx(least, abs=6e-4)


def test_without_errors_it_is_the_closed_form_and_the_published_time():
    assert bits_needed(1e-12, 0.95) == pytest.approx(-math.log(0.05) / 1e-12)
    assert seconds_needed(1e-15, 0.95, 400e9) == pytest.approx(7489, abs=1)  # 125 min
    assert seconds_needed(1e-15, 0.90, 400e9) == pytest.approx(math.log(10) / 4e-4)


def test_where_the_normal_takes_over_the_bounds_do_not_jump():
    for bound in (most_errors, least_errors):
        assert bound(MANY + 1, 0.95) - bound(MANY, 0.95) == pytest.approx(1.0, abs=1.5)
    assert 900 < least_errors(1000, 0.95) < 1000 < most_errors(1000, 0.95) < 1100


def test_what_is_proved_of_a_link():
    kept = proved(0, 3.1e12, 1e-12, 0.95)
    assert (kept.is_within, kept.is_beyond, kept.missing) == (True, False, 0.0)
    short = proved(0, 1e12, 1e-12, 0.95)
    assert (short.is_within, short.is_beyond) == (False, False)
    assert short.missing == pytest.approx(1.9957e12, rel=1e-4)
    one = proved(1, 3.1e12, 1e-12, 0.95)
    assert not one.is_within
    assert one.missing == pytest.approx(4.7439e12 - 3.1e12, rel=1e-4)
    assert proved(40, 1e12, 1e-12, 0.95).is_beyond
    assert proved(0, 0.0, 1e-12, 0.95).missing == bits_needed(1e-12, 0.95)


def test_the_promise_holds_a_link_at_its_limit_is_passed_or_failed_wrongly_no_more_often_than_said():
    """Errors drawn at exactly the limit: neither PASS (of a rate no better) nor FAIL (of one no worse) is right."""
    draws = np.random.default_rng(81).poisson(8.0, 20000)
    decided = {errors: proved(errors, 8e12, 1e-12, 0.95) for errors in set(draws.tolist())}
    passed = sum(decided[errors].is_within for errors in draws.tolist()) / len(draws)
    failed = sum(decided[errors].is_beyond for errors in draws.tolist()) / len(draws)
    assert 0.01 < passed <= 0.05
    assert 0.01 < failed <= 0.05
