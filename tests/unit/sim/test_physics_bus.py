"""The bus when the mains go: hold-up, batteries, what is left after them, and where every joule goes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from sim.physics import Plant, RackParameters
from sim.physics.bench import supply_bench
from sim.physics.feeds import wired
from sim.physics.rack_classes import for_power

SHELVES = range(1, 9)
OFF = 600.0
"""Plant time at which the mains go."""


def rack(batteries: int = 0, load: float = 100.0, shelves: Iterable[int] = SHELVES, **changes: float) -> Plant:
    """A rack whose outlets are on, loaded and settled."""
    plant = Plant(replace(RackParameters(), batteries=batteries, **changes))
    for index in shelves:
        plant.command(f"outlet[{index}]", 1)
    plant.command("load", load)
    plant.advance(OFF)
    return plant


def mains(plant: Plant, *, on: bool) -> None:
    for index in range(1, plant.parameters.shelves + 1):
        plant.command(f"shelf[{index}].force_ac_loss", 0 if on else 1)


def volts(plant: Plant, seconds: float) -> float:
    """The bus so long after the mains went."""
    plant.advance(OFF + seconds)
    return plant.truth("bus.voltage")


def crossing(plant: Plant, level: float, start: float, step: float = 1e-4) -> float:
    """Seconds after the mains went until the bus is below a level."""
    seconds = start
    while volts(plant, seconds) >= level:
        seconds += step
        assert seconds < start + 1.0
    return seconds


def test_bulk_capacitors_hold_full_load_for_20_ms_then_the_bus_falls_3_volts_a_millisecond():
    plant = rack(shelves=range(1, 5))
    before = plant.truth("bus.voltage")
    mains(plant, on=False)
    assert plant.truth("pdu.power") == plant.truth("outlet[2].power") == 0
    assert volts(plant, 0.0195) == pytest.approx(before, abs=0.01)
    assert plant.truth("rack.power") == pytest.approx(132e3)
    started = crossing(plant, before - 0.01, 0.0195)
    assert started == pytest.approx(0.020, abs=0.0003)
    at_45, at_42 = crossing(plant, 45.0, started), crossing(plant, 42.0, started)
    assert 3.0 / (at_42 - at_45) == pytest.approx(3300, rel=0.15)  # V/s; the current grows as the voltage falls
    assert plant.truth("rack.on") == 1
    below = crossing(plant, 40.0, at_42)
    assert (plant.truth("rack.on"), plant.truth("rack.power")) == (0, 0), "below 40 V the trays draw nothing"
    assert below < 0.025
    assert volts(plant, 5) == pytest.approx(40.0 * 2.718281828 ** (-(5 - below) / 30), rel=0.001)


def test_weak_bulk_capacitors_hold_full_load_for_less_and_the_captures_say_how_low_it_got():
    plant = rack(shelves=range(1, 5))
    before = plant.truth("bus.voltage")
    for index in range(1, 5):
        plant.inject(f"holdup_weak:{index}=0.5")
    mains(plant, on=False)
    assert crossing(plant, before - 0.01, 0.005) == pytest.approx(0.010, abs=0.0003)
    mains(plant, on=True)
    plant.advance(OFF + 5)
    assert before - 0.01 < plant.truth("bus.voltage_max") < 50.001
    assert plant.truth("bus.voltage_min") == plant.truth("bus.recent_min") < 40
    plant.advance(OFF + 65)
    assert plant.truth("bus.voltage_min") < 40
    assert plant.truth("bus.recent_min") == pytest.approx(before, abs=0.01), "of the last 30 to 60 s"
    plant.command("load", 0)
    mains(plant, on=False)
    plant.advance(OFF + 200)
    mains(plant, on=True)
    plant.advance(OFF + 210)
    assert plant.truth("bus.voltage_min") > 49, "logic that was without power begins anew"


@pytest.mark.parametrize(("milliseconds", "survives"), [(5, True), (19, True), (21, False), (40, False)])
def test_mains_that_are_away_for_less_than_the_hold_up_are_not_noticed(milliseconds, survives):
    plant = rack(shelves=range(1, 5))
    before, quiet = plant.truth("bus.voltage"), rack(shelves=range(1, 5))
    plant.command("source.dropout", milliseconds / 1000)
    plant.advance(OFF + 0.1)
    assert (plant.truth("shelf[2].on"), plant.truth("rack.on")) == (survives, survives)
    assert (plant.truth("bus.recent_min") > before - 0.01) is survives
    plant.advance(OFF + 10)
    quiet.advance(OFF + 10)
    assert plant.truth("shelf[2].psu[4].outages") == 1
    residuals = [each.balances()["balance.energy_residual"] for each in (plant, quiet)]
    assert survives is False or residuals[0] == pytest.approx(residuals[1], abs=1.0)
    if survives:
        mains(plant, on=False)
        assert volts(plant, 10.0195) == pytest.approx(before, abs=0.01), "full again: the next time it lasts as long"


def test_a_bench_has_one_supply_and_no_trays():
    plant = Plant(supply_bench())
    plant.command("outlet[1]", 1)
    plant.advance(10)
    assert (plant.truth("shelf[1].psu[1].on"), plant.truth("rack.power"), plant.truth("pdu.power")) == (1, 0, 0)
    plant.command("eload.current", 100)
    plant.command("eload.on", 1)
    plant.advance(20)
    assert plant.truth("bus.voltage") == pytest.approx(50 - 0.5 * 100 / 107.25, abs=0.002)
    assert plant.truth("shelf[1].psu[1].output_current") == pytest.approx(100, rel=1e-3)
    plant.command("eload.current", 125)
    plant.advance(21.5)
    assert plant.truth("shelf[1].overloaded") == 1


def test_half_the_load_is_held_twice_as_long():
    plant = rack()
    mains(plant, on=False)
    assert crossing(plant, 49.0, 0.0) == pytest.approx(0.040, abs=0.001)


@pytest.mark.parametrize(("kilowatts", "full"), [(30, 30 / 33), (132, 1), (600, 600 / (6 * 6 * 18.3))])
def test_batteries_take_over_within_4_ms_and_the_rack_goes_on(kilowatts, full):
    kind = for_power(kilowatts)
    plant = Plant(replace(kind, batteries=kind.shelves_needed))
    nominal = 800 if kilowatts == 600 else 50
    held = nominal * (0.97 - 0.01 * full)
    for index in range(1, kind.shelves + 1):
        plant.command(f"outlet[{index}]", 1)
    plant.command("load", 100)
    plant.advance(OFF)
    power, plate = plant.truth("rack.power"), plant.truth("plate.temperature")
    assert plant.truth("battery.current") == 0
    mains(plant, on=False)
    low = crossing(plant, 0.97 * nominal, 0.02)
    seen, seconds = [], low
    while plant.truth("battery[1].discharging") == 0:
        seconds += 1e-4
        seen.append(volts(plant, seconds))
        assert seconds < low + 0.004
    assert seconds - low == pytest.approx(0.002, abs=2e-4)
    assert min(seen) > 0.81 * nominal, "the trays must not notice"
    assert volts(plant, 1.0) == pytest.approx(held, rel=2e-4), "48.5 V less half a volt of droop at the rating, of 50 V"
    plant.advance(OFF + 30)
    assert plant.truth("rack.power") == pytest.approx(power)
    assert plant.truth("pdu.power") == 0
    assert plant.truth("battery.power") == pytest.approx(-power, rel=0.002)
    assert plant.truth("battery.current") == pytest.approx(-power / plant.truth("battery[1].voltage"), rel=0.002)
    assert plant.truth("plate.temperature") == pytest.approx(plate, abs=0.1), "the plates stay as hot as they were"
    assert plant.truth("rack.heat_liquid") == pytest.approx(kind.liquid_share * power)


def test_full_load_lasts_240_s_and_the_charge_tells_how_far_it_is():
    plant = rack(batteries=4)
    mains(plant, on=False)
    plant.advance(OFF + 120)
    assert plant.truth("battery[2].charge") == pytest.approx(50, abs=0.2)
    assert plant.truth("battery[2].run_time") == pytest.approx(120, abs=0.5)
    plant.advance(OFF + 239.9)
    assert plant.truth("rack.power") == pytest.approx(132e3)
    plant.advance(OFF + 240.2)
    assert plant.truth("rack.power") == plant.truth("battery.current") == 0
    assert plant.truth("battery[1].charge") == pytest.approx(0, abs=0.01)


def test_a_lighter_load_lasts_no_longer_than_a_battery_may_discharge():
    plant = rack(batteries=4, load=0)
    mains(plant, on=False)
    plant.advance(OFF + 239.9)
    assert plant.truth("battery[1].charge") > 80
    assert plant.truth("battery[1].discharging") == 1
    plant.advance(OFF + 241)
    assert plant.truth("battery[1].discharging") == plant.truth("rack.power") == 0


def test_with_everything_off_the_bus_bleeds_in_about_100_s():
    plant = rack(load=0)
    plant.command("trays", 0)
    plant.advance(OFF + 1)
    assert plant.truth("rack.power") == 0
    assert plant.truth("bus.voltage") == pytest.approx(50, abs=0.01)
    mains(plant, on=False)
    plant.advance(OFF + 95)
    assert 2.0 < plant.truth("bus.voltage") < 2.4
    plant.advance(OFF + 100)
    assert plant.truth("bus.voltage") < 2.0
    plant.advance(OFF + 400)
    assert plant.truth("bus.voltage") < 0.001


def test_trays_that_are_shut_down_leave_the_bus_live_and_the_batteries_idle():
    plant = rack(batteries=4)
    mains(plant, on=False)
    plant.advance(OFF + 1)
    plant.command("trays", 0)
    plant.advance(OFF + 2)
    assert plant.truth("rack.on") == plant.truth("rack.power") == plant.truth("rack.heat_liquid") == 0
    assert plant.truth("bus.voltage") == pytest.approx(48.5, abs=0.01)
    assert -2.0 < plant.truth("battery.current") <= 0
    for index in range(1, 5):
        plant.command(f"battery[{index}].maximum_discharge", 0)
    plant.advance(OFF + 102)
    assert plant.truth("battery.current") == 0
    assert plant.truth("bus.voltage") < 2.0


def test_discharge_that_is_stopped_takes_the_heat_off_and_stays_off_until_the_mains_are_back():
    plant = rack(batteries=4)
    mains(plant, on=False)
    plant.advance(OFF + 10)
    for index in (1, 2, 3, 4):
        plant.command(f"battery[{index}].maximum_discharge", 0)
    plant.advance(OFF + 10.05)
    assert plant.truth("rack.power") == plant.truth("battery.current") == 0
    assert plant.truth("bus.voltage") < 40
    for index in (1, 2, 3, 4):
        plant.command(f"battery[{index}].maximum_discharge", 240)
    plant.advance(OFF + 20)
    assert plant.truth("battery[1].discharging") == 0
    mains(plant, on=True)
    plant.advance(OFF + 30)
    assert plant.truth("rack.power") == pytest.approx(132e3)
    mains(plant, on=False)
    plant.advance(OFF + 31)
    assert plant.truth("battery[1].discharging") == 1


def test_the_others_carry_what_one_does_not_until_it_is_too_much():
    plant = rack(batteries=4)
    plant.command("battery[1].maximum_discharge", 0)
    mains(plant, on=False)
    plant.advance(OFF + 1)
    assert [plant.truth(f"battery[{k}].discharging") for k in (1, 2, 3, 4)] == [0, 1, 1, 1]
    assert plant.truth("battery[1].current") == 0
    assert plant.truth("rack.power") == pytest.approx(0.75 * 132e3), "three of four: the trays throttle"
    plant.command("battery[2].maximum_discharge", 0)
    plant.command("battery[3].maximum_discharge", 0)
    plant.advance(OFF + 2)
    assert plant.truth("rack.on") == 0, "one of four cannot carry what three did"


def test_too_few_batteries_do_not_take_over():
    plant = rack(batteries=1)
    mains(plant, on=False)
    plant.advance(OFF + 1)
    assert plant.truth("rack.on") == plant.truth("battery[1].discharging") == 0


def test_back_on_the_mains_the_batteries_stand_by_after_200_ms_and_charge():
    plant = rack(batteries=4)
    mains(plant, on=False)
    plant.advance(OFF + 60)
    mains(plant, on=True)
    seconds = 60.0
    while plant.truth("shelf[1].on") + sum(plant.truth(f"shelf[{k}].on") for k in range(2, 9)) == 0:
        seconds += 0.005
        plant.advance(OFF + seconds)
        assert seconds < 62.0
    first = seconds
    plant.advance(OFF + first + 0.19)
    assert plant.truth("battery[1].discharging") == 1
    plant.advance(OFF + first + 0.21)
    assert plant.truth("battery[1].discharging") == 0
    plant.advance(OFF + 70)
    assert plant.truth("battery[1].charging") == 1
    assert plant.truth("battery.current") > 50
    assert plant.truth("pdu.power") == pytest.approx(132e3 + 4 * 33e3 * 240 / 7200, rel=1e-3)
    assert plant.truth("rack.power") == pytest.approx(132e3)
    plant.advance(OFF + 70 + 7200 / 4 + 30)
    assert plant.truth("battery[1].charge") == pytest.approx(100)
    assert plant.truth("pdu.power") == pytest.approx(132e3)


@pytest.mark.parametrize("batteries", [0, 4])
def test_no_joule_is_lost_between_mains_capacitors_batteries_and_loads(batteries):
    """Without heat into the coolant, a rack without outages has the same small residual of the loop."""
    plant, quiet = rack(batteries=batteries, liquid_share=0.0), rack(batteries=batteries, liquid_share=0.0)
    plant.command("eload.current", 300)
    plant.command("eload.on", 1)
    worst, when = 0.0, OFF
    for on, seconds in ((False, 0.03), (True, 5), (False, 60), (True, 3), (False, 400), (True, 4000), (False, 100)):
        mains(plant, on=on)
        plant.command("load", 100 if seconds < 70 else 37)
        for _ in range(20):
            when += seconds / 20
            plant.advance(when)
            quiet.advance(when)
            residuals = [each.balances()["balance.energy_residual"] for each in (plant, quiet)]
            worst = max(worst, abs(residuals[0] - residuals[1]))
    book = plant.balances()
    assert book["balance.electrical"] > 1e8
    assert (book["balance.bus"] < -1e6) == (batteries == 4)
    assert worst < 1.0
    outlets = sum(plant.truth(f"outlet[{i}].energy") for i in SHELVES)
    assert outlets == pytest.approx(book["balance.electrical"] / 3.6e6, rel=1e-9)


def test_energy_is_conserved_with_the_coolant_too():
    plant = rack(batteries=4)
    mains(plant, on=False)
    plant.advance(OFF + 300)
    mains(plant, on=True)
    plant.advance(OFF + 1500)
    book = plant.balances()
    assert abs(book["balance.energy_residual"]) < 1e-3 * book["balance.electrical"]


def outage(chop: float) -> list[dict[str, float]]:
    plant = Plant(replace(RackParameters(), batteries=4), feeds=wired({"a": 8, "b": 8}, 8))
    for feed in "ab":
        for index in SHELVES:
            plant.command(f"{feed}.outlet[{index}]", 1)
    plant.command("load", 80)
    plant.inject("feed_loss:A@30.3")
    plant.inject("feed_loss:B@45.01")
    seen = []
    for second in range(20, 421, 20):
        for step in range(1, round(20 / chop) + 1):
            plant.advance(second - 20 + step * chop)
        seen.append(plant.snapshot())
    return seen


def test_an_outage_does_not_depend_on_how_advance_is_called():
    fine = outage(1.0)
    assert {each["battery[1].discharging"] for each in fine} == {0, 1}
    assert fine[-1]["rack.on"] == 0
    for chop in (0.1, 20.0):
        for one, other in zip(fine, outage(chop), strict=True):
            for name, value in one.items():
                assert other[name] == pytest.approx(value, rel=1e-9, abs=1e-6), name


def test_batteries_that_are_low_last_less_long():
    plant = rack(batteries=4)
    plant.inject("battery_low:10")
    assert plant.truth("battery[3].charge") == pytest.approx(10)
    mains(plant, on=False)
    plant.advance(OFF + 23.5)
    assert plant.truth("rack.power") == pytest.approx(132e3)
    plant.advance(OFF + 24.5)
    assert plant.truth("rack.power") == 0
    with pytest.raises(ValueError, match="no batteries"):
        Plant().inject("battery_low")


def test_a_rack_without_batteries_has_an_empty_bay():
    plant = rack()
    names = [name for name in plant.names() if name.startswith("battery")]
    assert {plant.truth(name) for name in names} == {0.0}
    assert "battery[1].voltage" in names
