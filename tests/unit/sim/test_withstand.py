"""The withstand tester of the supply bench: what flows is Ohm's law, and it connects only without mains."""

from __future__ import annotations

import math
import statistics

import pytest

from sim.physics import Plant
from sim.physics.bench import supply_bench


def bench(seed: int = 1, spread: float = 0.0) -> Plant:
    plant = Plant(supply_bench(), seed, spread=spread)
    for name, value in (("voltage", 2121.0), ("limit", 1e-3), ("time", 3.0)):
        plant.command(f"hipot.{name}", value)
    return plant


def shown(plant: Plant) -> tuple[float, float]:
    return plant.truth("hipot.running"), plant.truth("hipot.result")


def test_a_good_insulation_lets_through_what_ohm_says_and_the_test_ends_by_itself():
    plant = bench()
    plant.command("hipot.start", 1)
    plant.advance(0.5)
    assert plant.truth("hipot.current") == pytest.approx(2121 * 0.5 / 1e9 + 20e-9 * 2121)
    plant.advance(3.9)
    assert shown(plant) == (1, 115)
    plant.advance(4.1)
    assert shown(plant) == (0, 116)
    assert plant.truth("hipot.current") == pytest.approx(2121 / 1e9)


def test_it_cuts_off_as_soon_as_the_insulation_lets_too_much_through():
    plant = bench()
    plant.inject("insulation_weak", "1=0.001")
    plant.command("hipot.start", 1)
    reached = 1e-3 * 1e6 / 2121  # s: 1000 V of 2121 V, which rise in a second
    plant.advance(reached - 0.01)
    assert shown(plant) == (1, 115)
    plant.advance(reached + 0.01)
    assert shown(plant) == (0, 33)
    assert plant.truth("hipot.current") == pytest.approx(1e-3 + 20e-9 * 2121, rel=0.01)
    plant.clear("insulation_weak")
    plant.command("hipot.start", 1)
    plant.advance(20)
    assert shown(plant) == (0, 116), "a new test is judged anew"


def test_a_supply_on_the_mains_is_not_connected():
    plant = bench()
    plant.command("outlet[1]", 1)
    plant.command("hipot.start", 1)
    plant.advance(5)
    assert plant.truth("hipot.current") == 0


def test_a_test_that_is_stopped_is_not_judged():
    plant = bench()
    plant.command("hipot.start", 1)
    plant.advance(2)
    plant.command("hipot.stop", 1)
    assert shown(plant) == (0, 112)
    plant.advance(10)
    assert shown(plant) == (0, 112), "nor later"


def test_supplies_differ_by_a_fifth():
    found = [math.log(bench(seed, 1.0).truth("shelf[1].insulation") / 1e9) for seed in range(1, 201)]
    assert statistics.fmean(found) == pytest.approx(0, abs=0.05)
    assert statistics.stdev(found) == pytest.approx(math.log(1.2), rel=0.2)
