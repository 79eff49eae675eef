"""A FAIL stops what follows: nothing is energised behind a failed gate. Judged by the outlets of the simulated rack."""

from __future__ import annotations

import pytest
from plan_runs import PLANS, STATION, run_plan

from harness.engine.gates import open_gates
from harness.engine.project import load_project, load_station
from harness.errors import HarnessError
from harness.limits.verdict import Verdict

FULL = "{signal: cdu.level, equals: ok}"
GATES = {
    "check": f"{{step: check, name: gate, conditions: [{FULL}]MORE}}",
    "measure": "{step: measure, name: gate, signal: cdu.return_pressure, over: 2 s, limit: {max: 1 kPa}MORE}",
    "named limit": "{step: measure, name: gate, signal: cdu.flow, over: 2 s, limit: lowMORE}",
    "hold with a watch": "{step: hold, name: gate, for: 5 s, watch: [{signal: cdu.flow, max: 1 L/min}]MORE}",
    "soak with a watch": "{step: soak, name: gate, for: 5 s, watch: [{signal: cdu.flow, max: 1 L/min}]MORE}",
    "wait_until": "{step: wait_until, name: gate, signal: cdu.flow, min: 900 L/min, within: 2 sMORE}",
}
POWER = "{step: power_on, outlets: pdu.outlet, stagger: 50 ms}"


def plan(folder, gate, section, more="", limit="stop"):
    limits = folder / "low.yaml"
    limits.write_text(
        f"schema: 1\nlimit_set: low\nversion: '1'\nlimits:\n"
        f"  low: {{max: 1 L/min, provenance: test, on_fail: {limit}}}\n"
    )
    first = GATES[gate].replace("MORE", more)
    path = folder / "plan.yaml"
    head = "schema: 1\nplan: trial\nlimits: low.yaml\ncoverage: 90 %\n"
    if section == "setup":
        path.write_text(f"{head}setup:\n- {first}\nsteps:\n- {POWER}\n")
    else:
        path.write_text(f"{head}steps:\n- {first}\n- {POWER}\n")
    return path


def ever_on(ran):
    """Whether anything was commanded on, and what is on in truth at the end."""
    return any(" on" in event.text for event in ran.events if event.kind == "intent"), ran.on


@pytest.mark.parametrize("section", ["setup", "steps"])
@pytest.mark.parametrize("gate", GATES)
def test_nothing_is_energised_behind_a_failed_gate(gate, section, tmp_path):
    closed = []

    def during(runner, simulation):
        runner.log.observers.append(
            lambda event: closed.append(
                any(v for k, v in simulation.truth().items() if k.startswith("outlet[") and k.endswith("state"))
            )
        )

    ran = run_plan(plan(tmp_path, gate, section), tmp_path, faults=["low_level"], during=during)
    assert (ran.outcome.verdict, ran.exit_code) == (Verdict.FAIL, 1), ran.reason
    assert ran.step("power on").verdict is Verdict.SKIPPED
    assert ever_on(ran) == (False, [])
    assert closed
    assert not any(closed), "an outlet was closed"


@pytest.mark.parametrize("gate", GATES)
def test_continue_works_where_it_is_written_and_is_told_by_check(gate, tmp_path):
    path = plan(tmp_path, gate, "steps", ", on_fail: continue")
    project = load_project(path, load_station(STATION))
    assert open_gates(project) == [
        "gate: a FAIL of this step (`on_fail: continue`) does not stop the run before power goes on"
    ]
    ran = run_plan(path, tmp_path, faults=["low_level"])
    assert ran.outcome.verdict is Verdict.FAIL
    assert ran.step("power on").verdict is Verdict.PASS


def test_continue_at_a_limit_is_told_by_check_and_a_steps_own_word_counts_before_it(tmp_path):
    path = plan(tmp_path, "named limit", "steps", limit="continue")
    assert "the limit low (`on_fail: continue` in low 1)" in open_gates(load_project(path, load_station(STATION)))[0]
    assert run_plan(path, tmp_path).step("power on").verdict is Verdict.PASS
    path = plan(tmp_path, "named limit", "steps", ", on_fail: stop", limit="continue")
    assert open_gates(load_project(path, load_station(STATION))) == []
    assert run_plan(path, tmp_path).step("power on").verdict is Verdict.SKIPPED


def test_set_up_takes_no_continue(tmp_path):
    with pytest.raises(HarnessError, match="HX-1362"):
        load_project(plan(tmp_path, "check", "setup", ", on_fail: continue"), load_station(STATION))
    ran = run_plan(plan(tmp_path, "named limit", "setup", limit="continue"), tmp_path)
    assert ever_on(ran) == (False, [])


@pytest.mark.parametrize("name", ["smoke", "acceptance", "burn_in_24h"])
def test_the_shipped_plans_have_no_open_gate(name):
    assert open_gates(load_project(PLANS / f"{name}.yaml", load_station(STATION))) == []


@pytest.mark.parametrize("fault", ["low_level", "over_pressure", "flow_meter_zero", "filter_clog"])
def test_acceptance_energises_nothing_when_its_coolant_is_not_as_it_must_be(fault, tmp_path):
    ran = run_plan(PLANS / "acceptance.yaml", tmp_path, faults=[fault])
    assert ran.outcome.verdict is not Verdict.PASS
    assert ever_on(ran) == (False, [])


def test_a_soak_that_fails_is_not_followed_by_full_load(tmp_path):
    ran = run_plan(PLANS / "burn_in_24h.yaml", tmp_path, settings={"soak_time": "10 min"}, faults=["fws_step:14@300s"])
    assert ran.outcome.verdict is Verdict.FAIL, ran.reason
    assert ran.step("burn-in").verdict is Verdict.FAIL
    assert ran.step("full load again").verdict is Verdict.SKIPPED
