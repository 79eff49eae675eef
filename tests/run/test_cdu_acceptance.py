"""The acceptance of a coolant distribution unit: good units pass, what it is for is found, leaks are in the truth."""

from __future__ import annotations

import pytest

from harness.limits.verdict import Verdict
from sim.physics import RackParameters
from sim.physics.spread import rack_of_seed
from tests.operators import Hands
from tests.plan_runs import PLANS, run_plan

PLAN, BENCH = PLANS / "cdu_acceptance.yaml", PLANS / "stations" / "cdu_bench.yaml"


@pytest.fixture
def bench(tmp_path):
    """The bay, with racks and instruments that differ from seed to seed."""
    station = tmp_path / "station.yaml"
    station.write_text(BENCH.read_text().replace("rack: 132kW, seed: 1", "rack: 132kW, spread: 1"))
    return station


def accepted(folder, station=BENCH, hands=None, **more):
    hands = hands or Hands()
    return run_plan(PLAN, folder / "data", station=station, during=hands.meet, prompter=hands.answer, **more)


def is_good(ran, seed):
    assert ran.outcome.verdict is Verdict.PASS, ran.reason
    assert ran.on == []
    (balance,) = ran.step("heat balance").measurements
    true = 100 * rack_of_seed(RackParameters(), seed, 1.0).liquid_share + 0.22  # friction of the pumps
    return abs(balance.value - true) <= balance.uncertainty


@pytest.mark.parametrize("seed", [501, pytest.param(502, marks=pytest.mark.slow)])
def test_a_good_unit_passes(tmp_path, bench, seed):
    hands = Hands()
    ran = accepted(tmp_path, bench, hands, seed=seed)
    assert is_good(ran, seed)
    assert len(hands.asked) == 4
    names = {m.name: m.value for s in ran.outcome.result.steps for m in s.measurements}
    for pump in ("pump 1", "pump 2"):
        assert 5 < names[f"failover: {pump}: flow lost"] < 25, "of the truth 14 %"
        assert names[f"failover: {pump}: flow back after"] < 20


@pytest.mark.slow
def test_thirty_good_units_pass_and_their_balances_hold_their_uncertainty(tmp_path, bench):
    within = [is_good(accepted(tmp_path / str(seed), bench, seed=seed), seed) for seed in range(600, 630)]
    assert sum(within) >= 29


FAULTS = [
    ("filter_clog:2", 1, ["filter"]),
    ("pump_stop:1", 1, ["pumps", "cdu.pump[1].rpm"]),
    ("pump_degraded:2=0.2", 1, ["pump 1"]),
    pytest.param("hx_fouled:0.75", 1, ["load step: overshoot"], marks=pytest.mark.slow),
    ("sensor_offset:filter.differential_pressure=5", 1, ["zero of the pressures", "filter_pressure_drop"]),
    ("sensor_offset:cdu.return_temperature=3", 1, ["zero of the thermometers"]),
    ("sensor_offset:loop.supply_temperature=0.45", 1, ["zero of the thermometers", "less", "limit -0.424"]),
    ("leak:rack", 1, ["leak sensors", "before rack is touched"]),
    ("device_silent:cdu@200s", 3, ["cdu"]),
]


@pytest.mark.parametrize(("fault", "code", "named"), FAULTS, ids=str)
def test_what_is_wrong_is_found(tmp_path, fault, code, named):
    ran = accepted(tmp_path, faults=[fault])
    assert ran.exit_code == code, ran.reason
    for word in named:
        assert word in ran.reason
    assert ran.on == []


@pytest.mark.parametrize("zone", ["rack", "cdu"])
def test_a_leak_sensor_that_sees_nothing_is_found(tmp_path, zone):
    ran = accepted(tmp_path, hands=Hands(dead=zone))
    assert ran.outcome.verdict is Verdict.FAIL, ran.reason
    assert f"leak sensors: {'unit' if zone == 'cdu' else 'rack'}: detected after" in ran.reason
    assert not any("outlet" in text and " on" in text for text in ran.texts("intent")), "nothing was energised"


@pytest.mark.slow
def test_a_leak_under_power_trips_here_too(tmp_path):
    ran = accepted(tmp_path, faults=["leak:rack=20@900s"])
    assert (ran.outcome.verdict, ran.outcome.result.safe_state.name) == (Verdict.TRIPPED, "leak"), ran.reason
    assert ran.on == []


def test_unattended_it_says_what_nobody_did_first(tmp_path):
    """Nobody makes the sensor wet; that nobody dries it afterwards either is no cause."""
    ran = run_plan(PLAN, tmp_path / "data", station=BENCH)
    assert ran.outcome.verdict is Verdict.ERROR
    assert "asks the operator 'Make the leak sensor of the rack wet.'" in ran.reason
