"""Coolant that leaves the loop: how fast through a hole, what the level shows, and what runs when nothing is left."""

from __future__ import annotations

import math

import pytest

from sim.physics import Plant
from sim.physics.coolant import pg25_density
from tests.unit.sim.physics_rack import powered, watch


def rate(plant: Plant, seconds: float = 5.0) -> float:
    """mL/s that leak now."""
    before = plant.truth("leak.volume")
    plant.advance(plant.time + seconds)
    return (plant.truth("leak.volume") - before) / seconds


@pytest.mark.parametrize(("zone", "share"), [("rack", 0.7), ("cdu", 1.0)])
def test_a_hole_gives_what_its_pressure_drives_through_it(zone, share):
    """2 mL/s are said for the design point, 150 kPa and 60 kPa of drop; elsewhere the root of the pressure says it."""
    plant = powered(0)
    plant.inject(f"leak:{zone}=2")
    static, drop = plant.truth("loop.return_pressure"), plant.truth("loop.differential_pressure")
    running = rate(plant)
    assert running == pytest.approx(2 * math.sqrt((static + share * drop) / (150 + share * 60)), rel=5e-3)
    plant.command("pump.run", 0)
    plant.advance(plant.time + 30)
    static = plant.truth("loop.return_pressure")
    assert rate(plant) == pytest.approx(2 * math.sqrt(static / (150 + share * 60)), rel=5e-3)
    assert rate(plant) > 0.8 * running, "a stopped pump hardly helps: the bladder goes on pushing"


def test_an_isolated_rack_gives_what_was_trapped_and_no_more():
    """p' = -K V', so the hole gives p / K: 192 kPa at 5 kPa/mL."""
    plant = powered(0)
    plant.inject("leak:2")
    plant.advance(plant.time + 10)
    plant.command("valve.isolate", 1)
    plant.advance(plant.time + 0.001)
    before, pressure = plant.truth("leak.volume"), plant.truth("loop.return_pressure")
    plant.advance(plant.time + 0.5)
    assert plant.truth("leak.volume") > before
    plant.advance(plant.time + 120)
    given = plant.truth("leak.volume") - before
    assert pressure / 5 - 3 < given < (pressure + 60) / 5 + 3
    plant.advance(plant.time + 60)
    assert plant.truth("leak.volume") - before == given


def test_the_level_follows_the_expansion_of_the_loop():
    cold, hot = powered(0), powered(100)
    ends = ("loop.supply_temperature", "loop.return_temperature")
    mean = [sum(plant.truth(name) for name in ends) / 2 for plant in (cold, hot)]
    more = 80.0 * (pg25_density(mean[0]) - pg25_density(mean[1])) / pg25_density(30.0)
    assert hot.truth("loop.level") - cold.truth("loop.level") == pytest.approx(100 * more / 30, rel=1e-3)
    assert more == pytest.approx(0.2, abs=0.15)
    assert hot.truth("loop.return_pressure") - cold.truth("loop.return_pressure") == pytest.approx(5 * more, rel=1e-3)


def test_a_loop_that_runs_dry_loses_its_head_and_then_its_prime():
    plant = powered(0)
    plant.inject("leak:200")
    levels, flows, empty = [], [], 0.0
    for second, flow in watch(plant, "loop.flow", 420, 2.0):
        levels.append(plant.truth("loop.level"))
        flows.append(flow)
        if not empty and levels[-1] == 0:
            empty = second
    assert levels == sorted(levels, reverse=True)
    # V' = r sqrt((p - K V) / p) with p = 150 + 0.7 x 60 kPa, K = 5 kPa/L, r = 0.2 L/s: 24 L are gone after
    assert empty == pytest.approx(2 * 192 / (5 * 0.2) * (1 - math.sqrt(1 - 5 * 24 / 192)), rel=0.03)
    full = flows[0]
    assert flows[-1] < 1, "at 30 % of the loop empty nothing is pumped"
    at = next(k for k, flow in enumerate(flows) if flow < 0.1 * full)
    void = 1 - (plant.truth("coolant.mass") / 80 / pg25_density(30) * 1e3)
    assert 2 * at > empty + 60
    assert void > 0.25
    book = plant.balances()
    assert abs(book["balance.mass_residual"]) < 1e-9 * book["balance.mass_initial"]
    assert book["balance.mass_lost"] == pytest.approx(plant.truth("leak.volume") * pg25_density(31) * 1e-6, rel=5e-3)


def test_what_was_lost_is_what_is_missing():
    """By volumes: what is in the reservoir and in the loop against what came out of the hole, each at its density."""
    plant = powered(60)
    start = plant.balances()
    plant.inject("leak:cdu=3")
    plant.advance(plant.time + 3600)
    book = plant.balances()
    lost = start["balance.mass_present"] - book["balance.mass_present"]
    density = pg25_density(plant.loop.inventory.temperature)
    assert lost == pytest.approx(plant.truth("leak.volume") * density * 1e-6, rel=2e-3)
    assert plant.truth("leak.volume") < 3 * 3600, "pressure falls with the level"


def test_a_loop_without_coolant_under_load_ends_in_the_trays_own_protection():
    plant = powered(100)
    plant.inject("leak:400")
    plant.advance(plant.time + 600)
    assert plant.truth("loop.flow") < 1
    assert plant.truth("rack.throttling") == 1 or plant.truth("rack.on") == 0
    assert max(plant.rack.trays.junctions) < 97


def days(hours: int, seed: int) -> Plant:
    """A rack of its own with cycles of load, a failing pump, warm water, a seep and a blocked tray."""
    plant = Plant(seed=seed, spread=1.0)
    for index in range(1, 9):
        plant.command(f"outlet[{index}]", 1)
    for fault in ("pump_stop:1@2h", "fws_step:4@1h", "leak:cdu=0.02@30 min", "tray_blocked:5=0.9@90 min"):
        plant.inject(fault)
    for half in range(2 * hours):
        plant.command("load", (100, 20, 70, 0)[half % 4])
        plant.advance(1800.0 * (half + 1))
    return plant


def adds_up(plant: Plant) -> None:
    book = plant.balances()
    assert abs(book["balance.energy_residual"]) < 5e-5 * book["balance.electrical"]
    assert abs(book["balance.mass_residual"]) < 1e-9 * book["balance.mass_initial"]
    leaked = plant.truth("leak.volume") * pg25_density(40) * 1e-6
    assert book["balance.mass_lost"] == pytest.approx(leaked, rel=5e-3)


@pytest.mark.parametrize("seed", [1, 2])
def test_heat_and_mass_add_up(seed):
    adds_up(days(6, seed))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_heat_and_mass_add_up_over_three_days(seed):
    adds_up(days(72, seed))
