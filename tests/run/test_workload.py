"""The workload of the simulated rack and what it computes, in virtual time. The simulator's truth is the judge."""

from __future__ import annotations

import json

import pytest

from sim.physics import Plant
from tests.plan_runs import run_plan, write_plan
from tests.unit.sim.physics_rack import powered

STEPS = """
  - {step: wait_until, signal: cdu.flow, min: 160 L/min, within: 60 s}
  - {step: power_on, outlets: pdu.outlet, stagger: 0 s}
  - {step: wait_until, signal: rack.running, equals: idle, within: 2 min}
  - {step: workload, name: morning, driver: simulated, level: 100 %, for: 4 min, off: [rack.trays, pdu.outlet]}
  - {step: hold, for: 20 s}
  - {step: workload, name: evening, driver: simulated, level: 50 %, for: 4 min, off: [rack.trays, pdu.outlet]}
  - {step: compare_results, name: results, of: [morning, evening], trays: 18, rounds: 4}
"""


def results(ran, number):
    """tray -> results, from the record of a workload."""
    about = json.loads((ran.outcome.folder / f"workloads/{number:03d}/workload.json").read_text())
    return {one["target"]: one["results"] for one in about["targets"]}


def test_a_good_rack_computes_the_same_on_every_tray_and_is_left_as_it_was(tmp_path):
    loads = []

    def beside(state, simulation):
        state.log.observers.append(lambda event: event.kind == "step end" and loads.append(simulation.truth()))

    ran = run_plan(write_plan(tmp_path, STEPS), tmp_path, during=beside)
    assert (ran.exit_code, ran.step("results").verdict) == (0, "PASS")
    morning, evening = results(ran, 1), results(ran, 2)
    assert {len(each) for each in morning.values()} == {3}  # 4 min of a round a minute, the last one not yet told
    assert {len(each) for each in evening.values()} == {1}  # half the load, half the rounds
    assert len({each for found in (morning, evening) for one in found.values() for each in one}) == 1
    after_morning = loads[3]
    assert after_morning["rack.asked"] == 0  # the level is back where it was


@pytest.mark.parametrize("tray", [18, pytest.param(1, marks=pytest.mark.slow)])
def test_a_tray_that_computes_wrong_now_and_then_is_named_and_no_other(tray, tmp_path):
    ran = run_plan(write_plan(tmp_path, STEPS), tmp_path, faults=[f"sdc:{tray}=0.6"])
    assert ran.exit_code == 1
    assert f"silent data corruption: tray[{tray}] (" in ran.reason
    bad = [one.name for one in ran.step("results").measurements if one.verdict != "PASS"]
    assert bad == [f"results: tray[{tray}]"]


def test_two_halves_have_no_majority_and_nobody_is_accused(tmp_path):
    faults = [f"sdc:{tray}=1" for tray in range(1, 10)]
    ran = run_plan(write_plan(tmp_path, STEPS), tmp_path, faults=faults)
    assert (ran.exit_code, ran.step("results").verdict) == (7, "INCONCLUSIVE")
    assert "no result has the majority" in ran.reason


def test_results_that_are_missing_are_no_pass(tmp_path):
    steps = STEPS.replace("rounds: 4", "rounds: 30")
    ran = run_plan(write_plan(tmp_path, steps), tmp_path)
    assert ran.exit_code == 7
    assert "26 results are missing" in ran.reason


def test_an_agent_that_does_not_answer_is_switched_off_by_the_next_control_that_is_confirmed(tmp_path):
    """The workload agent refuses everything: its own way to shut the trays down too, so the outlets go."""
    steps = STEPS.replace("for: 4 min, off: [rack.trays", "for: 1 min, grace: 2 s, off: [rack.trays", 1)
    ran = run_plan(write_plan(tmp_path, steps), tmp_path, faults=["device_refuses:rack@40s"])
    assert ran.outcome.exit_code == 3
    assert ran.on == []
    about = json.loads((ran.outcome.folder / "workloads/001/workload.json").read_text())
    assert about["driver"] == "simulated"


def test_a_comparison_without_its_workload_is_an_error_that_says_so(tmp_path):
    step = "  - {step: compare_results, name: it, of: [nothing], trays: 18}"
    ran = run_plan(write_plan(tmp_path, step), tmp_path)
    assert ran.exit_code == 3
    assert "there is no workload step 'nothing' before this one" in ran.reason


def test_the_simulated_trays_are_wrong_as_often_as_the_fault_says_and_only_while_it_is_on():
    plant = powered(100.0)
    plant.inject("sdc", "5=0.3")
    first = plant.calculation.round() + 1
    wrong = [plant.calculation.is_wrong(4, number) for number in range(first, first + 4000)]
    assert sum(wrong) / 4000 == pytest.approx(0.3, abs=0.03)
    assert not any(plant.calculation.is_wrong(tray, first + 7) for tray in range(18) if tray != 4)
    plant.clear("sdc")
    assert not any(plant.calculation.is_wrong(4, first + k) for k in range(100))


def test_a_round_is_a_minute_of_work_at_full_load():
    plant: Plant = powered(100.0)
    before = plant.truth("workload.round")
    plant.advance(plant.time + 600)
    assert plant.truth("workload.round") - before == pytest.approx(10, abs=1)
    assert plant.truth("workload[3].result") == plant.truth("workload[18].result")
