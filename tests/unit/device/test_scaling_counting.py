"""From raw numbers to values with a quality, and counters that wrap, restart and lie."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.device.counters import CounterUnroller
from harness.device.scaling import Scaling
from harness.quantity import Quality
from harness.schema.profiles.modbus import ModbusSignal

GOOD, NAN, SENTINEL, RANGE = Quality.GOOD, Quality.BAD_NAN, Quality.BAD_SENTINEL, Quality.BAD_RANGE


def scaled(raw: float, **keys) -> tuple[float, Quality]:
    spec = ModbusSignal.model_validate({"address": 1, **keys})
    neighbour = ModbusSignal.model_validate({"address": 2, "unit": "V", "sentinels": [1, 2, 3]})
    values, qualities = np.empty(2), np.empty(2, dtype=np.uint8)
    Scaling([spec, neighbour]).apply(np.array([raw, 230.0]), values, qualities)
    assert (values[1], qualities[1]) == (230.0, GOOD), "a neighbour is untouched"
    return float(values[0]), Quality(int(qualities[0]))


@pytest.mark.parametrize(
    ("raw", "keys", "expected"),
    [
        (1718, {"unit": "L/min", "scale": 0.1}, (171.8, GOOD)),
        (250, {"unit": "degC", "scale": 0.1, "offset": -5}, (20.0, GOOD)),
        (51200, {"unit": "V", "precision": 10}, (50.0, GOOD)),
        (math.nan, {"unit": "V", "range": [0, 60]}, (math.nan, NAN)),
        (math.nan, {"unit": "V"}, (math.nan, NAN)),
        (math.inf, {"unit": "V", "range": [0, 60]}, (math.inf, RANGE)),
        (math.inf, {"unit": "V"}, (math.inf, RANGE)),
        (-math.inf, {"unit": "V"}, (-math.inf, RANGE)),
        (65535, {"unit": "V", "scale": 0.1, "range": [0, 60], "sentinels": [65535]}, (6553.5, SENTINEL)),
        (65535, {"unit": "V", "scale": 0.1, "sentinels": [65535]}, (6553.5, SENTINEL)),
        (600, {"unit": "V", "scale": 0.1, "range": [0, 60]}, (60.0, GOOD)),
        (601, {"unit": "V", "scale": 0.1, "range": [0, 60]}, (60.1, RANGE)),
        (-1, {"type": "i16", "unit": "V", "range": [0, 60]}, (-1.0, RANGE)),
    ],
)
def test_scaling(raw, keys, expected):
    value, quality = scaled(raw, **keys)
    assert value == pytest.approx(expected[0], nan_ok=True)
    assert quality is expected[1]


def test_a_word_keeps_its_code():
    assert scaled(2, enum={"off": 1, "on": 2}) == (2.0, GOOD)


# --- counters --------------------------------------------------------------------------------------------------------


def unrolled(samples, size=2.0**16, uptimes=None):
    """What a counter shows after each of the samples."""
    unroller = CounterUnroller([(0, size)], 1 if uptimes else -1)
    shown, notes = [], []
    for k, sample in enumerate(samples):
        values = np.array([sample, uptimes[k] if uptimes else 0.0])
        notes.append(unroller.unroll(values))
        shown.append(float(values[0]))
    return shown, notes


def test_a_wrap_adds_the_counters_size():
    shown, notes = unrolled([65530.0, 65535.0, 4.0, 10.0])
    assert shown == [65530.0, 65535.0, 65540.0, 65546.0]
    assert not any(notes)


def test_a_restart_goes_on_from_where_it_was_and_says_so():
    shown, notes = unrolled([100.0, 150.0, 3.0, 8.0])
    assert shown == [100.0, 150.0, 153.0, 158.0]
    assert [bool(note) for note in notes] == [False, False, True, False]


def test_a_drop_from_high_with_a_younger_device_is_a_restart():
    shown, notes = unrolled([60000.0, 65000.0, 5.0], uptimes=[1000.0, 1001.0, 2.0])
    assert shown[-1] == 65005.0
    assert notes[-1]


def test_a_drop_from_high_with_an_older_device_is_a_wrap():
    shown, notes = unrolled([60000.0, 65000.0, 5.0], uptimes=[1000.0, 1001.0, 1002.0])
    assert shown[-1] == 65541.0
    assert not notes[-1]


def test_missing_samples_change_nothing():
    shown, _ = unrolled([65530.0, math.nan, math.nan, 10.0])
    assert math.isnan(shown[1])
    assert shown[-1] == 65546.0


@given(st.lists(st.integers(0, 30000), min_size=1, max_size=60), st.integers(0, 65535))
def test_increments_add_up_over_any_number_of_wraps(increments, start):
    true = [start]
    for increment in increments:
        true.append(true[-1] + increment)
    shown, notes = unrolled([float(value % 65536) for value in true], uptimes=[float(k) for k in range(len(true))])
    assert [value - shown[0] for value in shown] == [float(value - start) for value in true]
    assert not any(notes)


@given(st.lists(st.one_of(st.just(math.nan), st.floats(0, 65535)), min_size=1, max_size=60))
def test_it_never_falls_whatever_the_device_says(samples):
    shown, _ = unrolled(samples)
    known = [value for value in shown if value == value]
    assert known == sorted(known)
