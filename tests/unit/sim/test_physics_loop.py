"""The coolant loop against the check values of the reference loop (same equations, fixed 50 ms steps, bisection)."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from sim.physics import Plant
from sim.physics.coolant import pg25_density, pg25_heat, pg25_viscosity
from sim.physics.exchanger import duty, effectiveness
from sim.physics.hydraulics import parallel_flow, pump_flow
from sim.physics.rack_classes import for_power
from tests.unit.sim.physics_rack import ONE_VOLUME, SETTLED, STEP_FROM, powered, watch

LITRE = 1 / 60000


@pytest.mark.parametrize(
    ("temperature", "density", "heat", "viscosity"),
    [(20, 1019.3, 3920, 2.445), (35, 1012.5, 3957, 1.542), (45, 1007.2, 3981, 1.199), (60, 998.4, 4016, 0.878)],
)
def test_pg25_follows_its_table(temperature, density, heat, viscosity):
    assert pg25_density(temperature) == pytest.approx(density, rel=2e-4)
    assert pg25_heat(temperature) == pytest.approx(heat, rel=5e-4)
    assert pg25_viscosity(temperature) == pytest.approx(viscosity, rel=5e-3)


@pytest.mark.parametrize(
    "speeds", [(0.6, 0.6), (0.9, 0.6), (0.7, 0.68), (1.0, 0.0), (0.5, 0.95), (0.0, 0.0), (0.62, 0.3)]
)
def test_parallel_pumps_obey_their_curves_and_check_valves(speeds):
    curve, resistance = 7.2e9, 1.25e10
    heads = [300e3 * speed**2 for speed in speeds]
    flow = parallel_flow(*heads, curve, resistance)
    drop = resistance * flow * flow
    assert sum(pump_flow(head, drop, curve) for head in heads) == pytest.approx(flow, rel=1e-9, abs=1e-12)
    assert parallel_flow(heads[1], heads[0], curve, resistance) == flow


def test_exchanger_check_case():
    # 150 kW, 225 L/min PG25 against 240 L/min water at 31 degC: supply 35, NTU 2.23, effectiveness 0.714
    hot, cold = 225 * LITRE * 1012.5 * 3957, 240 * LITRE * 997 * 4180
    assert effectiveness(33.5e3 / hot, hot / cold) == pytest.approx(0.714, abs=0.005)
    return_temperature = 35 + 150e3 / hot
    assert duty(33.5e3, hot, cold, return_temperature - 31.0) == pytest.approx(150e3, rel=0.01)
    assert effectiveness(2.0, 1.0) == pytest.approx(2 / 3)
    assert duty(33.5e3, hot, 0.0, 10.0) == 0.0


def test_it_rests_alive_at_zero_load():
    plant = Plant()
    before = plant.truth("loop.supply_temperature")
    assert plant.truth("loop.flow") == pytest.approx(172.0, rel=1e-3)
    plant.advance(3600)
    assert plant.truth("loop.supply_temperature") == pytest.approx(before, abs=0.1)
    assert 30.0 < before < 35.0
    assert plant.truth("rack.power") == 0.0
    assert plant.truth("pump[1].speed") == pytest.approx(62, rel=0.02)


def test_full_load_settles_where_the_reference_does():
    plant = powered()
    assert plant.truth("loop.flow") == pytest.approx(172.0, rel=0.001)
    assert plant.truth("loop.supply_temperature") == pytest.approx(35.0, abs=0.05)
    assert plant.truth("loop.return_temperature") == pytest.approx(45.03, abs=0.1)
    assert plant.truth("plate.temperature") == pytest.approx(49.61, abs=0.1)
    assert plant.truth("loop.differential_pressure") == pytest.approx(60 * (1.353 / 1.542) ** 0.25, rel=0.01)
    heat = plant.truth("loop.flow") * 4.006e6 * LITRE * (45.03 - 35.01)
    assert plant.truth("loop.heat") == pytest.approx(0.87 * 132e3, rel=1e-3)
    assert heat == pytest.approx(plant.truth("loop.heat"), rel=0.01)


def test_one_pump_lost_dips_and_recovers():
    plant = powered()
    supply, plate = plant.truth("loop.supply_temperature"), plant.truth("plate.temperature")
    plant.inject("pump_stop")
    flows, supplies, plates = {}, [], []
    for second, flow in watch(plant, "loop.flow", 120):
        flows[round(second, 1)] = flow
        supplies.append(plant.truth("loop.supply_temperature") - supply)
        plates.append(plant.truth("plate.temperature") - plate)
    assert min(flows.values()) == pytest.approx(148.1, rel=0.02)
    for second, expected in {5: 159.9, 10: 163.8, 15: 166.4, 30: 170.2, 60: 171.8}.items():
        assert flows[second] == pytest.approx(expected, rel=0.01)
    after_dip = [second for second, flow in flows.items() if second > 3 and flow >= 0.95 * 172]
    assert after_dip[0] == pytest.approx(9.4, rel=0.1)
    # the reference has no dead time, which has the supply dip later and lower (plug flow: -0.46 K)
    assert -0.46 < min(supplies) < -0.22
    assert max(plates) == pytest.approx(0.7, abs=0.25)
    assert plant.truth("pump[1].speed") == 0.0
    assert plant.truth("pump[2].speed") == pytest.approx(73, rel=0.1)


def test_load_step_raises_plate_and_overshoots_supply():
    plant, mixed = powered(STEP_FROM), powered(STEP_FROM, kind=ONE_VOLUME)
    plate = mixed.truth("plate.temperature")
    assert plant.truth("loop.return_temperature") == pytest.approx(38.07, abs=0.15)
    plant.command("load", 100)
    mixed.command("load", 100)
    plates = {round(second, 1): value - plate for second, value in watch(mixed, "plate.temperature", 20)}
    supplies = {round(second, 1): value - 35 for second, value in watch(plant, "loop.supply_temperature", 200)}
    for second, expected in {5: 4.72, 10: 6.52, 15: 7.80, 20: 8.77}.items():  # until the supply comes in
        assert plates[second] == pytest.approx(expected, rel=0.1)
    # mixed volumes alone give 1.08 K, plug flow alone 2.5 K: lines are in between, and when it peaks too
    peak = max(supplies, key=supplies.__getitem__)
    assert 1.08 < supplies[peak] < 2.5
    assert peak == pytest.approx(29.5, abs=3)  # 31 s and 28 s
    assert abs(supplies[120]) < 0.25


def test_both_pumps_lost_heats_the_plate():
    plant = powered(kind=ONE_VOLUME)
    plate = plant.truth("plate.temperature")
    plant.inject("both_pumps_stop")
    rises, flows = {}, {}
    for second, value in watch(plant, "plate.temperature", 40):
        rises[round(second, 1)] = value - plate
        flows[round(second, 1)] = plant.truth("loop.flow")
    for second, expected in {5: 7.25, 10: 20.73, 15: 31.12}.items():
        assert rises[second] == pytest.approx(expected, rel=0.03)
    assert next(second for second, flow in flows.items() if flow < 17.2) == pytest.approx(4.7, rel=0.1)
    assert plant.truth("rack.throttling") == 0


def test_trays_protect_themselves_when_both_pumps_are_lost():
    plant = powered()
    plate = plant.truth("plate.temperature")
    plant.inject("both_pumps_stop")
    seen = {}
    for second, value in watch(plant, "plate.temperature", 40):
        seen[round(second, 1)] = value - plate, max(plant.rack.trays.junctions), plant.truth("rack.throttling")
    first = next(second for second, (_, _, throttling) in seen.items() if throttling)
    assert 5 < first < 9, "junctions are 20 K above their plates: they throttle at a plate of 67 degC"
    assert seen[15][0] < 31.1 - 3, "without throttling the plates would be 31 K warmer by then"
    assert max(junction for _, junction, _ in seen.values()) < 92.5, "nothing is left of the workload there"
    plant.advance(SETTLED + 900)
    assert plant.truth("rack.on") == 0, "idle power alone ends in the thermal trip"
    assert plant.truth("rack.power") == 0
    assert plant.truth("plate.temperature") < 96


@pytest.mark.parametrize(("reaction", "expected"), [(2, 1.6), (5, 7.1), (10, 20.6), (15, 31.0)])
def test_power_off_after_a_pump_trip_limits_the_plate(reaction, expected):
    plant = powered(kind=ONE_VOLUME)
    plate = plant.truth("plate.temperature")
    plant.inject("both_pumps_stop")
    plant.advance(SETTLED + reaction)
    for index in range(1, 9):
        plant.command(f"shelf[{index}].force_ac_loss", 1)
    rise = max(value for _, value in watch(plant, "plate.temperature", 60)) - plate
    assert rise == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(("reaction", "expected"), [(2, 24.5), (5, 26.4), (10, 29.6), (15, 32.8)])
def test_workload_off_is_not_a_safe_end(reaction, expected):
    plant = powered(kind=ONE_VOLUME)
    plate = plant.truth("plate.temperature")
    plant.inject("both_pumps_stop")
    plant.advance(SETTLED + reaction)
    plant.command("load", 0)
    plant.advance(SETTLED + 149.9)
    before = plant.truth("plate.temperature")
    assert before - plate == pytest.approx(expected, rel=0.1)
    plant.advance(SETTLED + 160)
    assert plant.truth("plate.temperature") > before


def test_pressure_goes_with_the_square_of_flow():
    plant = Plant()
    plant.command("pump.mode", 0)
    points = []
    for index, percent in enumerate((40, 55, 70, 85, 100), start=1):
        plant.command("pump.speed", percent)
        plant.advance(index * 60.0)
        points.append((math.log(plant.truth("loop.flow")), math.log(plant.truth("loop.differential_pressure"))))
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(points)]
    assert slopes == pytest.approx([2.0] * 4, abs=0.01)
    speeds = [math.exp(flow) / percent for (flow, _), percent in zip(points, (40, 55, 70, 85, 100), strict=True)]
    assert speeds == pytest.approx([speeds[0]] * 5, rel=1e-3), "affinity: flow goes with speed"


def test_controllers_reach_their_setpoints():
    plant = powered(50)
    plant.command("flow.setpoint", 140)
    plant.command("supply_temperature.setpoint", 36)  # at 38 the valve hunts, see test_little_flow_lets_the_valve_hunt
    plant.advance(1800)
    assert plant.truth("loop.flow") == pytest.approx(140, rel=1e-3)
    assert plant.truth("loop.supply_temperature") == pytest.approx(36, abs=0.1)
    plant.command("pump.mode", 2)
    plant.command("differential_pressure.setpoint", 70)
    plant.advance(2400)
    assert plant.truth("loop.differential_pressure") == pytest.approx(70, rel=1e-3)


def test_little_flow_lets_the_valve_hunt():
    """Dead time grows as flow falls: gains that are right at 172 L/min are too high at 67, in plug flow too."""

    def swing(flow: float) -> float:
        plant = powered()
        plant.command("flow.setpoint", flow)
        plant.advance(1800)
        seen = [value for _, value in watch(plant, "loop.supply_temperature", 200, 1.0)]
        return max(seen) - min(seen)

    assert swing(172) < 0.05
    assert swing(67) > 5


def test_isolation_stops_flow_and_pumps_press_against_it():
    plant = Plant()
    plant.command("valve.isolate", 1)
    plant.advance(20)
    assert plant.truth("loop.flow") == 0
    assert plant.truth("loop.supply_pressure") > plant.truth("loop.return_pressure") + 100
    plant.command("valve.isolate", 0)
    plant.advance(80)
    assert plant.truth("loop.flow") == pytest.approx(172, rel=0.01)


@pytest.mark.parametrize(("kilowatts", "nearest"), [(100, 132), (190, 250)])
def test_a_power_between_two_classes_is_the_nearest_one_scaled(kilowatts, nearest):
    """Temperatures, pressures and the shares of shelves stay; powers and flows go with the power."""
    rack, kind = (powered(kind=for_power(each)) for each in (kilowatts, nearest))
    for name in ("loop.differential_pressure", "plate.temperature", "tray[1].junction_temperature", "bus.voltage"):
        assert rack.truth(name) == pytest.approx(kind.truth(name), rel=1e-3), name
    for name in ("rack.power", "loop.flow", "facility.flow", "shelf[1].output_power"):
        assert rack.truth(name) == pytest.approx(kind.truth(name) * kilowatts / nearest, rel=2e-3), name
    assert rack.truth("rack.power") == pytest.approx(kilowatts * 1e3)


@pytest.mark.parametrize("kilowatts", [0, -30])
def test_a_rack_has_a_power(kilowatts):
    with pytest.raises(ValueError, match="positive"):
        for_power(kilowatts)
