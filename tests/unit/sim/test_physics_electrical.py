"""PDU, shelves, bus, switch and instruments."""

from __future__ import annotations

import math

import pytest

from sim.physics import Plant
from sim.physics.ambient import dew_point, humidity_at
from tests.unit.sim.physics_rack import powered


def test_an_outlet_is_pending_then_switches_then_its_shelf_starts():
    plant = Plant()
    plant.advance(10)
    plant.command("outlet[4]", 1)
    assert (plant.truth("outlet[4].state"), plant.truth("outlet[4].pending")) == (0, 1)
    events = {}
    for step in range(1, 400):
        plant.advance(10 + step / 100)
        if plant.truth("outlet[4].state") and "closed" not in events:
            events["closed"] = step / 100
            events["inrush"] = plant.truth("outlet[4].current")
            assert plant.truth("outlet[4].pending") == 0
        if plant.truth("shelf[4].on") and "on" not in events:
            events["on"] = step / 100
    assert 0.2 <= events["closed"] <= 1.02
    assert 0.5 <= events["on"] - events["closed"] <= 2.02
    assert events["inrush"] > 160
    assert plant.truth("outlet[4].current") < 40
    assert [plant.truth(f"outlet[{i}].state") for i in range(1, 9)] == [0, 0, 0, 1, 0, 0, 0, 0]


def test_a_repeated_command_does_not_switch_again_and_the_last_one_wins():
    plant = Plant()
    plant.command("outlet[1]", 1)
    plant.advance(0.1)
    plant.command("outlet[1]", 0)
    plant.advance(3)
    assert plant.truth("outlet[1].state") == 0
    assert plant.truth("outlet[1].pending") == 0
    plant.command("outlet[1]", 0)
    assert plant.truth("outlet[1].pending") == 0


def test_half_of_the_shelves_carry_full_load_and_fewer_throttle():
    plant = powered(until=60)
    assert plant.truth("rack.power") == pytest.approx(132e3)
    for index in range(1, 5):
        plant.command(f"outlet[{index}]", 0)
    plant.advance(70)
    assert plant.truth("rack.power") == pytest.approx(132e3)
    assert plant.truth("rack.throttling") == 0
    assert plant.truth("outlet[6].power") == pytest.approx(33e3)
    assert plant.truth("outlet[2].power") == 0
    plant.command("outlet[5]", 0)
    plant.advance(80)
    assert plant.truth("rack.power") == pytest.approx(0.75 * 132e3)
    assert plant.truth("rack.load") == pytest.approx(75)
    assert plant.truth("rack.throttling") == 1


def test_power_adds_up_over_outlets_phases_and_shelves():
    plant = powered(40, until=60)
    total = plant.truth("rack.power")
    assert total == pytest.approx(25e3 + 0.4 * 107e3)
    for pattern, count in (("outlet[{}].power", 8), ("phase[{}].power", 3), ("shelf[{}].input_power", 8)):
        assert sum(plant.truth(pattern.format(i)) for i in range(1, count + 1)) == pytest.approx(total)
    dc = plant.truth("bus.voltage") * plant.truth("bus.current")
    assert dc / total == pytest.approx(0.97, abs=0.01)
    factor = plant.truth("outlet[1].power_factor")
    product = plant.truth("outlet[1].voltage") * plant.truth("outlet[1].current") * factor
    assert product == pytest.approx(plant.truth("outlet[1].power"))
    assert plant.truth("phase[3].current") < plant.truth("phase[1].current"), "eight outlets do not divide by three"


def test_power_factor_and_droop_follow_the_load():
    idle, full = powered(0, until=60), powered(100, until=60)
    assert idle.truth("pdu.power_factor") == pytest.approx(0.89, abs=0.02)
    assert full.truth("pdu.power_factor") == pytest.approx(0.99)
    assert idle.truth("bus.voltage") - full.truth("bus.voltage") == pytest.approx(0.5 * (132 - 25) / 264, rel=0.02)
    assert full.truth("shelf[1].fan_speed") > idle.truth("shelf[1].fan_speed")
    assert full.truth("shelf[1].outlet_temperature") > full.truth("shelf[1].inlet_temperature") + 5


def test_forced_ac_loss_takes_one_shelf_and_gives_it_back():
    plant = powered(until=60)
    plant.command("shelf[3].force_ac_loss", 1)
    plant.advance(60.1)
    assert plant.truth("shelf[3].on") == 0
    assert plant.truth("shelf[3].input_voltage") == 0
    assert plant.truth("outlet[3].state") == 1
    assert plant.truth("outlet[3].voltage") == 240
    assert plant.truth("shelf[1].output_current") > 0
    assert plant.truth("rack.power") == pytest.approx(132e3)
    plant.command("shelf[3].force_ac_loss", 0)
    plant.advance(63)
    assert plant.truth("shelf[3].on") == 1


def test_shelf_voltage_setpoint_moves_the_bus():
    plant = powered(until=60)
    before = plant.truth("bus.voltage")
    for index in range(1, 9):
        plant.command(f"shelf[{index}].voltage_setpoint", 51)
    assert plant.truth("bus.voltage") == pytest.approx(before + 1)


def test_an_overloaded_breaker_trips():
    from dataclasses import replace

    from sim.physics import RackParameters

    plant = Plant(replace(RackParameters(), breaker_current=60.0))
    for index in range(1, 9):
        plant.command(f"outlet[{index}]", 1)
    plant.command("load", 100)  # 69 A each
    plant.advance(30)
    assert plant.truth("rack.power") == pytest.approx(132e3)
    plant.advance(900)
    assert sum(plant.truth(f"outlet[{i}].voltage") > 0 for i in range(1, 9)) == 0, "the rest follow one by one"
    assert plant.truth("rack.on") == 0


def test_links_come_up_after_power_and_carry_what_the_load_sends():
    plant = Plant()
    plant.advance(5)
    assert plant.truth("port[1].up") == 0
    assert plant.truth("port[1].rx_power") == -40
    plant = powered(50, until=20)
    assert all(plant.truth(f"port[{i}].up") for i in range(1, 37))
    assert plant.truth("port[9].neighbor") == 9
    start = plant.truth("port[9].octets_in")
    plant.advance(120)
    rate = (plant.truth("port[9].octets_in") - start) / 100 * 8 / 400e9
    assert rate == pytest.approx(0.001 + 0.6 * 0.5, rel=0.01)
    plant.command("port[9].admin", 0)
    held = plant.truth("port[9].octets_in")
    plant.advance(130)
    assert plant.truth("port[9].up") == 0
    assert plant.truth("port[9].octets_in") == held
    assert plant.truth("port[8].up") == 1


def test_electronic_load_draws_from_the_bus():
    plant = Plant()
    plant.command("eload.current", 100)
    plant.command("eload.on", 1)
    plant.advance(5)
    assert plant.truth("eload.power") == 0, "no bus voltage yet"
    plant = powered(0, until=60)
    plant.command("eload.current", 100)
    plant.advance(61)
    assert plant.truth("rack.power") == pytest.approx(25e3)
    plant.command("eload.on", 1)
    plant.advance(70)
    assert plant.truth("eload.current") == 100
    assert plant.truth("eload.power") == pytest.approx(100 * plant.truth("eload.voltage"))
    assert plant.truth("rack.power") == pytest.approx(25e3 + plant.truth("eload.power") / 0.97, rel=1e-3)
    plant.command("eload.on", 0)
    plant.advance(72)
    assert plant.truth("rack.power") == pytest.approx(25e3)


def test_thermocouples_see_what_they_are_stuck_to():
    plant = powered(until=600)
    assert plant.truth("daq[101].temperature") == plant.truth("loop.supply_temperature")
    assert plant.truth("daq[102].temperature") == plant.truth("loop.return_temperature")
    assert plant.truth("daq[103].temperature") == plant.truth("ambient.temperature")
    assert plant.truth("daq[104].temperature") == plant.truth("plate.temperature")
    plates = [plant.truth(f"daq[{i}].temperature") for i in range(108, 113)]
    assert plates == sorted(plates)
    assert len(set(plates)) == 5


def test_dew_point_is_magnus_and_its_inverse():
    assert dew_point(25.0, 50.0) == pytest.approx(13.85, abs=0.05)
    assert humidity_at(25.0, dew_point(25.0, 50.0)) == pytest.approx(50.0)
    plant = Plant()
    humidity, temperature = plant.truth("ambient.humidity"), plant.truth("ambient.temperature")
    assert plant.truth("ambient.dew_point") == pytest.approx(dew_point(temperature, humidity))
    assert math.isclose(temperature, 24.0)
