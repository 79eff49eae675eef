"""Texts that instruments and agents write for numbers: those of IEEE 488.2 and nothing that only Python reads so."""

from __future__ import annotations

import math

import pytest

from harness.device.wire import number_of


@pytest.mark.parametrize(
    ("text", "value"), [("48.5", 48.5), ("-1", -1.0), ("+1.25E+01", 12.5), (".5", 0.5), ("7.", 7.0)]
)
def test_numbers(text, value):
    assert number_of(text) == value


@pytest.mark.parametrize(
    "text", ["", "4_8", "3_0.1", "٤٨", "NAN", "INF", "-inf", "1e999", "48,5", "0x1F", "#H1F", "1 2"]
)
def test_what_is_none(text):
    assert math.isnan(number_of(text))
