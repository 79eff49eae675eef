"""PDU, shelves, bus, switch and instruments."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from sim.physics import Plant, RackParameters
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


ETA_HALF, ETA_FULL = 0.975, 0.966
"""Efficiency of a shelf at half its rating, which the rack's power is told for, and at its rating."""


def test_half_of_the_shelves_carry_full_load_and_fewer_collapse_after_a_second():
    plant = powered(until=60)
    assert plant.truth("rack.power") == pytest.approx(132e3)
    for index in range(1, 5):
        plant.command(f"outlet[{index}]", 0)
    plant.advance(70)
    assert plant.truth("rack.power") == pytest.approx(132e3)
    assert plant.truth("rack.throttling") == 0
    assert plant.truth("outlet[6].power") == pytest.approx(33e3 * ETA_HALF / ETA_FULL, rel=2e-4)
    assert plant.truth("outlet[2].power") == 0
    plant.command("outlet[5]", 0)
    opened = 70.0
    while plant.truth("outlet[5].state"):
        opened += 0.01
        plant.advance(opened)
    plant.advance(opened + 0.9)
    assert plant.truth("rack.power") == pytest.approx(132e3), "4 thirds of their rating, for now"
    assert plant.truth("bus.voltage") == pytest.approx(50 - 0.5 * 4 / 3, abs=0.02)
    plant.advance(opened + 1.2)
    assert [plant.truth(f"shelf[{k}].on") for k in range(1, 9)] == [0] * 8
    assert [plant.truth(f"shelf[{k}].overloaded") for k in range(1, 9)] == [0] * 5 + [1] * 3
    assert plant.truth("rack.on") == 0
    plant.advance(opened + 20)
    assert plant.truth("bus.voltage") < 35, "what switched itself off stays off"
    plant.command("load", 0)
    for state in (0, 1):
        for index in range(6, 9):
            plant.command(f"outlet[{index}]", state)
        plant.advance(plant.time + 5)
    assert plant.truth("rack.power") == pytest.approx(25e3)


def test_an_overload_that_ends_within_a_second_switches_nothing_off():
    plant = powered(until=60)
    for index in range(1, 6):
        plant.inject(f"outlet_off:{index}")
    plant.advance(60.8)
    assert plant.truth("shelf[7].output_current") > 1.3 * 33e3 * ETA_HALF / 50
    plant.command("load", 50)
    plant.advance(65)
    assert plant.truth("rack.power") == pytest.approx(78.5e3)


def test_shares_go_by_setpoint_as_the_closed_form_says():
    """One shelf at 50.3 V: I = (setpoint - V) / R with R = 0.5 V over the rated current, currents add up to P / V."""
    plant = powered(until=60)
    plant.command("shelf[1].voltage_setpoint", 50.3)
    plant.advance(90)
    rated, dc = 33e3 * ETA_HALF / 50, 132e3 * ETA_HALF
    ohm = 0.5 / rated
    a, b, c = 8 / ohm, -(50.3 + 7 * 50) / ohm, dc
    volts = (-b + math.sqrt(b * b - 4 * a * c)) / (2 * a)
    assert plant.truth("bus.voltage") == pytest.approx(volts, rel=1e-9)
    assert plant.truth("shelf[1].output_current") == pytest.approx((50.3 - volts) / ohm, rel=1e-6)
    assert plant.truth("shelf[5].output_current") == pytest.approx((50.0 - volts) / ohm, rel=1e-6)
    assert plant.truth("bus.voltage") * plant.truth("bus.current") == pytest.approx(dc, rel=1e-9)
    assert plant.truth("shelf[1].output_current") > rated, "661 A where the others give 274"
    plant.command("shelf[1].voltage_setpoint", 50.8)
    plant.advance(95)
    assert (plant.truth("shelf[1].on"), plant.truth("shelf[2].on")) == (0, 1), "too much for one"
    assert plant.truth("rack.power") == pytest.approx(132e3)


def test_a_shelf_that_is_set_too_low_gives_nothing_and_takes_nothing_back():
    plant = powered(0, until=60)
    plant.command("shelf[3].voltage_setpoint", 49.5)
    plant.advance(70)
    assert plant.truth("shelf[3].output_current") == plant.truth("outlet[3].power") == 0
    assert plant.truth("shelf[3].on") == 1
    assert plant.truth("rack.power") == pytest.approx(25e3)


def test_a_lost_phase_takes_two_of_six_supplies_of_every_shelf():
    plant = powered(until=60)
    before = plant.truth("bus.voltage")
    currents = [plant.truth(f"phase[{k}].current") for k in (1, 2, 3)]
    assert max(currents) == pytest.approx(min(currents), rel=1e-9)
    plant.inject("phase_loss:2")
    plant.advance(70)
    assert [plant.truth(f"shelf[4].psu[{k}].on") for k in range(1, 7)] == [1, 0, 1, 1, 0, 1]
    assert plant.truth("phase[2].current") == 0
    assert plant.truth("phase[1].current") == pytest.approx(currents[0] * 1.5, rel=0.01)
    assert plant.truth("rack.power") == pytest.approx(132e3)
    assert before - plant.truth("bus.voltage") == pytest.approx(0.5 * 132 / 264 * 0.5, rel=0.03)
    plant.clear("phase_loss")
    plant.advance(80)
    assert plant.truth("bus.voltage") == pytest.approx(before)
    assert plant.truth("shelf[4].psu[2].outages") == 1
    assert plant.truth("shelf[4].psu[1].outages") == 0


def test_one_supply_of_six_fails_and_the_rest_take_over():
    plant = powered(until=60)
    plant.inject("psu_fail:2.5")
    plant.advance(70)
    assert plant.truth("shelf[2].psu_ok") == 5
    assert plant.truth("shelf[2].psu[5].output_current") == 0
    assert plant.truth("shelf[2].psu[1].output_current") == pytest.approx(plant.truth("shelf[1].psu[1].output_current"))
    assert plant.truth("outlet[2].power") / plant.truth("outlet[1].power") == pytest.approx(5 / 6, rel=1e-6)
    assert plant.truth("phase[2].current") < plant.truth("phase[1].current")
    plant.command("shelf[1].psu[3].force_ac_loss", 1)
    plant.advance(80)
    assert plant.truth("shelf[1].psu[3].output_power") == 0
    assert plant.truth("shelf[1].psu[3].input_voltage") == 0


def test_swapped_cords_are_seen_at_the_shelf_and_not_at_the_outlet():
    plant = Plant()
    plant.inject("cords_swapped:2-5")
    plant.command("outlet[2]", 1)
    plant.advance(10)
    assert plant.truth("outlet[2].power") > 20e3
    assert [plant.truth(f"shelf[{k}].on") for k in (2, 5)] == [0, 1]


def test_an_instrument_that_holds_peaks_sees_the_inrush_however_seldom_it_looks():
    """I(t) = I e^(-t/tau): the integral of its square is I^2 tau / 2. One of three phases is near the top."""
    plant = Plant()
    plant.command("peak_hold", 1)
    plant.command("outlet[4]", 1)
    plant.advance(60)
    peaks = [plant.truth(f"feed.phase[{k}].peak_current") for k in (1, 2, 3)]
    assert math.sqrt(0.75) - 1e-9 <= max(peaks) / (6 * 63) <= 1
    assert plant.truth("feed.phase[1].inrush_i2t") == pytest.approx(peaks[0] ** 2 * 0.010 / 2, rel=1e-9)
    plant.command("peak_hold", 1)
    assert max(plant.truth(f"feed.phase[{k}].peak_current") for k in (1, 2, 3)) < 60, (
        "held anew: the crest of what flows"
    )
    plant.inject("inrush_high:5=3")
    plant.command("outlet[5]", 1)
    plant.advance(70)
    assert max(plant.truth(f"feed.phase[{k}].peak_current") for k in (1, 2, 3)) > 2.5 * 6 * 63 * math.sqrt(0.75)


def test_power_adds_up_over_outlets_phases_and_shelves():
    plant = powered(40, until=60)
    load = plant.truth("rack.power")
    assert load == pytest.approx(25e3 + 0.4 * 107e3)
    total = plant.truth("pdu.power")
    for pattern, count in (("outlet[{}].power", 8), ("phase[{}].power", 3), ("shelf[{}].input_power", 8)):
        assert sum(plant.truth(pattern.format(i)) for i in range(1, count + 1)) == pytest.approx(total)
    supplies = [plant.truth(f"shelf[2].psu[{k}].input_power") for k in range(1, 7)]
    assert sum(supplies) == pytest.approx(plant.truth("outlet[2].power"))
    dc = plant.truth("bus.voltage") * plant.truth("bus.current")
    assert dc == pytest.approx(load * ETA_HALF)
    share = load / 264e3
    assert dc / total == pytest.approx(0.968 + (share - 0.2) / 0.3 * (ETA_HALF - 0.968), rel=1e-6)
    factor = plant.truth("outlet[1].power_factor")
    product = 3 * plant.truth("outlet[1].voltage") * plant.truth("outlet[1].current") * factor
    assert product == pytest.approx(plant.truth("outlet[1].power"))


def test_what_a_shelf_loses_is_in_the_books():
    plant, quiet = powered(0, until=600), powered(0, until=600)
    plant.command("shelf[1].voltage_setpoint", 50.2)
    for each in (plant, quiet):
        each.advance(1800)
    assert plant.truth("pdu.power") > 1.01 * plant.truth("rack.power"), "at a tenth of their rating"
    book = plant.balances()
    assert book["balance.energy_residual"] == pytest.approx(quiet.balances()["balance.energy_residual"], abs=1.0)
    energies = [plant.truth(f"outlet[{k}].energy") for k in range(1, 9)]
    assert sum(energies) == pytest.approx(book["balance.electrical"] / 3.6e6, rel=1e-9)
    assert energies[0] > energies[1]


def test_a_meter_is_quiet_and_its_total_is_the_sum_of_its_outlets():
    plant = powered(until=60)
    shown = []
    for k in range(200):
        plant.advance(60 + 0.1 * k)
        outlets = sum(plant.sensed(f"outlet[{i}].power") for i in range(1, 9))
        shown.append(plant.sensed("pdu.power"))
        assert shown[-1] == pytest.approx(outlets, abs=6), "but for rounding to 1 W"
    mean = sum(shown) / len(shown)
    assert math.sqrt(sum((s - mean) ** 2 for s in shown) / len(shown)) == pytest.approx(1e-3 * 132e3, rel=0.2)


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
    assert plant.truth("bus.voltage") == pytest.approx(before + 1, abs=0.01)  # less current for the same power


def test_an_overloaded_breaker_trips():
    plant = Plant(replace(RackParameters(), breaker_current=20.0))
    for index in range(1, 9):
        plant.command(f"outlet[{index}]", 1)
    plant.command("load", 100)  # 23 A on each phase
    plant.advance(30)
    assert plant.truth("rack.power") == pytest.approx(132e3)
    plant.advance(900)
    assert sum(plant.truth(f"outlet[{i}].voltage") > 0 for i in range(1, 9)) == 0, "the rest follow one by one"
    assert plant.truth("rack.on") == 0


def test_a_breaker_that_was_overloaded_cools_down_when_it_is_over():
    def heat(rest):
        """Of a breaker that is overloaded for a while, then, and after a rest."""
        plant = Plant(replace(RackParameters(), breaker_current=20.0))
        for index in range(1, 9):
            plant.command(f"outlet[{index}]", 1)
        plant.command("load", 100)
        plant.advance(110)
        pdu = plant.pdus[0]
        hot = max(pdu.heat)
        plant.command("load", 10)
        plant.advance(110 + rest)
        return hot, max(pdu.heat)

    hot, left = heat(10)
    assert hot > 20
    assert left == pytest.approx(hot - 10, abs=2)  # with a tenth of the load nearly a second for a second
    assert heat(600)[1] == 0


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
    assert plant.truth("rack.power") == pytest.approx(25e3 + plant.truth("eload.power") / ETA_HALF, rel=1e-3)
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
