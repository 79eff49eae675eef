"""The plant as a whole: reproducible, independent of how it is advanced, heat and mass conserved, cheap."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path

import pytest

from sim.physics import Plant
from tests.unit.sim.physics_rack import powered

NAMES = ("loop.flow", "loop.supply_temperature", "plate.temperature", "pdu.energy", "port[3].octets_in", "bus.voltage")


def story(seed: int = 1, chop: float = 1.0) -> list[dict[str, float]]:
    """Power on, load, a failing pump, a leak and recovery, seen every 20 s."""
    plant = Plant(seed=seed)
    plant.inject("pump_stop:2@200")
    plant.inject("leak", "3", at=300.3)
    for index in range(1, 9):
        plant.command(f"outlet[{index}]", 1)
    seen = []
    for second in range(20, 601, 20):
        for step in range(1, round(20 / chop) + 1):
            plant.advance(second - 20 + step * chop)
        if second == 100:
            plant.command("load", 80)
        seen.append(plant.snapshot() | {f"sensed {name}": plant.sensed(name) for name in NAMES})
    return seen


def test_a_seed_reproduces_everything_and_another_seed_does_not():
    assert story(7) == story(7)
    one, other = story(7)[-1], story(8)[-1]
    assert one["sensed loop.flow"] != other["sensed loop.flow"]
    assert one["loop.flow"] == pytest.approx(other["loop.flow"], rel=1e-3)


@pytest.mark.parametrize("chop", [0.1, 5.0, 20.0])
def test_results_do_not_depend_on_how_advance_is_called(chop):
    for fine, coarse in zip(story(chop=1.0), story(chop=chop), strict=True):
        for name, value in fine.items():
            assert coarse[name] == pytest.approx(value, rel=1e-9, abs=1e-6), name


def test_advance_is_idempotent_and_never_goes_back():
    plant = powered(60, until=100.3)
    before = plant.snapshot()
    plant.advance(100.3)
    plant.advance(50.0)
    assert plant.snapshot() == before
    assert plant.time == 100.3
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="finite"):
            plant.advance(bad)


def test_order_and_number_of_reads_change_nothing():
    one, two = powered(70, until=120), powered(70, until=120)
    forth = {name: one.sensed(name) for name in NAMES}
    for _ in range(3):
        back = {name: two.sensed(name) for name in reversed(NAMES)}
    assert forth == back
    one.advance(121)
    assert one.sensed("loop.flow") != forth["loop.flow"]


def test_energy_and_mass_are_conserved():
    plant = powered(until=600)
    plant.inject("leak:5")
    plant.command("load", 20)
    plant.advance(900)
    plant.inject("pump_stop")
    plant.inject("fws_step", "4")
    plant.command("load", 100)
    plant.command("eload.current", 200)
    plant.command("eload.on", 1)
    plant.advance(1800)
    book = plant.balances()
    assert book["balance.electrical"] > 1e8
    assert abs(book["balance.energy_residual"]) < 0.005 * book["balance.electrical"]
    outlets = sum(plant.truth(f"outlet[{i}].energy") for i in range(1, 9))
    assert outlets == pytest.approx(book["balance.electrical"] / 3.6e6, rel=1e-9)
    assert book["balance.mass_lost"] > 1.0
    assert book["balance.mass_lost"] == pytest.approx(plant.truth("leak.volume") * 1.01e-3, rel=0.01)
    assert abs(book["balance.mass_residual"]) < 0.005 * book["balance.mass_initial"]


def test_settled_heat_leaves_where_it_should():
    plant = powered(until=2000)
    before = plant.balances()
    plant.advance(3000)
    after = {name: value - before[name] for name, value in plant.balances().items()}
    assert after["balance.electrical"] == pytest.approx(132e6, rel=1e-6)
    assert after["balance.air"] == pytest.approx(0.13 * 132e6, rel=1e-6)
    assert after["balance.facility"] == pytest.approx(0.87 * 132e6 + after["balance.friction"], rel=1e-4)
    assert abs(after["balance.energy_residual"]) < 1e-4 * 132e6


def test_sensors_lag_and_scatter_around_the_truth():
    plant = powered(until=1500)
    values = []
    for step in range(400):
        plant.advance(1500 + step)
        values.append(plant.sensed("loop.flow") - plant.truth("loop.flow"))
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
    assert abs(mean) < 0.15
    assert deviation == pytest.approx(0.005 * 172, rel=0.15)
    plant.command("load", 0)
    plant.advance(plant.time + 12)
    gap = plant.sensed("loop.return_temperature") - plant.truth("loop.return_temperature")
    assert gap > 0.8, "an RTD of 5 s shows the fall later"
    assert plant.sensed("outlet[2].state") == 1.0


def test_unknown_names_say_what_is_near():
    plant = Plant()
    with pytest.raises(ValueError, match=r"loop\.flow"):
        plant.truth("loop.flwo")
    with pytest.raises(ValueError, match=r"loop\.flow"):
        plant.sensed("loop.flwo")
    with pytest.raises(ValueError, match=r"pump\.speed"):
        plant.command("pump.sped", 1)
    for name, value in (("load", 101), ("load", math.nan), ("flow.setpoint", 0), ("outlet[1]", -1)):
        with pytest.raises(ValueError, match="takes"):
            plant.command(name, value)


def test_every_name_reads_finite_before_and_after_power_on():
    plant = Plant()
    for _ in range(2):
        for name, unit in plant.names().items():
            if not name.endswith(".result"):  # there is none before a round has ended
                assert math.isfinite(plant.truth(name)), name
                assert math.isfinite(plant.sensed(name)), name
            assert isinstance(unit, str)
        plant = powered(until=60)
    snapshot = json.loads(json.dumps(plant.snapshot(), allow_nan=False))
    assert snapshot["outlet[8].state"] == 1
    assert {"rack.power", "plate.temperature", "pump[2].speed", "balance.energy_residual"} <= snapshot.keys()


def test_every_command_can_be_given():
    plant = powered(40, until=60)
    for name in plant.commands():
        low = {
            "flow.setpoint": 150.0,
            "supply_temperature.setpoint": 34.0,
            "differential_pressure.setpoint": 50.0,
            "gas.setpoint": 300.0,
            "hipot.limit": 0.001,
        }
        value = 50.1 if name.endswith("voltage_setpoint") else low.get(name, 1.0)
        plant.command(name, value)
        plant.advance(plant.time + 0.3)


def test_counters_never_run_backwards():
    plant = powered(0, until=0.05)
    names = ("pdu.energy", "outlet[3].energy", "port[5].octets_in", "port[5].errors_in", "switch.uptime")
    last = dict.fromkeys(names, 0.0)
    plant.inject("ber_drift:5@10")
    plant.inject("link_flap:5@30")
    plant.inject("both_pumps_stop@40")
    for step in range(1, 700):
        if step % 50 == 0:
            plant.command("load", step % 100)
            plant.command("outlet[3]", step // 50 % 2)
        plant.advance(step * 0.137)
        for name in names:
            value = plant.truth(name)
            assert value >= last[name], (name, plant.time)
            last[name] = value


def test_it_is_cheap_enough_for_a_day_in_seconds():
    path = Path(__file__).parents[3] / "bench" / "plant.py"
    spec = importlib.util.spec_from_file_location("bench_plant", path)
    assert spec is not None
    assert spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    assert bench.measure(300.0)["steady"] < 120.0
