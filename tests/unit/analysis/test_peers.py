"""One of many that is another: an independent rack of drawn branches and trays."""

from __future__ import annotations

import math
import random

import pytest

from harness.analysis.peers import branch_flow, from_mean, from_median, thermal_resistance


def test_the_flow_of_a_branch_is_the_heat_over_its_rise():
    """A kilowatt at 1.5 L/min of PG25 (4.0 kJ/(L K)) is 10 K."""
    assert branch_flow(6.0, 35.0, 45.0) == pytest.approx(9.0, rel=0.005)
    assert branch_flow(6.0, 35.0, 45.0, share=0.5) == pytest.approx(4.5, rel=0.005)
    assert math.isnan(branch_flow(6.0, 35.0, 35.0))


def test_branches_are_away_from_their_mean_by_what_they_are():
    found = from_mean({"a": 9.0, "b": 10.0, "c": 11.0})
    assert [each.away for each in found.values()] == pytest.approx([-10.0, 0.0, 10.0])


def trays(chance, bad=None, size=1.2, windows=4):
    """18 trays of 10 K/kW, alike within 2 %, whose junctions are read with 1 % of noise at a load that wanders."""
    alike = {f"tray[{k}]": 10.0 * chance.gauss(1, 0.02) * (size if k == bad else 1.0) for k in range(1, 19)}
    found = {name: [] for name in alike}
    for _ in range(windows):
        power, coolant = 6.0 * chance.gauss(1, 0.05), 35.0 + chance.gauss(0, 0.5)
        for name, resistance in alike.items():
            junction = coolant + resistance * power * chance.gauss(1, 0.01)
            found[name].append(thermal_resistance(junction, coolant, power))
    return found


def test_a_tray_of_a_fifth_more_is_found_in_every_rack_and_no_other():
    """300 racks with one bad tray each, 300 without: beyond 12 % of the median, by more than its uncertainty."""
    chance = random.Random(20)
    for k in range(300):
        bad = k % 18 + 1
        found = from_median(trays(chance, bad))
        assert [n for n, each in found.items() if each.away - 2 * each.u > 10] == [f"tray[{bad}]"]
        assert [n for n, each in from_median(trays(chance)).items() if each.away - 2 * each.u > 10] == []


def test_the_uncertainty_is_what_the_answers_scatter_by():
    chance = random.Random(9)
    scores = []
    for _ in range(300):
        true = {f"t{k}": 10.0 for k in range(18)}
        windows = {name: [value * chance.gauss(1, 0.01) for _ in range(4)] for name, value in true.items()}
        scores += [each.away / each.u for each in from_median(windows).values()]
    deviation = math.sqrt(sum(score * score for score in scores) / len(scores))
    assert deviation == pytest.approx(1.0, abs=0.1)


def test_what_no_scatter_shows_is_in_the_uncertainty_too():
    """Trays that are alike, each read by a sensor of its own that is out by 3 %, the same in all windows."""
    chance = random.Random(12)
    scores = []
    for _ in range(300):
        windows = {}
        for k in range(18):
            out = chance.gauss(1, 0.03)
            windows[f"t{k}"] = [10.0 * out * chance.gauss(1, 0.005) for _ in range(4)]
        scores += [each.away / each.u for each in from_median(windows, dict.fromkeys(windows, 0.03)).values()]
    deviation = math.sqrt(sum(score * score for score in scores) / len(scores))
    assert deviation == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("values", "why"), [({"a": 1.0, "b": 2.0}, "3 are needed"), ({"a": 1.0, "b": math.nan, "c": 1.0}, "b has no value")]
)
def test_too_few_say_nothing(values, why):
    with pytest.raises(ValueError, match=why):
        from_mean(values)
