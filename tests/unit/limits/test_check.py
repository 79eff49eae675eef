"""Bounds compiled against signals, debounce, windows, derived functions and verdicts: pure functions, hard edges."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.coolant import coolant_heat, rho_cp
from harness.limits.check import band_text, compile_check
from harness.limits.debounce import Debounce
from harness.limits.derived import FUNCTIONS, dew_point, heat_balance, unbalance
from harness.limits.verdict import EXIT_CODES, Verdict, judge, worst
from harness.limits.window import Window
from harness.quantity import Quality, SignalInfo
from harness.schema.conditions import Bounds

NUMBER = SignalInfo("cdu.supply_pressure", "kPa", valid=(-100, 1000))
WORDS = SignalInfo("pdu.outlet[7].state", labels={1.0: "off", 2.0: "on", 3.0: "pending"})
FLAGS = SignalInfo("shelf.alarms", flags={0: "psu_failure", 3: "temperature", 15: "fan"})
finite = st.floats(-1e9, 1e9)


def bounds(**keys) -> Bounds:
    return Bounds.model_validate(keys)


# --- checks ----------------------------------------------------------------------------------------------------------


def test_units_are_converted_once():
    check = compile_check(bounds(min="1 bar", max="29 psi"), NUMBER)
    assert check.low == 100.0
    assert check.high == pytest.approx(199.948, abs=1e-3)
    assert check.unit == "kPa"
    assert check.shown == "100 to 199.948 kPa"


@pytest.mark.parametrize(("value", "holds"), [(99.999, False), (100.0, True), (200.0, True), (200.001, False)])
def test_bounds_belong_to_the_band(value, holds):
    assert compile_check(bounds(min="100 kPa", max="200 kPa"), NUMBER).holds(value) is holds


@pytest.mark.parametrize("quality", [q for q in Quality if q is not Quality.GOOD])
@pytest.mark.parametrize(
    ("info", "keys", "value"),
    [
        (NUMBER, {"min": "0 kPa"}, 50.0),
        (WORDS, {"equals": "on"}, 2.0),
        (FLAGS, {"equals": "none"}, 0.0),
    ],
)
def test_what_is_not_good_never_holds(info, keys, value, quality):
    check = compile_check(bounds(**keys), info)
    assert check.holds(value)
    assert not check.holds(value, quality)


@pytest.mark.parametrize(
    ("info", "keys"),
    [(NUMBER, {"min": "0 kPa"}), (NUMBER, {"max": "9 kPa"}), (WORDS, {"equals": "on"}), (FLAGS, {"equals": "none"})],
)
def test_not_a_number_never_holds(info, keys):
    assert not compile_check(bounds(**keys), info).holds(math.nan)


@given(finite, finite, finite)
def test_margin_is_positive_inside_and_negative_outside(a, b, value):
    low, high = sorted((round(a, 3), round(b, 3)))
    if low == high:
        return
    check = compile_check(bounds(min=f"{low:.3f} kPa", max=f"{high:.3f} kPa"), SignalInfo("x.y", "kPa"))
    assert (check.margin(value) >= 0) == check.holds(value)


def test_words():
    check = compile_check(bounds(one_of=["on", "pending"]), WORDS)
    assert [check.holds(code) for code in (1.0, 2.0, 3.0, 4.0)] == [False, True, True, False]
    assert check.shown == "on or pending"
    assert check.margin(2.0) == math.inf
    assert check.margin(1.0) == -math.inf


def test_flags_allow_what_is_named_and_nothing_else():
    check = compile_check(bounds(one_of=["none", "fan"]), FLAGS)
    assert check.holds(0.0)
    assert check.holds(float(1 << 15))
    assert not check.holds(float(1 << 15 | 1))
    assert not check.holds(float(1 << 7)), "a bit without a name is an alarm too"


@pytest.mark.parametrize(
    ("info", "keys", "says"),
    [
        (NUMBER, {"max": "45 degC"}, "'degC' is a temperature, but 'kPa' (pressure) is needed"),
        (NUMBER, {"min": "20 bar"}, "outside what cdu.supply_pressure can show"),
        (NUMBER, {"equals": "on"}, "is a number in kPa; use min and max"),
        (WORDS, {"equals": "onn"}, "never shows 'onn'; it shows off, on, pending"),
        (WORDS, {"max": "3"}, "shows words; use equals or one_of"),
        (FLAGS, {"equals": "fire"}, "has no flag 'fire'"),
        (SignalInfo("a.t", is_text=True), {"equals": "x"}, "compare it with a `check` step"),
        (SignalInfo("a.t", is_text=True), {"max": "3"}, "is a text; it has no min or max"),
    ],
)
def test_what_does_not_fit_is_said(info, keys, says):
    with pytest.raises(ValueError, match=r".") as error:
        compile_check(bounds(**keys), info)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({}, "give min and/or max"),
        ({"min": "1 kPa", "equals": "on"}, "not both"),
        ({"min": "2 bar", "max": "150 kPa"}, "nothing could pass"),
        ({"min": "200 kPa", "max": "2 bar"}, "nothing could pass"),
    ],
)
def test_bounds_that_cannot_be(keys, says):
    with pytest.raises(ValueError, match=r".") as error:
        bounds(**keys)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(20, 45, "20 to 45 K"), (-math.inf, 45, "<= 45 K"), (20, math.inf, ">= 20 K"), (-math.inf, math.inf, "any")],
)
def test_bands_as_a_person_reads_them(low, high, text):
    assert band_text(low, high, "K") == text


# --- debounce --------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0.01, 3), st.booleans()), min_size=1, max_size=40), st.floats(0, 5))
def test_debounce_says_so_exactly_when_bad_has_lasted(samples, hold):
    debounce = Debounce(hold)
    now, since = 0.0, None
    for step, is_bad in samples:
        now += step
        since = (now if since is None else since) if is_bad else None
        assert debounce.update(now, is_bad=is_bad) == (since is not None and now - since >= hold)


def test_no_hold_is_at_once():
    assert Debounce(0).update(7.0, is_bad=True)


# --- windows ---------------------------------------------------------------------------------------------------------


def window(values, good=None) -> Window:
    made = Window()
    for k, value in enumerate(values):
        made.add(10.0 + k, value, is_good=good is None or good[k])
    return made


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_statistics_against_the_standard_library(values):
    made = window(values)
    near = {"rel": 1e-9, "abs": 1e-6}
    assert made.statistic("mean") == pytest.approx(statistics.fmean(values), **near)
    assert made.statistic("median") == pytest.approx(statistics.median(values), **near)
    assert made.statistic("std") == pytest.approx(statistics.pstdev(values), rel=1e-6, abs=1e-3)
    assert (made.statistic("min"), made.statistic("max")) == (min(values), max(values))
    assert made.statistic("range") == pytest.approx(max(values) - min(values), **near)
    assert (made.statistic("first"), made.statistic("last")) == (values[0], values[-1])
    assert made.statistic("delta") == pytest.approx(values[-1] - values[0], **near)
    times = [10.0 + k for k in range(len(values))]
    assert made.statistic("slope") == pytest.approx(
        statistics.linear_regression(times, values).slope, rel=1e-6, abs=1e-3
    )
    if len(values) >= 20:
        assert min(values) <= made.statistic("p05") <= made.statistic("p95") <= max(values)


@pytest.mark.parametrize("name", ["mean", "min", "max", "median", "std", "range", "slope", "delta", "last", "p95"])
def test_nothing_gives_no_number(name):
    assert math.isnan(window([1.0, 2.0], good=[False, False]).statistic(name))


def test_only_good_samples_count():
    made = window([1.0, 500.0, 3.0, math.nan, math.inf], good=[True, False, True, True, True])
    assert (made.seen, made.good) == (5, 2)
    assert made.statistic("mean") == 2.0
    assert made.statistic("max") == 3.0


def test_one_sample_has_no_slope():
    assert math.isnan(window([4.0]).statistic("slope"))


# --- derived signals -------------------------------------------------------------------------------------------------


def test_heat_of_the_coolant_against_the_handy_constant():
    # V[L/min] = 15 Q[kW] / dT[K] at rho cp = 4.0 MJ/m3K
    assert coolant_heat(150.0, 25.0, 35.0) == pytest.approx(100.0, rel=0.003)


@pytest.mark.parametrize(("temperature", "value"), [(20, 3.996), (30, 4.003), (45, 4.009), (60, 4.009)])
def test_heat_capacity_of_pg25(temperature, value):
    assert rho_cp(temperature) == pytest.approx(value, rel=0.0005)


def test_heat_balance_without_power_is_no_number():
    assert math.isnan(heat_balance(170, 35, 45, 0.0))
    assert heat_balance(172, 35, 45, 115) == pytest.approx(100, abs=0.5)


def test_dew_point():
    assert dew_point(24.0, 45.0) == pytest.approx(11.3, abs=0.1)
    assert dew_point(20.0, 100.0) == pytest.approx(20.0)
    assert math.isnan(dew_point(20.0, 0.0))
    assert math.isnan(dew_point(20.0, 5e-324))
    assert math.isnan(dew_point(-243.12, 50.0))


def test_unbalance():
    assert unbalance(3, 3, 2) == pytest.approx(25.0)
    assert unbalance(10, 10, 10) == 0.0
    assert math.isnan(unbalance(0, 0, 0)), "three dead phases are no balance"
    assert math.isnan(unbalance(-5, 2, 2))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_takes_the_inputs_it_declares(name):
    function = FUNCTIONS[name]
    names = function.inputs if function.each is None else ("one", "two", "three")
    assert function.misfit(names) == ""
    assert function.misfit([*names, "more"][: 2 if function.each is not None else None]) != ""
    assert math.isfinite(function.compute(**{name: 42.0 + k for k, name in enumerate(names)}))


@given(st.floats(5, 1000), st.floats(0.5, 500))
def test_flow_resistance_does_not_depend_on_the_flow(flow, resistance):
    compute = FUNCTIONS["flow_resistance"].compute
    assert compute(pressure_drop=resistance * (flow / 100) ** 2, flow=flow) == pytest.approx(resistance)


# --- verdicts --------------------------------------------------------------------------------------------------------


@given(finite, finite, finite, st.floats(0, 100))
def test_judging(a, b, value, guard):
    low, high = sorted((a, b))
    inside = low + guard <= value <= high - guard
    assert judge(value, low, high, guard) is (Verdict.PASS if inside else Verdict.FAIL)


def test_no_number_is_inconclusive():
    assert judge(math.nan, -math.inf, math.inf) is Verdict.INCONCLUSIVE


def test_the_worst_verdict_wins_and_nothing_is_no_pass():
    order = ["TRIPPED", "ABORTED", "INTERRUPTED", "ERROR", "FAIL", "INCONCLUSIVE", "PASS"]
    for k, name in enumerate(order):
        assert worst([Verdict(each) for each in reversed(order[k:])]) is Verdict(name)
    assert worst([]) is Verdict.INCONCLUSIVE
    assert worst([Verdict.PASS, Verdict.SKIPPED]) is Verdict.INCONCLUSIVE


def test_only_pass_exits_with_zero():
    assert [verdict for verdict, code in EXIT_CODES.items() if code == 0] == [Verdict.PASS]
    assert (EXIT_CODES[Verdict.FAIL], EXIT_CODES[Verdict.ERROR]) == (1, 3)
