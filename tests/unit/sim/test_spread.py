"""Racks and sensors of different seeds differ as they say, and those of one seed never."""

from __future__ import annotations

import math
from statistics import fmean, stdev

import numpy as np
import pytest

from sim.physics import Plant, RackParameters
from sim.physics.spread import CLASSES, EXPONENT, HOUR, Bias, rack_of_seed

SEEDS = range(1, 601)
KIND = RackParameters()


def racks(spread: float = 1.0) -> list[RackParameters]:
    return [rack_of_seed(KIND, seed, spread) for seed in SEEDS]


@pytest.mark.parametrize(
    ("what", "mean", "deviation"),
    [
        ("rack_drop", 60.0, 3.0),
        ("plate_conductance", 25e3, 2e3),
        ("liquid_share", 0.87, 0.015),
        ("maximum_power", 132e3, 2640.0),
        ("rack_exponent", sum(EXPONENT) / 2, (EXPONENT[1] - EXPONENT[0]) / math.sqrt(12)),
    ],
)
def test_racks_have_the_spread_that_they_claim(what, mean, deviation):
    """600 seeds: the deviation within 10 % (3.5 standard errors), the mean within 4 of its own."""
    drawn = [getattr(each, what) for each in racks()]
    assert stdev(drawn) == pytest.approx(deviation, rel=0.10)
    assert fmean(drawn) == pytest.approx(mean, abs=4 * deviation / math.sqrt(len(drawn)))


def test_what_a_rack_differs_in_hangs_on_nothing_else():
    pairs = [(each.rack_drop, each.plate_conductance, each.liquid_share, each.maximum_power) for each in racks()]
    between = np.corrcoef(np.array(pairs).T) - np.eye(4)
    assert np.abs(between).max() < 0.15
    assert racks(0.5)[0].rack_drop - 60.0 == pytest.approx((racks()[0].rack_drop - 60.0) / 2)
    assert racks(0.0) == [KIND] * len(SEEDS)
    assert all(each.idle_power / each.maximum_power == pytest.approx(25 / 132) for each in racks())


@pytest.mark.parametrize("unit", CLASSES)
def test_sensors_are_out_by_half_their_class_and_walk_a_tenth_of_it_a_day(unit):
    accuracy = CLASSES[unit]
    pick = 0 if accuracy.absolute else 1
    day = [(bias.at(0.0)[pick], bias.at(24 * HOUR)[pick]) for bias in (Bias(s, "x", unit, 1.0) for s in SEEDS)]
    assert stdev(one for one, _ in day) == pytest.approx(0.5 * accuracy[pick], rel=0.10)
    assert stdev(two - one for one, two in day) == pytest.approx(0.1 * accuracy[pick], rel=0.10)
    assert abs(np.corrcoef(np.array([(one, two - one) for one, two in day]).T)[0, 1]) < 0.15


def settled(plant: Plant) -> Plant:
    for k in range(8):
        plant.command(f"outlet[{k + 1}]", 1.0)
    plant.command("load", 100.0)
    plant.advance(900.0)
    return plant


def shown(plant: Plant, name: str) -> float:
    """The mean of what a sensor shows over 20 s: its noise is gone, its bias is not."""
    values = []
    for k in range(200):
        plant.advance(900.0 + 0.1 * (k + 1))
        values.append(plant.sensed(name))
    return fmean(values)


def test_without_spread_every_seed_is_the_same_rack_with_right_sensors():
    one, two = settled(Plant(seed=1)), settled(Plant(seed=2))
    for name in ("loop.flow", "loop.supply_temperature", "loop.return_temperature", "plate.temperature", "rack.power"):
        assert one.truth(name) == pytest.approx(two.truth(name), rel=1e-4)  # outlets close at other moments
    assert shown(one, "loop.return_temperature") == pytest.approx(one.truth("loop.return_temperature"), abs=0.02)


@pytest.mark.parametrize("name", ["loop.flow", "loop.return_temperature", "loop.supply_pressure", "outlet[1].power"])
def test_a_sensor_shows_the_truth_and_its_bias(name):
    plant = settled(Plant(seed=3, spread=1.0))
    found = shown(plant, name)
    bias, truth = plant.sensors.bias(name), plant.truth(name)
    assert found == pytest.approx(truth * (1.0 + bias.relative) + bias.absolute, rel=1.5e-3)
    assert bias.absolute or bias.relative


def test_the_outlets_of_a_meter_are_out_together_and_add_up_to_its_total():
    plant = settled(Plant(seed=5, spread=1.0))
    assert {plant.sensors.bias(f"outlet[{k}].power") for k in range(1, 9)} == {plant.sensors.bias("pdu.power")}


def test_one_by_one_and_all_at_once_show_the_same():
    plant = settled(Plant(seed=4, spread=1.0))
    names = [name for name in plant.names() if plant.is_plain(name)][:40]
    together = plant.together(names)
    for hour in (1, 2, 30):
        plant.advance(hour * HOUR + 1.0)
        assert together().tolist() == [plant.sensed(name) for name in names]


@pytest.mark.parametrize("exponent", [1.7, 1.8, 2.0])
def test_the_pressure_drop_goes_with_flow_to_the_racks_exponent(exponent):
    """The judge is the fit of a straight line through the logarithms."""
    plant = Plant(RackParameters(rack_exponent=exponent))
    points = []
    for percent in (40, 55, 70, 85, 100):
        plant.command("flow.setpoint", 1.72 * percent)
        plant.advance(plant.time + 600.0)
        points.append((plant.truth("loop.flow"), plant.truth("loop.differential_pressure")))
    slope, _ = np.polyfit(*np.log(np.array(points)).T, 1)
    assert slope == pytest.approx(exponent, abs=0.01)
    assert points[-1][1] == pytest.approx(plant.loop.resistance_factor * 60.0, rel=0.01)


def test_energy_and_mass_add_up_in_every_rack():
    for seed in (1, 2, 3):
        plant = settled(Plant(seed=seed, spread=1.0))
        plant.advance(6 * HOUR)
        balances = plant.balances()
        assert abs(balances["balance.energy_residual"]) < 1e-4 * balances["balance.electrical"]
        assert abs(balances["balance.mass_residual"]) < 1e-3 * balances["balance.mass_initial"]


def test_a_seed_is_the_same_rack_again():
    one, two = settled(Plant(seed=9, spread=1.0)), settled(Plant(seed=9, spread=1.0))
    assert one.snapshot() == two.snapshot()
    assert settled(Plant(seed=10, spread=1.0)).truth("loop.return_temperature") != one.truth("loop.return_temperature")
