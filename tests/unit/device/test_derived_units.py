"""A derived signal is the same quantity in whatever units and order its inputs come; what does not fit is refused."""

from __future__ import annotations

import itertools

import pytest

from harness.device.signal_store import Formula
from harness.limits.derived import FUNCTIONS
from harness.project.catalog import Catalog
from harness.quantity import UNITS, Quantity, SignalInfo, canonical, difference_unit, unit
from harness.schema.station import Derived

OWN = ("L/min", "kPa", "kW", "degC")
"""What is given to inputs of no fixed unit."""
NO_SHARE = ("sum", "ratio", "meter_truth")


def fitting(name: str) -> list[dict[str, str]]:
    """The inputs of a function with the units that they are declared in."""
    function = FUNCTIONS[name]
    keys = function.inputs if function.each is None else dict.fromkeys("abc", function.each)
    if any(keys.values()):
        return [dict(keys)]
    return [dict.fromkeys(keys, own) for own in OWN if own != "degC" or name not in NO_SHARE]


def others(name: str) -> list[str]:
    return [each for each in UNITS if UNITS[each].kind == unit(name).kind]


def formula(name: str, inputs: dict[str, Quantity], **more: str) -> tuple[Quantity, str]:
    """What a derived signal shows, and the unit that the check of files takes it to have."""
    infos = {f"d.{key}": SignalInfo(f"d.{key}", each.unit) for key, each in inputs.items()}
    entry = Derived(function=name, inputs={key: f"d.{key}" for key in inputs}, **more)
    catalog = Catalog(signals=dict(infos))
    catalog.add_derived("d.it", entry)
    made = Formula("d.it", entry, {each: ("d", k) for k, each in enumerate(infos)}, infos)
    arguments = {key: inputs[key].value * scale + offset for key, _, _, scale, offset in made.inputs}
    return Quantity(made.of(arguments), made.unit), catalog.signals["d.it"].unit


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_quantity_does_not_depend_on_units_and_order_of_the_inputs(name):
    for declared in fitting(name):
        given = {key: Quantity(42.0 + 3 * k, own) for k, (key, own) in enumerate(declared.items())}
        wanted, checked = formula(name, given)
        assert wanted.unit == checked
        for key, own in declared.items():
            for other in others(own):
                changed = {**given, key: Quantity(given[key].to(other), other)}
                for order in itertools.islice(itertools.permutations(changed), 24):
                    shown, checked = formula(name, {each: changed[each] for each in order})
                    assert shown.unit == checked, "interlocks are checked in the unit that they are judged in"
                    assert shown.to(wanted.unit) == pytest.approx(wanted.value, rel=1e-6), (key, other, order)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_only_a_unit_of_its_own_kind_may_be_named(name):
    for declared in fitting(name):
        given = {key: Quantity(42.0 + 3 * k, own) for k, (key, own) in enumerate(declared.items())}
        own, _ = formula(name, given)
        for other in UNITS:
            if other and unit(other).kind == unit(own.unit).kind:
                shown, checked = formula(name, given, unit=other)
                assert (shown.unit, checked) == (other, other)
                assert canonical(str(shown.value))[1] == pytest.approx(own.to(other))
            elif other:
                with pytest.raises(ValueError, match=f"but {name} gives a {unit(own.unit).kind} here"):
                    formula(name, given, unit=other)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_input_of_another_kind_or_of_words_is_refused(name):
    words = ({"is_text": True}, {"labels": {0.0: "dry"}}, {"flags": {0: "pump"}})
    for declared in fitting(name):
        for key in declared:
            inputs = {each: f"d.{each}" for each in declared}
            signals = {f"d.{each}": SignalInfo(f"d.{each}", own) for each, own in declared.items()}
            for wrong in [{"unit": "uS/cm"}, *words] if len(declared) > 1 or FUNCTIONS[name].inputs[key] else words:
                changed = {**signals, f"d.{key}": SignalInfo(f"d.{key}", **wrong)}
                with pytest.raises(ValueError, match="input "):
                    Catalog(signals=changed).add_derived("d.it", Derived(function=name, inputs=inputs))


@pytest.mark.parametrize("name", NO_SHARE)
@pytest.mark.parametrize("own", ["degC", "degF", "dBm", "pH"])
def test_what_has_no_true_zero_has_no_sum_and_no_share(name, own):
    given = {key: Quantity(42.0, own) for key in FUNCTIONS[name].inputs}
    with pytest.raises(ValueError, match="whose zero is only a mark on a scale"):
        formula(name, given)


def test_a_difference_of_temperatures_is_no_temperature():
    """45 degC and 95 degF (35 degC) are 10 K apart, 18 degF on a thermometer: not 18 degF, which are -7.8 degC."""
    for high, low in ((Quantity(45, "degC"), Quantity(95, "degF")), (Quantity(113, "degF"), Quantity(35, "degC"))):
        shown, _ = formula("difference", {"high": high, "low": low})
        assert (shown.value, shown.unit) == (pytest.approx(10.0), "K")
    with pytest.raises(ValueError, match="'degF' is a temperature, but difference gives a temperature difference"):
        formula("difference", {"high": Quantity(45, "degC"), "low": Quantity(35, "degC")}, unit="degF")


@pytest.mark.parametrize(("of", "by"), [("degC", "K"), ("degF", "K"), ("dBm", "dB"), ("kPa", "kPa"), ("", "")])
def test_differences_have_units_of_differences(of, by):
    assert difference_unit(of) == by
