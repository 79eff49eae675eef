"""Comparing results: the odd tray is named, nobody is without a majority, and what is missing is equal to nothing."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.agreement import compare


def rack(trays=18, rounds=20, **own):
    """Trays t0.. that all give 'r', but for those given."""
    return {f"t{k}": own.get(f"t{k}", ["r"] * rounds) for k in range(trays)}


def test_all_the_same():
    agreed = compare(rack())
    assert (agreed.right, agreed.odd, agreed.compared) == ("r", (), 360)
    assert set(agreed.missing.values()) == {0}


def test_one_that_was_wrong_once_is_named():
    agreed = compare(rack(t7=["r"] * 12 + ["x"] + ["r"] * 7))
    assert (agreed.right, agreed.odd, agreed.wrong["t7"]) == ("r", ("t7",), 1)


def test_one_that_is_always_wrong_in_the_same_way_is_named():
    assert compare(rack(t0=["x"] * 20)).odd == ("t0",)


@pytest.mark.parametrize("trays", [2, 4, 18])
def test_half_against_half_has_no_majority(trays):
    half = {f"t{k}": ["x"] * 20 for k in range(trays // 2)}
    assert compare(rack(trays, **half)).right is None


def test_who_gave_nothing_counts_against_a_majority():
    silent = {f"t{k}": [] for k in range(9)}
    agreed = compare(rack(18, **silent))
    assert agreed.right is None
    assert agreed.missing["t0"] == 20


def test_a_tray_alone_contradicts_itself_or_has_no_majority():
    assert compare({"t": ["r", "r", "x"]}).odd == ("t",)
    assert compare({"t": ["r", "x"]}).right is None


@given(st.integers(1, 18), st.integers(0, 20), st.integers(0, 30))
def test_what_is_missing_is_counted(trays, holes, owed):
    agreed = compare(rack(trays, t0=[None] * holes + ["r"] * (20 - holes)), owed)
    assert agreed.missing["t0"] == max(20, owed) - (20 - holes)
    assert agreed.odd == ()


def test_a_tray_that_is_seldom_wrong_is_found_as_often_as_it_says():
    """1 - (1 - s)^N of 60 rounds at 5 %: 95.4 %; drawn 4 000 times, six sigma are 2 points."""
    draw = random.Random(20261130)
    found = 0
    for _ in range(4000):
        bad = ["x" if draw.random() < 0.05 else "r" for _ in range(60)]
        agreed = compare(rack(18, 60, t3=bad))
        assert agreed.odd in ((), ("t3",))
        found += agreed.odd == ("t3",)
    assert found / 4000 == pytest.approx(1 - 0.95**60, abs=0.02)
