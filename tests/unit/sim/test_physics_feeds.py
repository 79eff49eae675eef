"""Racks with several PDUs: each has its own outlets, power and breakers, and losing one is survived or not."""

from __future__ import annotations

import pytest

from sim.physics import Plant, RackParameters
from sim.physics.feeds import Feed, wired
from tests.unit.sim.physics_rack import powered

SHELVES = RackParameters().shelves
FULL = 132e3 * 0.975 / 0.966
"""W AC at full load with half of the supplies: the rack's power is told for an efficiency of 97.5 %."""


def fed(feeds: list[Feed], load: float = 100.0, until: float = 60.0) -> Plant:
    """A plant with these PDUs, everything on."""
    plant = Plant(feeds=feeds)
    for feed in feeds:
        for outlet in range(1, len(feed.shelves) + 1):
            plant.command(f"{feed.name}.outlet[{outlet}]", 1)
    plant.command("load", load)
    plant.advance(until)
    return plant


def states(plant: Plant, pdu: str, outlets: int) -> list[float]:
    return [plant.truth(f"{pdu}.outlet[{k}].state") for k in range(1, outlets + 1)]


def test_who_says_nothing_gets_shared_out_shelves_or_a_cord_to_each():
    assert wired({"a": 4, "b": 4}, 8) == [Feed("a", (1, 2, 3, 4)), Feed("b", (5, 6, 7, 8))]
    assert wired({"a": 3, "b": 2, "c": 3}, 8)[2] == Feed("c", (6, 7, 8))
    assert wired({"a": 8, "b": 8}, 8) == [Feed("a", (1, 2, 3, 4, 5, 6, 7, 8)), Feed("b", (1, 2, 3, 4, 5, 6, 7, 8))]
    assert wired({"a": 10}, 8) == [Feed("a", (1, 2, 3, 4, 5, 6, 7, 8, 0, 0))]


@pytest.mark.parametrize("outlets", [{"a": 8, "b": 8}, {"a": 4, "b": 4}, {"a": 3, "b": 3, "c": 2}, {"a": 8, "b": 10}])
def test_power_and_energy_add_up_over_outlets_and_pdus(outlets):
    feeds = wired(outlets, SHELVES)
    plant = fed(feeds, until=600)
    total = plant.truth("rack.power")
    assert total == pytest.approx(132e3)
    total = plant.truth("mains.power")
    for what, whole in (("power", total), ("energy", plant.balances()["balance.electrical"] / 3.6e6)):
        each = [plant.truth(f"{feed.name}.{what}") for feed in feeds]
        assert sum(each) == pytest.approx(whole, rel=1e-9)
        assert plant.truth(f"mains.{what}") == pytest.approx(whole, rel=1e-9)
        for feed, of_pdu in zip(feeds, each, strict=True):
            names = [f"{feed.name}.outlet[{k}].{what}" for k in range(1, len(feed.shelves) + 1)]
            assert sum(plant.truth(name) for name in names) == pytest.approx(of_pdu, rel=1e-9)
            if what == "power":
                assert sum(plant.truth(f"{feed.name}.phase[{k}].power") for k in (1, 2, 3)) == pytest.approx(of_pdu)
    assert sum(plant.truth(f"shelf[{k}].input_power") for k in range(1, 9)) == pytest.approx(total)
    assert plant.truth("outlets.closed") == sum(outlets.values())
    book = plant.balances()
    assert abs(book["balance.energy_residual"]) < 1e-4 * book["balance.electrical"]


def test_each_pdu_has_its_own_outlets():
    plant = fed(wired({"a": 8, "b": 8}, SHELVES))
    for k in range(1, 9):
        plant.command(f"a.outlet[{k}]", 0)
    plant.advance(70)
    assert states(plant, "a", 8) == [0] * 8
    assert states(plant, "b", 8) == [1] * 8
    assert (plant.truth("a.power"), plant.truth("b.power")) == (0, pytest.approx(FULL, rel=2e-4))
    assert plant.truth("rack.on") == 1
    assert plant.truth("bus.voltage") > 49
    plant.command("load", 80)  # seven shelves on half of their supplies do not carry all of it
    plant.command("b.outlet[1]", 0)
    plant.advance(80)
    assert [plant.truth(f"shelf[{k}].on") for k in (1, 2)] == [0, 1]
    assert plant.truth("outlets.closed") == 7


@pytest.mark.parametrize(
    ("outlets", "left"),
    [({"a": 8, "b": 8}, range(1, 9)), ({"a": 4, "b": 4}, range(5, 9)), ({"a": 3, "b": 5}, range(4, 9))],
)
def test_a_lost_feed_takes_its_cords_and_the_other_carries_on(outlets, left):
    plant, other = fed(wired(outlets, SHELVES)), fed(wired(outlets, SHELVES))
    plant.inject("feed_loss:A")
    plant.advance(70)
    other.advance(70)
    assert [k for k in range(1, 9) if plant.truth(f"shelf[{k}].on")] == list(left)
    assert states(plant, "a", outlets["a"]) == [1] * outlets["a"], "the relays stay where they are"
    assert plant.truth("a.outlet[1].voltage") == plant.truth("a.power") == plant.truth("a.phase[2].voltage") == 0
    loading = 132 / 33 / (8 if outlets["b"] == 8 else len(left)) * (2 if outlets["b"] == 8 else 1)
    eta = 0.975 + (loading - 0.5) / 0.5 * (0.966 - 0.975)
    assert plant.truth("b.power") == pytest.approx(132e3 * 0.975 / eta, rel=2e-4)
    assert plant.truth("rack.throttling") == 0
    assert plant.truth("bus.voltage") < other.truth("bus.voltage") - 0.1, "the rest carries more and droops"
    plant.inject("feed_loss:b")
    plant.advance(70.2)
    assert plant.truth("rack.on") == 0
    plant.clear("feed_loss:A")
    plant.advance(80)
    enough = outlets["a"] >= 4
    assert plant.truth("rack.on") == enough, "three shelves do not carry what four must"
    assert (plant.truth("a.power") > 132e3, plant.truth("b.power")) == (enough, 0)


def test_two_faults_that_take_the_same_phase_are_both_undone():
    plant = fed(wired({"a": 8, "b": 8}, SHELVES))
    plant.inject("feed_loss:b")
    plant.inject("phase_loss:b.2")
    plant.clear("feed_loss")
    assert [plant.truth(f"b.phase[{k}].voltage") for k in (1, 2, 3)] == [240, 0, 240]
    plant.clear("phase_loss")
    assert plant.truth("b.phase[2].voltage") == 240


@pytest.mark.parametrize(
    ("fault", "name", "hit", "spared"),
    [
        ("outlet_off:b.1", "{}.outlet[1].state", "b", "a"),
        ("outlet_off:1", "{}.outlet[1].state", "a", "b"),
        ("breaker_trip:B.2", "{}.outlet[2].voltage", "b", "a"),
        ("phase_loss:2.3", "{}.phase[3].voltage", "b", "a"),
        ("phase_loss:3", "{}.phase[3].voltage", "a", "b"),
    ],
)
def test_a_fault_names_the_pdu_it_hits(fault, name, hit, spared):
    plant = fed(wired({"a": 8, "b": 8}, SHELVES))
    plant.inject(fault)
    plant.advance(61)
    assert plant.truth(name.format(hit)) == 0
    assert plant.truth(name.format(spared)) > 0
    plant.clear(fault)
    plant.advance(70)
    assert plant.truth(name.format(hit)) > 0


def test_a_stuck_relay_and_a_frozen_meter_are_those_of_one_pdu():
    plant = fed(wired({"a": 8, "b": 8}, SHELVES))
    plant.inject("outlet_stuck:b.2")
    plant.inject("meter_frozen:b")
    held = plant.sensed("b.power")
    for pdu in "ab":
        plant.command(f"{pdu}.outlet[2]", 0)
    plant.command("load", 0)
    plant.advance(90)
    assert (plant.truth("a.outlet[2].state"), plant.truth("b.outlet[2].state")) == (0, 1)
    assert plant.sensed("b.power") == held
    assert plant.sensed("a.power") == pytest.approx(plant.truth("a.power"), rel=0.05)


def test_a_station_may_say_what_hangs_where():
    plant = fed([Feed("a", (1, 1, 2, 0)), Feed("b", (3,))], load=0)
    assert [k for k in range(1, 9) if plant.truth(f"shelf[{k}].on")] == [1, 2, 3]
    assert plant.truth("a.outlet[1].power") == pytest.approx(plant.truth("a.outlet[2].power"))
    assert plant.truth("a.outlet[1].power") == pytest.approx(plant.truth("b.outlet[1].power") / 2)
    assert (plant.truth("a.outlet[4].power"), plant.truth("a.outlet[4].current")) == (0, 0)
    assert plant.truth("a.outlet[4].voltage") == 240


@pytest.mark.parametrize(
    "fault", ["outlet_off:b.9", "outlet_off:c.1", "feed_loss:C", "phase_loss:b.4", "outlet_stuck:b"]
)
def test_what_is_not_there_is_refused(fault):
    plant = Plant(feeds=wired({"a": 8, "b": 8}, SHELVES))
    with pytest.raises(ValueError, match="must be"):
        plant.inject(fault)


def test_one_pdu_is_the_rack_it_always_was():
    plain, named = powered(60, until=300), Plant(feeds=[Feed("pdu_x", tuple(range(1, 9)))])
    for index in range(1, 9):
        named.command(f"outlet[{index}]", 1)
    named.command("load", 60)
    named.advance(300)
    assert named.snapshot() == plain.snapshot()
    named.inject("outlet_off:pdu_x.3")
    assert named.truth("outlet[3].state") == 0
