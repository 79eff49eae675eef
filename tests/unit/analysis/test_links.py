"""Counters over a time, links that go down, and thresholds of modules: by hand-made series whose truth is known."""

from __future__ import annotations

import math

import pytest

from harness.analysis.links import LinkWatch, Point, counted
from harness.analysis.optics import Band, own_band, worst


def series(*values, mark=None):
    return [Point(10.0 * k, (value,), mark) for k, value in enumerate(values)]


def test_what_is_continuous_is_the_difference_of_the_ends():
    found = counted(series(5, 5, 9, 12))
    assert (found.counts, found.seconds, found.lost, found.share) == ((7.0,), 30.0, 0.0, 1.0)


def test_a_piece_over_which_a_counter_began_anew_is_lost_with_its_time():
    points = [*series(100, 104), Point(20.0, (1.0,), "cleared"), Point(30.0, (3.0,), "cleared")]
    found = counted(points)
    assert (found.counts, found.seconds, found.lost) == ((6.0,), 20.0, 10.0)


def test_it_is_lost_too_when_the_counter_has_already_passed_what_it_was():
    """Cleared, and more than before by the next look: only the mark tells."""
    points = [Point(0.0, (3.0,), 0), Point(10.0, (50.0,), 1), Point(20.0, (52.0,), 1)]
    found = counted(points)
    assert (found.counts, found.seconds, found.lost) == ((2.0,), 10.0, 10.0)


def test_a_counter_that_falls_and_a_value_that_is_none_are_lost():
    assert counted(series(9, 2, 4)).counts == (2.0,)
    assert counted(series(9, 2, 4)).share == 0.5
    assert counted(series(1, math.nan, 4)).share == 0.0
    assert counted([]).share == 0.0
    assert counted(series(1)).share == 0.0


def test_one_bad_counter_of_two_takes_the_piece_from_both():
    points = [Point(0.0, (1.0, 100.0)), Point(1.0, (2.0, 50.0)), Point(2.0, (4.0, 60.0))]
    assert counted(points).counts == (2.0, 10.0)


def downs(states, since=100.0, last_change=None, changes=None):
    watch = LinkWatch()
    for is_up in states:
        watch.sample(is_up=is_up)
    return watch.downs(since=since, last_change=last_change, changes=changes)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (([True, True],), 0),
        (([True, False, True, False, False],), 2),
        (([False, True],), 1),
        (([True, True], 100.0, 99.0), 0),
        (([True, True], 100.0, 100.0), 0),
        (([True, True], 100.0, 100.5), 1),
        (([True, True], 100.0, None, 4.0), 2),
        (([True, True], 100.0, None, 1.0), 1),
        (([True, False, True], 100.0, 105.0, 2.0), 1),
        (([True, False, True, False, True], 100.0, 105.0, 2.0), 2),
    ],
)
def test_each_way_of_seeing_a_link_go_down_counts_and_none_of_them_twice(given, expected):
    assert downs(*given) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-9.0, 3.0, Band(-9.0, 3.0)),
        (0.0, 0.0, None),
        (math.nan, math.nan, None),
        (3.0, -9.0, None),
    ],
)
def test_a_module_without_thresholds_has_no_band(low, high, expected):
    assert own_band(low, high) == expected


def test_one_threshold_is_half_a_band():
    band = own_band(math.nan, 70.0)
    assert band is not None
    assert math.isnan(band.low)
    assert worst([60.0, 75.0, 20.0], band) == 75.0


def test_the_worst_reading_is_the_nearest_to_a_threshold_or_the_farthest_beyond():
    assert worst([-2.0, 2.5, 0.0], Band(-9.0, 3.0)) == 2.5
    assert worst([-12.0, 4.0], Band(-9.0, 3.0)) == -12.0
    assert math.isnan(worst([1.0, math.nan], Band(-9.0, 3.0)))
    assert math.isnan(worst([], Band(-9.0, 3.0)))
