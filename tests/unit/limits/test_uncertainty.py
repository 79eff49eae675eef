"""Uncertainties by their sources, against the formulas of textbooks and against drawn errors."""

from __future__ import annotations

import math
import random
from statistics import pstdev

import pytest

from harness.limits.derived import FUNCTIONS
from harness.limits.uncertainty import Accuracy, Zero, accuracy_of, of_sensor, through, total
from harness.quantity import Quantity, SignalInfo

HEAT = FUNCTIONS["heat_balance"].compute
AT = {"flow": 172.0, "supply": 35.0, "return": 45.0, "power": 132.0}
LIMITS = {
    "flow": Accuracy(relative=0.015),
    "supply": Accuracy(0.15),
    "return": Accuracy(0.15),
    "power": Accuracy(0, 0.005),
}


def sources(zeros=None):
    found = {key: of_sensor(key, AT[key], LIMITS[key], (zeros or {}).get(key)) for key in AT}
    return through(HEAT, AT, found)


def test_the_heat_balance_is_known_as_its_formula_says():
    """u(Q)/Q = sqrt(uV^2 + 2 (uT/dT)^2), and the meter's 0.5 %: all limits over sqrt(3)."""
    relative = math.sqrt(0.015**2 + 2 * (0.15 / 10) ** 2 + 0.005**2) / math.sqrt(3)
    assert total(sources()) / HEAT(**AT) == pytest.approx(relative, rel=0.01)


def test_it_is_what_drawn_errors_scatter_by():
    chance = random.Random(2)
    drawn = []
    for _ in range(20_000):
        out = {key: limit.limit(AT[key]) * chance.uniform(-1, 1) for key, limit in LIMITS.items()}
        drawn.append(HEAT(**{key: AT[key] + out[key] for key in AT}))
    assert total(sources()) == pytest.approx(pstdev(drawn), rel=0.02)


def test_what_two_thermometers_share_does_not_count_in_their_difference():
    """Zeroed together: the difference is known by their own zeros, the mean not better than before."""
    both = {key: Zero(0.05, own_u=0.02, shared="mean", shared_u=0.06) for key in ("supply", "return")}
    zeroed = {key: of_sensor(key, AT[key], LIMITS[key], both[key]) for key in both}
    rise = FUNCTIONS["temperature_difference"].compute
    given = {"high": AT["return"], "low": AT["supply"]}
    found = through(rise, given, {"high": zeroed["return"], "low": zeroed["supply"]})
    assert total(found) == pytest.approx(math.hypot(0.02, 0.02))
    assert total(zeroed["supply"]) == pytest.approx(math.hypot(0.02, 0.06))
    assert total(sources(both)) < 0.75 * total(sources())


def test_a_gain_stays_when_a_zero_is_taken_off():
    found = of_sensor("power", 132.0, Accuracy(0, 0.005), Zero(0.01, own_u=0.02))
    assert total(found) == pytest.approx(math.hypot(0.005 * 132 / math.sqrt(3), 0.02))


def test_one_sensor_in_two_inputs_is_one_source():
    """a + a is known to twice u(a), a - a exactly."""
    one = {"x": 0.1}
    for name, factor in (("sum", 2.0), ("difference", 0.0)):
        function = FUNCTIONS[name]
        found = through(function.compute, dict.fromkeys(function.inputs, 5.0), dict.fromkeys(function.inputs, one))
        assert total(found) == pytest.approx(0.1 * factor, abs=1e-12)


def test_where_the_function_has_no_value_nothing_is_known():
    function = FUNCTIONS["heat_balance"]
    assert through(function.compute, {**AT, "power": 1.0}, {"power": {"meter": 0.5}}) is None
    assert of_sensor("x", 1.0, None, None) is None


@pytest.mark.parametrize(
    ("error", "unit", "found"),
    [
        (Quantity(1.5, "%"), "L/min", Accuracy(relative=0.015)),
        (Quantity(1.5, "%"), "%", Accuracy(1.5)),
        (Quantity(150, "mK"), "degC", Accuracy(pytest.approx(0.15))),
        (Quantity(10, "mbar"), "kPa", Accuracy(pytest.approx(1.0))),
    ],
)
def test_an_error_limit_is_in_the_unit_of_the_signal_or_a_share(error, unit, found):
    assert accuracy_of(error, SignalInfo("x", unit)) == found


@pytest.mark.parametrize(
    ("error", "info", "why"),
    [
        (Quantity(0.1, "degC"), SignalInfo("x", "degC"), "temperature difference"),
        (Quantity(0.0, "kPa"), SignalInfo("x", "kPa"), "above 0"),
        (Quantity(1.0, "kPa"), SignalInfo("x", labels={0.0: "dry"}), "shows words"),
    ],
)
def test_what_is_no_error_limit_is_refused(error, info, why):
    with pytest.raises(ValueError, match=why):
        accuracy_of(error, info)
