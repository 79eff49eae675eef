"""What the burn-in finds beside heat: trays that compute wrong, logs with what nobody provoked, warmer coolant."""

from __future__ import annotations

import json

import pytest

from tests.plan_runs import PLANS, run_plan

SHORT = {"soak_time": "2 min", "cycle_every": "60 s", "cycle_low": "20 s"}
BURN_IN = PLANS / "burn_in_24h.yaml"


def cleared(ran) -> bool:
    return any("leak_log" in text and "clear" in text for text in ran.texts("intent"))


def test_a_good_rack_computes_one_result_in_warmer_coolant_too_and_its_log_is_saved_and_cleared(tmp_path):
    supply = []

    def beside(state, simulation):
        state.log.observers.append(lambda _: supply.append(simulation.truth()["loop.supply_temperature"]))

    ran = run_plan(BURN_IN, tmp_path, settings=SHORT, during=beside)
    assert ran.exit_code == 0, ran.reason
    assert 38 < max(supply) < 42
    found = [json.loads(path.read_text()) for path in sorted(ran.outcome.folder.glob("workloads/*/workload.json"))]
    results = {one for about in found for each in about["targets"] for one in each["results"]}
    assert len(found) == 2
    assert len(results) == 1
    assert ran.step("results of the trays").verdict == "PASS"
    log = [m.value for m in ran.step("leak log after").measurements if "leak_log" in m.name]
    assert log == [0.0] * 12
    assert cleared(ran)


@pytest.mark.parametrize("tray", [7, pytest.param(18, marks=pytest.mark.slow)])
def test_silent_data_corruption_fails_the_burn_in_and_names_the_tray(tray, tmp_path):
    ran = run_plan(BURN_IN, tmp_path, settings=SHORT, faults=[f"sdc:{tray}=0.3"], seed=3)
    assert ran.exit_code == 1
    assert f"silent data corruption: tray[{tray}] (" in ran.reason
    assert not cleared(ran), "a log is evidence after a FAIL"


def test_what_the_rack_before_left_in_the_log_is_no_fault_of_this_one(tmp_path):
    def leaked(_state, simulation):
        simulation.plant.black_box.write(9, 1.0)

    ran = run_plan(BURN_IN, tmp_path, settings=SHORT, during=leaked)
    assert ran.exit_code == 3
    assert "leak log before" in ran.reason
    assert "cdu.leak_log[9].state" in ran.reason
    assert not cleared(ran)
    assert ran.truth["leak_log[9]"] == 1


def test_a_leak_that_no_alarm_told_of_is_found_in_the_log_after_the_soak(tmp_path):
    def leaked(_state, simulation):
        simulation.plant.schedule(simulation.plant.time + 1200, lambda: simulation.plant.black_box.write(9, 1.0))

    ran = run_plan(BURN_IN, tmp_path, settings=SHORT, during=leaked)
    assert ran.exit_code == 1
    assert "leak log after" in ran.reason
    assert not cleared(ran)
