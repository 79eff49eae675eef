"""The trays as branches: closed forms judge how flow divides, what is warm, and what trays do when they are hot."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean, stdev

import numpy as np
import pytest

from sim.physics import Plant, RackParameters
from sim.physics.coolant import pg25_density, pg25_heat
from sim.physics.trays import SPREAD, Trays
from tests.unit.sim.physics_rack import KIND, powered, watch

LITRE = 1 / 60000


def settled(fault: str = "", kind: RackParameters = KIND, seconds: float = 600.0) -> Plant:
    plant = powered(kind=kind)
    if fault:
        plant.inject(fault)
    plant.advance(plant.time + seconds)
    return plant


def seen(plant: Plant, what: str) -> list[float]:
    return [plant.truth(f"tray[{k}].{what}") for k in range(1, 28)]


def test_branches_carry_all_flow_and_power_and_their_mixture_is_what_returns():
    plant = settled()
    flow, power, out = seen(plant, "flow"), seen(plant, "power"), seen(plant, "outlet_temperature")
    assert sum(flow) == pytest.approx(plant.truth("loop.flow"), rel=1e-9)
    assert sum(power) == pytest.approx(plant.truth("rack.power"), rel=1e-9)
    mixture = sum(q * t for q, t in zip(flow, out, strict=True)) / sum(flow)
    assert mixture == pytest.approx(plant.truth("loop.return_temperature"), abs=0.005)
    for k in (0, 17, 18, 26):
        heat = pg25_density(40) * pg25_heat(40) * flow[k] * LITRE
        friction = 0.025  # K of the loop's pressure drop
        assert out[k] - 35.0 == pytest.approx(0.87 * power[k] / heat + friction, rel=2e-3)
        assert seen(plant, "plate_temperature")[k] > out[k]


def test_the_first_tray_of_a_manifold_gets_more_and_the_last_one_less():
    flow = seen(settled(), "flow")
    compute, switch = flow[:18], flow[18:]
    for group in (compute, switch):
        assert group[0] / group[len(group) // 2] == pytest.approx(1.05, abs=0.006)
        assert group == sorted(group, reverse=True)
    assert fmean(compute) / fmean(switch) == pytest.approx(2.0, rel=1e-3)


@pytest.mark.parametrize("exponent", [1.7, 2.0])
def test_what_a_blocked_branch_does_to_the_pressure_drop(exponent):
    """With dp = K q^n in each branch, losing the share s of what is open raises the drop by (1-s)^-n."""
    kind = replace(KIND, rack_exponent=exponent)
    good, bad = settled(kind=kind, seconds=60), settled("tray_blocked:9", kind, 60)
    share = good.truth("tray[9].flow") / good.truth("loop.flow")
    ratio = bad.truth("loop.differential_pressure") / good.truth("loop.differential_pressure")
    assert ratio == pytest.approx((1 - share) ** -exponent, rel=2e-3)
    rest = bad.truth("tray[4].flow") / good.truth("tray[4].flow")
    assert rest == pytest.approx(1 / (1 - share), rel=1e-3)


def test_a_half_seated_coupling_takes_half_the_flow_when_turbulent():
    good, bad = settled(), settled("qd_half:7")
    share = good.truth("tray[7].flow") / good.truth("loop.flow")
    assert bad.truth("tray[7].flow") == pytest.approx(good.truth("tray[7].flow") / 2 / (1 - share / 2), rel=1e-3)
    rise = [plant.truth("tray[7].outlet_temperature") - 35.02 for plant in (bad, good)]
    assert rise[0] == pytest.approx(rise[1] * 2 * (1 - share / 2), rel=2e-3)
    assert bad.truth("loop.return_temperature") == pytest.approx(good.truth("loop.return_temperature"), abs=0.01)


def test_a_bypass_is_seen_by_the_pressure_drop_alone():
    good, bad = settled(), settled("bypass:0.2")
    ratio = bad.truth("loop.differential_pressure") / good.truth("loop.differential_pressure")
    assert ratio == pytest.approx(0.8**2, rel=2e-3)
    assert sum(seen(bad, "flow")) == pytest.approx(0.8 * bad.truth("loop.flow"), rel=1e-6)
    assert bad.truth("loop.return_temperature") == pytest.approx(good.truth("loop.return_temperature"), abs=0.01)
    assert bad.truth("tray[2].outlet_temperature") > good.truth("tray[2].outlet_temperature") + 2


def test_a_junction_is_above_its_plate_by_its_power():
    good, bad = settled(), settled("tim_bad:5=1.3")
    power = good.truth("tray[5].power") * 0.74 / 4
    rise = good.truth("tray[5].junction_temperature") - good.truth("tray[5].plate_temperature")
    assert rise == pytest.approx(power * KIND.junction_resistance, rel=1e-6)
    assert rise == pytest.approx(20.0, abs=0.5)
    worse = bad.truth("tray[5].junction_temperature") - bad.truth("tray[5].plate_temperature")
    assert worse == pytest.approx(1.3 * rise, rel=1e-6)


def test_a_hot_tray_throttles_alone_and_holds_its_junction():
    """Solved by hand: t = 1 - (Tj - 87) / 5 and Tj = Tp + R P(t) hold together."""
    plant = settled("tim_bad:18=1.9")
    assert [k for k, on in enumerate(seen(plant, "throttling"), 1) if on] == [18]
    junction = plant.truth("tray[18].junction_temperature")
    runs = (plant.truth("tray[18].power") / plant.truth("tray[17].power") - 25 / 132) / (107 / 132)
    assert runs == pytest.approx(1 - (junction - 87) / 5, abs=1e-3)
    assert 87 < junction < 92
    assert plant.truth("rack.throttling") == 1
    assert plant.truth("rack.load") == pytest.approx(100 - 100 * (1 - runs) / 20.25, abs=0.05)


def test_a_tray_without_coolant_switches_itself_off_and_the_others_go_on():
    plant = powered()
    plant.inject("tray_blocked:3")
    hottest = max(value for _, value in watch(plant, "tray[3].junction_temperature", 300, 0.5))
    assert plant.truth("tray[3].on") == plant.truth("tray[3].power") == 0
    assert 94.9 < hottest < 96
    assert sum(seen(plant, "on")) == 26
    assert plant.truth("rack.on") == 1
    plant.clear("tray_blocked")
    plant.advance(plant.time + 60)
    assert plant.truth("tray[3].on") == 0, "it stays off until the rack has had no power"


def test_a_tray_is_forced_off_and_let_run_again():
    plant = powered()
    plant.command("tray[4].run", 0)
    plant.advance(plant.time + 60)
    assert (plant.truth("tray[4].on"), plant.truth("tray[4].power")) == (0, 0)
    assert plant.truth("rack.power") == pytest.approx(132e3 * (1 - 1 / 20.25), rel=1e-6)
    plant.command("tray[4].run", 1)
    plant.advance(plant.time + 60)
    assert plant.truth("rack.power") == pytest.approx(132e3)


def test_an_air_pocket_is_carried_off_by_flow_and_stays_without():
    fast, slow = powered(), powered()
    slow.command("flow.setpoint", 120)
    for plant in (fast, slow):
        plant.advance(1200)
        plant.inject("air_pocket:6=0.6")

    def film(plant: Plant) -> float:
        return float(plant.rack.trays.air[5])

    for minutes in (10, 20):
        fast.advance(1200 + 60 * minutes)
        assert film(fast) == pytest.approx(0.6 * math.exp(-minutes / 10), rel=0.02)
    slow.advance(2400)
    assert film(slow) == 0.6
    clean = settled(seconds=1200)
    fast.advance(9000)
    assert film(fast) == 0.0
    name = "tray[6].plate_temperature"
    assert fast.truth(name) == pytest.approx(clean.truth(name), abs=0.02)


def test_a_wet_tray_is_told_alone_until_it_runs_over():
    plant = powered()
    plant.inject("tray_leak:9=1")
    plant.advance(plant.time + 11)
    assert plant.truth("tray[9].leak") == 0, "10 mL, and two seconds of latency"
    plant.advance(plant.time + 2)
    assert [k for k, wet in enumerate(seen(plant, "leak"), 1) if wet] == [9]
    assert plant.truth("leak.rack") == 0
    plant.advance(plant.time + 330)
    assert plant.truth("leak.rack") == 1
    assert plant.truth("leak.volume") == pytest.approx(343, rel=0.02)


def test_steps_of_any_length_end_in_the_same_state():
    """A step is exact for constant inputs: one of 8 s, 160 of 50 ms, and Euler in 0.1 ms agree."""
    ends = []
    for h in (8.0, 0.05):
        trays = Trays(KIND, 30.0, 1, 1.0)
        power = trays.idle + trays.dynamic
        for k in range(round(8.0 / h)):
            trays.step(h, power, is_new=k == 0, inlet=33.0, flow=172 * LITRE, volume_heat=4.0e6)
        ends.append(np.concatenate((trays.plates, trays.fluids)))
    assert ends[0] == pytest.approx(ends[1], rel=1e-10)
    trays = Trays(KIND, 30.0, 1, 1.0)
    plate = coolant = 30.0
    q = trays.share[0] * 172 * LITRE
    film = float(trays._film_now[0])
    volume, capacity = float(trays._volume[0]), float(trays._capacity[0])
    for _ in range(80_000):
        heat = film * (plate - coolant)
        plate += 1e-4 * (0.87 * power[0] - heat) / capacity
        coolant += 1e-4 * (heat + 4.0e6 * q * (33.0 - coolant)) / (4.0e6 * volume)
    assert (plate, coolant) == pytest.approx((ends[0][0], ends[0][27]), abs=2e-3)


@pytest.mark.parametrize(
    ("what", "deviation"),
    [("_film", SPREAD["conductance"]), ("idle", SPREAD["power"]), ("_resistance", SPREAD["junction"])],
)
def test_trays_have_the_spread_that_they_claim(what, deviation):
    """150 racks of 27 trays: the relative deviation from the kind within 8 %."""
    kind = getattr(Trays(KIND, 30.0, 1, 0.0), what)
    found = [value for seed in range(150) for value in getattr(Trays(KIND, 30.0, seed, 1.0), what) / kind]
    assert stdev(found) == pytest.approx(deviation, rel=0.08)
    assert fmean(found) == pytest.approx(1.0, abs=0.01)


def test_spread_of_trays_leaves_the_rack_what_it_is():
    for seed in range(5):
        trays = Trays(KIND, 30.0, seed, 1.0)
        assert trays.hydraulic == pytest.approx(1.0)
        assert (trays.idle + trays.dynamic).sum() == pytest.approx(132e3)
        assert trays.share.sum() == pytest.approx(1.0)
