"""The wet static hold on the coolant unit, and the drained rack on the leak tester, by the truth of the simulation."""

from __future__ import annotations

import pytest

from harness.errors import HarnessError
from tests.plan_runs import PLANS, run_plan, write_plan

GAS = PLANS / "stations" / "leak_test.yaml"
AGAIN = "cleanup:\n- {step: set, name: pumps on, control: cdu.pump, to: 'on'}"
HOLD = """\
- {step: set, name: pumps off, control: cdu.pump, to: "off"}
- step: wait_until
  name: nothing flows
  signal: cdu.flow
  max: 2 L/min
  for: 5 s
  within: 60 s
- step: wet_hold
  name: wet hold
  pressure: cdu.return_pressure
  temperature: cdu.return_temperature
  per_kelvin: 0.2 kPa
  per_kelvin_uncertainty: 50 %
  pressure_walk: 0.2 kPa
  at_least: 140 kPa
  stabilise: 30 s
  over: 2 min
  limit: {max: 1.5 kPa}
  watch:
    - {signal: cdu.leak, equals: dry}
    - {signal: cdu.flow, max: 5 L/min}
"""


@pytest.fixture
def spread(tmp_path):
    """The simulated station, each seed a rack of its own."""
    path = tmp_path / "station.yaml"
    text = (PLANS / "stations" / "simulated.yaml").read_text()
    path.write_text(text.replace("rack: 132kW, seed: 1", "rack: 132kW, spread: 1"))
    return path


def held(spread, tmp_path, seed: int, *faults: str):
    return run_plan(write_plan(tmp_path, HOLD, AGAIN), tmp_path / "data", station=spread, seed=seed, faults=faults)


@pytest.mark.parametrize("seed", [41, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(60, 65))])
def test_a_tight_rack_holds_its_pressure_and_its_pumps_run_again(seed, spread, tmp_path):
    ran = held(spread, tmp_path, seed)
    assert ran.outcome.verdict == "PASS", ran.reason
    drop = next(each for each in ran.step("wet hold").measurements if each.name == "wet hold: drop")
    assert abs(drop.value) < 0.5
    assert ran.later["pump[1].running"] == 1.0


def test_what_no_leak_sensor_sees_the_pressure_shows(spread, tmp_path):
    """4 mL/s for 120 s at 5 kPa/L is 2.4 kPa; the sensor in the pan says nothing."""
    ran = held(spread, tmp_path, 44, "sensor_stuck:leak.cdu=0@1s", "leak:cdu=4@60s")
    assert ran.outcome.verdict == "FAIL"
    drop = next(each for each in ran.step("wet hold").measurements if each.name == "wet hold: drop")
    assert drop.value == pytest.approx(2.3, abs=0.5)


@pytest.mark.slow
def test_a_leak_that_a_sensor_sees_ends_it_at_once(spread, tmp_path):
    ran = held(spread, tmp_path, 45, "leak:cdu=2@80s")
    assert ran.outcome.verdict == "TRIPPED"
    assert "leak" in ran.reason


def test_a_rack_that_is_not_under_pressure_proves_nothing(spread, tmp_path):
    plan = write_plan(tmp_path, HOLD.replace("at_least: 140 kPa", "at_least: 300 kPa"))
    ran = run_plan(plan, tmp_path / "data", station=spread)
    assert ran.outcome.verdict == "FAIL"
    assert "when the hold begins, must be 300 kPa at least" in ran.reason


@pytest.mark.parametrize(
    ("faults", "verdict", "said"),
    [
        ([], "PASS", "all within limits"),
        (["sensor_stuck:leak.cdu=0@1s", "leak:cdu=4@120s"], "FAIL", "static pressure holds: drop"),
        (["leak:cdu=2@60s"], "TRIPPED", "cdu.leak is wet"),
    ],
)
def test_the_plan_of_the_wet_hold_finds_what_drips_with_and_without_a_detector(faults, verdict, said, tmp_path):
    ran = run_plan(PLANS / "wet_leak_test.yaml", tmp_path / "data", faults=faults, seed=46)
    assert ran.outcome.verdict == verdict, ran.reason
    assert said in ran.reason
    assert ran.on == []
    assert (ran.later["pump[1].running"] == 1.0) is (verdict != "TRIPPED")


DRY = """\
- {step: set, name: regulator, control: gas.pressure_setpoint, to: 150 kPa}
- {step: set, name: blow through, control: gas.fill, to: "on"}
- step: drain_check
  name: drained
  dew_point: gas.exhaust_dew_point
  limit: {max: -20 degC}
  over: 60 s
  within: 10 min
  temperature: gas.temperature_1
  volume: 60 L
  mass_limit: {max: 0.1 g}
- step: pressure_release
  name: released
  valves:
    - {control: gas.fill, to: "off"}
    - {control: gas.isolation, to: open}
    - {control: gas.vent, to: open}
  pressure: gas.pressure
  below: 105 kPa
  within: 5 min
"""


@pytest.mark.parametrize(
    ("faults", "verdict", "said"),
    [
        ([], "PASS", ""),
        (["gas_wet:20"], "PASS", ""),
        (["gas_wet:500"], "FAIL", "was not <= -20 degC for 60 s within 600 s"),
        pytest.param(["sensor_nan:gas.exhaust_dew_point@5s"], "ERROR", "cannot be read", marks=pytest.mark.slow),
    ],
)
def test_a_rack_is_drained_when_the_gas_that_leaves_it_stays_dry(faults, verdict, said, tmp_path):
    ran = run_plan(write_plan(tmp_path, DRY), tmp_path / "data", station=GAS, faults=faults, seed=51)
    assert ran.outcome.verdict == verdict, ran.reason
    assert said in ran.reason
    assert ran.later["gas.pressure"] < 106.0
    if verdict == "PASS":
        mass = next(each for each in ran.step("drained").measurements if each.unit == "g")
        assert mass.value == pytest.approx(0.0084, rel=0.1)
        assert ran.truth["gas.vent"] == 1.0


def test_a_release_that_does_not_come_is_the_stations_fault(tmp_path):
    """The valves of the panel are told to stay shut."""
    shut = DRY.replace("control: gas.vent, to: open", "control: gas.vent, to: closed").replace("5 min", "30 s")
    filled = shut.replace(
        "- {step: set, name: blow", "- {step: set, name: shut, control: gas.vent, to: closed}\n- {step: set, name: blow"
    )
    ran = run_plan(write_plan(tmp_path, filled), tmp_path / "data", station=GAS, seed=52)
    assert ran.outcome.verdict == "ERROR"
    assert "after 30 s, must be <= 105 kPa" in ran.reason
    assert ran.later["gas.pressure"] < 106.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("to: open}\n  pressure", "to: shut}\n  pressure"), "closed or open"),
        (("control: gas.vent, to: open", 'control: pdu.outlet, to: "on"'), "puts power on the rack"),
        (("below: 105 kPa", "below: 105 degC"), "kPa"),
        (("over: 60 s", "over: 30 min"), "could never be reached in time"),
        (("volume: 60 L", "volume: 0 L"), "nothing to dry"),
        (("mass_limit: {max: 0.1 g}", "pressure_limit: {max: 1 kPa}"), "no `pressure` to judge"),
    ],
)
def test_what_could_not_be_is_refused_with_its_place(change, said, tmp_path):
    assert change[0] in DRY
    with pytest.raises(HarnessError, match=said) as raised:
        run_plan(write_plan(tmp_path, DRY.replace(*change)), tmp_path, station=GAS)
    assert "plan.yaml:" in str(raised.value)
