"""Logs against what was provoked: exactly these events, each difference named once."""

from __future__ import annotations

import pytest

from harness.analysis.event_log import differences


@pytest.mark.parametrize(
    ("provoked", "logged", "expected"),
    [
        ({}, {"a.log": {}}, []),
        ({"a.log": {"leak": 1}}, {"a.log": {"leak": 1}, "b.log": {}}, []),
        ({"a.log": {"leak": 1}}, {"a.log": {}}, ["missing: a.log leak"]),
        ({}, {"a.log": {"leak": 1}}, ["not provoked: a.log leak"]),
        ({"a.log": {"x": 1}}, {"a.log": {"y": 1}}, ["missing: a.log x", "not provoked: a.log y"]),
        ({"a.outages": {"": 2}}, {"a.outages": {"": 2}}, []),
        ({"a.outages": {"": 2}}, {"a.outages": {"": 1}}, ["missing: a.outages (1, provoked 2)"]),
        ({}, {"a.outages": {"": 3}}, ["not provoked: a.outages (3, provoked 0)"]),
        ({}, {"a.outages": {"": 0}}, []),
        ({"a.outages": {"": 0}}, {"a.outages": {"": -4}}, ["missing: a.outages (-4, provoked 0)"]),
    ],
)
def test_what_differs_is_told_by_signal(provoked, logged, expected):
    assert differences(provoked, logged) == expected
