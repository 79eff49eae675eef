"""The gas in the rack is an ideal one that cools down to the room, by closed forms and balances."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.physics import Plant
from sim.physics.gas import KELVIN, SCCM, Gas, R
from tests.gas_decay import filled

SEEDS = range(1, 301)


def kinds(name: str, spread: float = 1.0) -> list[float]:
    return [getattr(Gas(seed, spread, lambda: 24.0, lambda: 0.0), name) for seed in SEEDS]


def test_racks_have_the_time_constants_and_rises_that_they_claim():
    """Uniform between 5 and 15 (min, K): mean and deviation within 3.5 standard errors; 0 spread: all the same."""
    for name, factor in (("tau", 60.0), ("rise", 1.0)):
        drawn = np.array(kinds(name)) / factor
        assert drawn.min() >= 5.0
        assert drawn.max() <= 15.0
        assert drawn.mean() == pytest.approx(10.0, abs=3.5 * 10 / math.sqrt(12 * 300))
        assert drawn.std() == pytest.approx(10.0 / math.sqrt(12), rel=0.1)
        assert set(np.array(kinds(name, 0.0)) / factor) == {10.0}
    assert np.std(kinds("volume")) == pytest.approx(0.9, rel=0.12)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_closed_rack_keeps_its_gas_and_its_temperature_goes_to_the_room(seed):
    """Amount is constant to 1e-12, the excess falls by exp(-t/tau), and the pressure is n R T / V of both."""
    plant = filled(seed, 0.0, settled=1.0).plant
    amount, excess, at = plant.truth("gas.amount"), plant.gas.excess, plant.time
    for seconds in (60.0, 600.0, 1800.0):
        plant.advance(at + seconds)
        assert plant.truth("gas.amount") == pytest.approx(amount, rel=1e-12)
        assert plant.gas.excess == pytest.approx(excess * math.exp(-seconds / plant.gas.tau), rel=1e-3)
        kelvin = plant.truth("gas.mean_temperature") + KELVIN
        assert plant.truth("gas.pressure") == pytest.approx(amount * R * kelvin / plant.truth("gas.volume"), rel=1e-9)


def test_filling_warms_the_gas_by_what_its_rack_rises():
    """5 to 15 K to the test pressure, less what it loses meanwhile."""
    for seed in range(1, 20):
        plant = Plant(seed=seed, spread=1.0)
        for name, value in (("gas.vent", 0.0), ("gas.setpoint", 500.0), ("gas.fill", 1.0)):
            plant.command(name, value)
        rises = []
        for k in range(1, 90):
            plant.advance(float(k))
            rises.append(plant.gas.excess)
        assert 0.8 * plant.gas.rise < max(rises) < plant.gas.rise


@pytest.mark.parametrize("leak", [10.0, 30.0, 3000.0])
def test_what_leaks_is_missing(leak):
    """The amount falls by the integral of the true loss, and at the test pressure that is what the fault says."""
    plant = filled(4, leak, settled=1.0).plant
    at, before, lost = plant.time, plant.truth("gas.amount"), 0.0
    for k in range(1, 601):
        lost += 0.5 * plant.truth("gas.lost")
        plant.advance(at + k)
        lost += 0.5 * plant.truth("gas.lost")
    assert before - plant.truth("gas.amount") == pytest.approx(lost * SCCM, rel=1e-3)
    fresh = Plant(seed=1)
    fresh.inject("gas_leak", f"{leak}")
    fresh.gas.amount *= 500.0 / fresh.truth("gas.pressure")
    assert fresh.truth("gas.lost") == pytest.approx(leak, rel=0.01)


def test_a_vented_rack_has_the_pressure_of_the_room_and_a_leak_adds_nothing():
    plant = filled(5, 50.0, settled=1.0).plant
    plant.command("gas.isolate", 0.0)
    plant.command("gas.vent", 1.0)
    plant.advance(plant.time + 900.0)
    assert plant.truth("gas.pressure") == pytest.approx(plant.truth("gas.room_pressure"), abs=0.05)
    assert abs(plant.truth("gas.lost")) < 0.05


def test_a_valve_that_leaks_by_moves_the_pressure_of_the_line_and_gas_is_conserved():
    plant = filled(6, 0.0, settled=1.0).plant
    line, amount = plant.truth("gas.line_pressure"), plant.truth("gas.amount")
    plant.inject("gas_valve_passes", "isolate=20")
    total = plant.gas.amount + plant.gas.line
    plant.advance(plant.time + 600.0)
    assert plant.truth("gas.line_pressure") > line + 20.0
    assert plant.truth("gas.amount") < amount
    assert plant.gas.amount + plant.gas.line == pytest.approx(total, rel=1e-12)
    plant.clear("gas_valve_passes")
    held = plant.truth("gas.amount")
    plant.advance(plant.time + 600.0)
    assert plant.truth("gas.amount") == pytest.approx(held, rel=1e-12)


def test_a_step_is_one_and_a_loose_thermometer_follows_less():
    plant = filled(7, 0.0, settled=1.0).plant
    before = plant.truth("gas.pressure")
    plant.inject("gas_step", "2")
    assert before - plant.truth("gas.pressure") == pytest.approx(2.0, rel=0.05)
    excess = plant.truth("gas.temperature[1]") - plant.truth("gas.room_temperature")
    plant.inject("gas_thermometer_loose", "1=0.3")
    loose = plant.truth("gas.temperature[1]") - plant.truth("gas.room_temperature")
    assert loose == pytest.approx(0.3 * excess, rel=0.1)
    plant.clear("gas_thermometer_loose")
    assert plant.truth("gas.temperature[1]") - plant.truth("gas.room_temperature") == pytest.approx(excess)


def test_the_result_does_not_hang_on_how_often_it_is_looked_at():
    ends = []
    for step in (0.5, 7.0, 300.0):
        plant = filled(8, 25.0, settled=1.0).plant
        end = plant.time + 900.0
        while plant.time < end:
            plant.advance(min(end, plant.time + step))
        ends.append((plant.truth("gas.pressure"), plant.truth("gas.amount")))
    assert ends[0] == pytest.approx(ends[1], rel=1e-9)
    assert ends[0] == pytest.approx(ends[2], rel=1e-9)


def test_liquid_is_dried_by_gas_that_flows_through_and_only_by_that():
    plant = Plant(seed=9)
    plant.inject("gas_wet", "20")
    plant.advance(600.0)
    assert plant.truth("gas.dew_point") > 15.0
    plant.command("gas.setpoint", 300.0)
    plant.command("gas.fill", 1.0)
    plant.advance(1200.0)
    assert plant.truth("gas.dew_point") == -40.0


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("gas_leak:much", "leak in sccm"),
        ("gas_step:-1", "pressure in kPa"),
        ("gas_valve_passes:vent", "fill, isolate"),
        ("gas_thermometer_loose:3", "1 to 2"),
        ("gas_wet:x", "liquid in mL"),
    ],
)
def test_nonsense_is_refused(fault, said):
    with pytest.raises(ValueError, match=said):
        Plant().inject(fault)
