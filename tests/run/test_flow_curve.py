"""The curve of the rack, judged by the rack that the seed is: what the fit finds is what the simulator has."""

from __future__ import annotations

import pytest

import harness
from sim.physics import RackParameters
from sim.physics.spread import rack_of_seed
from tests.plan_runs import PLANS, run_plan

CURVE = """schema: 1
plan: curve
limits: LIMITS
setup:
  - {step: set, name: pumps off, control: cdu.pump, to: "off"}
  - {step: wait_until, name: coolant stands, signal: cdu.flow, max: 1 L/min, for: 5 s, within: 60 s}
  - {step: zero, name: zero of the pressures, signals: [cdu.supply_pressure, cdu.return_pressure], over: 20 s}
  - {step: set, name: pumps on, control: cdu.pump, to: "on"}
steps:
  - step: flow_curve
    name: flow curve
    control: cdu.flow_setpoint
    points: [95 L/min, 130 L/min, 172 L/min]
    flow: cdu.flow
    pressure_drop: cdu.differential_pressure
    temperature: cdu.supply_temperature
    at: 172 L/min
    limit: rack_pressure_drop
    exponent: flow_curve_exponent
"""


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.yaml"
    for name, found in (("limits", "nvl72"), ("base", "base")):
        (tmp_path / f"{name}.yaml").write_text((PLANS / "limits" / f"{found}.yaml").read_text())
    path.write_text(CURVE.replace("LIMITS", "limits.yaml"))
    station = (PLANS / "stations" / "simulated.yaml").read_text()
    (tmp_path / "station.yaml").write_text(station.replace("rack: 132kW, seed: 1", "rack: 132kW, spread: 1"))
    return path


@pytest.mark.parametrize("seed", [3, 14, 15, 92, 65, 35])
def test_the_exponent_and_the_drop_of_each_rack_are_found(seed, plan, tmp_path):
    """Seeds that nothing was tuned by. The drop: within the classes of the flow meter and the pressure sensors.

    The exponent within 0.05: without the zeros two pressure sensors, each out by 0.5 kPa (one sigma), would be out by
    0.7 kPa in a drop of 20 kPa at the lowest flow and of 57 kPa at the highest, 0.04 of the exponent at one sigma.
    """
    with harness.Rack(tmp_path / "station.yaml", simulate=True, virtual=True, seed=seed) as rack:
        outcome = rack.run(plan, serial="RACK-1", data=tmp_path)
    assert outcome.verdict == "PASS", outcome.reason
    *_, drop, exponent = outcome.result.steps[-1].measurements
    true = rack_of_seed(RackParameters(), seed, 1.0)
    assert exponent.value == pytest.approx(true.rack_exponent, abs=0.05)
    assert drop.value == pytest.approx(true.rack_drop, rel=0.05)


def test_the_points_stand_in_the_record_and_their_limits_are_named(plan, tmp_path):
    result = run_plan(plan, tmp_path).outcome.result
    names = [each.name for each in result.steps[-1].measurements]
    assert names[:3] == [
        f"flow curve: cdu.{each} at 95 L/min" for each in ("flow", "differential_pressure", "supply_temperature")
    ]
    assert names[-2:] == ["flow curve: at 172 L/min, 35 degC", "flow curve: exponent"]
    assert [each.limit for each in result.steps[-1].measurements[-2:]] == ["rack_pressure_drop", "flow_curve_exponent"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("[95 L/min, 100 L/min, 110 L/min]", "the largest flow must be 1.5 times the smallest"),
        ("[95 L/min, 130 L/min]", "at least 3"),
        ("[95 L/min, 130 L/min, 172 kPa]", "kPa"),
        ("[95 L/min, 130 L/min, 9000 L/min]", "9000"),
    ],
)
def test_a_curve_that_would_prove_nothing_is_refused(change, said, plan, tmp_path):
    plan.write_text(plan.read_text().replace("[95 L/min, 130 L/min, 172 L/min]", change))
    with pytest.raises(harness.api.ProblemsError, match=said):
        run_plan(plan, tmp_path)


def test_a_rack_that_is_blocked_fails_at_its_flow_and_not_by_its_shape(plan, tmp_path):
    """Branches that are shut raise the drop; the exponent stays."""
    faults = [f"tray_blocked:{number}" for number in (2, 5, 11)]
    with harness.Rack(tmp_path / "station.yaml", simulate=True, virtual=True, seed=3, faults=faults) as rack:
        outcome = rack.run(plan, serial="RACK-1", data=tmp_path)
    assert outcome.verdict == "FAIL"
    assert "flow curve: at 172 L/min" in outcome.reason
    assert "exponent" not in outcome.reason


def test_a_pressure_sensor_that_is_out_is_no_fault_of_the_rack(plan, tmp_path):
    faults = ["sensor_offset:cdu.supply_pressure=25"]
    with harness.Rack(tmp_path / "station.yaml", simulate=True, virtual=True, seed=3, faults=faults) as rack:
        outcome = rack.run(plan, serial="RACK-1", data=tmp_path)
    assert outcome.verdict == "ERROR"
    assert "cdu.supply_pressure" in outcome.reason
