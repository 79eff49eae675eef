"""Nothing is energised behind a gate without its PASS. Judged by the outlets of the simulated rack."""

from __future__ import annotations

import pytest

from harness.api import Params, StepContext, step
from harness.engine.control import obey
from harness.errors import HarnessError
from harness.limits.verdict import Verdict
from harness.project.gates import open_gates
from harness.project.plan import load_project
from harness.project.station import load_station
from tests.plan_runs import PLANS, STATION, install_steps, run_plan, write_plan

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
    """Whether any outlet was commanded on, and what is on in truth at the end."""
    intents = [event.text for event in ran.events if event.kind == "intent"]
    return any("outlet" in text and " on" in text for text in intents), ran.on


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
        "gate: power goes on even when this step (`on_fail: continue`) FAILs or is INCONCLUSIVE"
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


TWIN = "daq.channel[1].temperature"
BLIND = {
    "measure": f'{{step: measure, name: gate, signal: "{TWIN}", over: 5 s, limit: {{max: 60 degC}}MORE}}',
    "named limit": f'{{step: measure, name: gate, signal: "{TWIN}", over: 5 s, limit: warmMORE}}',
    "hold with a watch": f'{{step: hold, name: gate, for: 5 s, watch: [{{signal: "{TWIN}", max: 60 degC}}]MORE}}',
    "soak with a watch": f'{{step: soak, name: gate, for: 5 s, watch: [{{signal: "{TWIN}", max: 60 degC}}]MORE}}',
    "deltas": f'{{step: soak, name: gate, for: 5 s, deltas: [{{signal: "{TWIN}", limit: {{max: 9 K}}}}]MORE}}',
}
NAN = f"sensor_nan:{TWIN}"


def blind_plan(folder, gate, section="steps", more="", limit="stop", after=(POWER,)):
    """A plan whose gate needs the thermocouple, and what comes after it."""
    (folder / "warm.yaml").write_text(
        f"schema: 1\nlimit_set: warm\nversion: '1'\nlimits:\n"
        f"  warm: {{max: 60 degC, provenance: test, on_fail: {limit}}}\n"
    )
    path = folder / "plan.yaml"
    rows = [BLIND[gate].replace("MORE", more), *after]
    sections = [("setup", rows[:1]), ("steps", rows[1:])] if section == "setup" else [("steps", rows)]
    lines = [f"{name}:\n" + "".join(f"- {row}\n" for row in rows) for name, rows in sections]
    path.write_text(f"schema: 1\nplan: trial\nlimits: warm.yaml\ncoverage: 90 %\n{''.join(lines)}")
    return path


@pytest.mark.parametrize("section", ["setup", "steps"])
@pytest.mark.parametrize("gate", BLIND)
def test_nothing_is_energised_behind_a_gate_that_was_not_proved(gate, section, tmp_path):
    path = blind_plan(tmp_path, gate, section)
    assert run_plan(path, tmp_path).step("power on").verdict is Verdict.PASS
    ran = run_plan(path, tmp_path, faults=[NAN])
    assert (ran.outcome.verdict, ran.exit_code) == (Verdict.INCONCLUSIVE, 7), ran.reason
    assert ran.step("gate").verdict is Verdict.INCONCLUSIVE
    assert ran.step("power on").verdict is Verdict.SKIPPED
    assert "find out why the data are missing" in ran.outcome.hint
    assert ever_on(ran) == (False, [])


def test_too_few_samples_prove_no_gate_either(tmp_path):
    gate = f'{{step: measure, name: gate, signal: "{TWIN}", over: 60 s, limit: {{max: 60 degC}}}}'
    path = write_plan(tmp_path, f"- {gate}\n- {POWER}\n")
    ran = run_plan(path, tmp_path, faults=[f"{NAN}@40s"])
    assert 10 < ran.step("gate").measurements[0].samples < 60
    assert ran.step("gate").verdict is Verdict.INCONCLUSIVE
    assert ever_on(ran) == (False, [])


@pytest.mark.parametrize("gate", BLIND)
def test_a_gate_that_was_not_proved_is_gone_past_only_where_that_is_written(gate, tmp_path):
    ran = run_plan(blind_plan(tmp_path, gate, more=", on_fail: continue"), tmp_path, faults=[NAN])
    assert ran.step("power on").verdict is Verdict.PASS
    assert ran.outcome.verdict is Verdict.INCONCLUSIVE, ran.reason


def test_a_limit_or_a_watch_may_say_so_too(tmp_path):
    ran = run_plan(blind_plan(tmp_path, "named limit", limit="continue"), tmp_path, faults=[NAN])
    assert ran.step("power on").verdict is Verdict.PASS
    ran = run_plan(blind_plan(tmp_path, "named limit", "setup", limit="continue"), tmp_path, faults=[NAN])
    assert ever_on(ran) == (False, [])
    watched = f'{{step: hold, for: 5 s, watch: [{{signal: "{TWIN}", max: 60 degC, on_fail: continue}}]}}'
    ran = run_plan(write_plan(tmp_path, f"- {watched}\n- {POWER}\n"), tmp_path, faults=[NAN])
    assert ran.step("power on").verdict is Verdict.PASS


def test_no_load_is_set_behind_a_gate_that_was_not_proved_and_the_rest_is_measured_when_none_is_to_come(tmp_path):
    load = "{step: set, name: load, control: rack.level, to: 50 %}"
    rest = "{step: measure, name: rest, signal: cdu.flow, over: 3 s, limit: {min: 1 L/min}}"
    warm = BLIND["measure"].replace("MORE", "")
    plan = write_plan(tmp_path, "".join(f"- {row}\n" for row in (POWER, warm, load)))
    assert run_plan(plan, tmp_path, faults=[NAN]).step("load").verdict is Verdict.SKIPPED
    plan = write_plan(tmp_path, "".join(f"- {row}\n" for row in (POWER, load, warm, rest)))
    ran = run_plan(plan, tmp_path, faults=[NAN])
    assert ran.step("rest").verdict is Verdict.PASS
    assert ran.outcome.verdict is Verdict.INCONCLUSIVE, ran.reason


class Nothing(Params):
    """No parameter says what this step switches on, or what it measures."""


@step("unasked", version=1)
async def switch_on_unasked(ctx: StepContext, _: Nothing) -> None:
    """Somebody's step with a control in its code."""
    await ctx.act("pdu.outlet[1]", "on")


def test_a_step_that_does_not_say_what_it_switches_on_is_refused_behind_such_a_gate(tmp_path, monkeypatch):
    install_steps(monkeypatch, switch_on_unasked)
    path = blind_plan(tmp_path, "measure", after=("{step: unasked}",))
    ran = run_plan(path, tmp_path)
    assert ran.step("unasked").verdict is Verdict.PASS, ran.reason
    ran = run_plan(path, tmp_path, faults=[NAN])
    assert ran.outcome.verdict is Verdict.ERROR
    assert "not energised: gate has no PASS" in ran.reason
    assert ever_on(ran) == (False, [])


def skipped_at(title):
    """Somebody skips a step one second after its begin."""

    async def beside(runner):
        while runner.running is None or runner.running.title != title:
            await runner.clock.sleep(0.1)
        await runner.clock.sleep(1)
        assert obey(runner, {"do": "skip"}, "sam")["ok"]

    return lambda runner, _: beside(runner)


@pytest.mark.parametrize(
    ("row", "is_gate"),
    [
        (GATES["hold with a watch"].replace("max: 1 ", "min: 1 "), True),
        (GATES["measure"].replace("2 s", "5 s").replace("1 kPa", "500 kPa"), True),
        (GATES["wait_until"].replace("2 s", "20 s"), True),
        ("{step: hold, name: gate, for: 5 sMORE}", False),
        ("{step: measure, name: gate, signal: cdu.flow, over: 5 sMORE}", False),
    ],
)
def test_a_gate_that_somebody_skipped_is_none(row, is_gate, tmp_path):
    plan = write_plan(tmp_path, f"- {row.replace('MORE', '')}\n- {POWER}\n")
    ran = run_plan(plan, tmp_path, during=skipped_at("gate"))
    assert ran.step("gate").verdict is Verdict.SKIPPED
    assert ever_on(ran)[0] is not is_gate
    if is_gate:
        assert ran.texts("note")[1:] == [
            "power on is not carried out: gate has no PASS, and nothing is energised after that"
        ]
        plan = write_plan(tmp_path, f"- {row.replace('MORE', ', on_fail: continue')}\n- {POWER}\n")
        assert ever_on(run_plan(plan, tmp_path, during=skipped_at("gate")))[0]


def test_a_held_gate_can_be_proved_after_all(tmp_path):
    def mended(answer):
        async def beside(runner, simulation):
            while runner.held_after is None or not runner.operator.is_paused:
                await runner.clock.sleep(0.1)
            simulation.plant.clear("sensor_nan")
            await runner.clock.sleep(5)
            obey(runner, {"do": answer}, "sam")

        return beside

    path = blind_plan(tmp_path, "measure")
    ran = run_plan(path, tmp_path, faults=[NAN], during=mended("retry"), hold_on_fail=True)
    assert ran.outcome.verdict is Verdict.PASS, ran.reason
    assert "held: gate was not proved; retry, skip or continue?" in ran.texts("operator")
    ran = run_plan(path, tmp_path, faults=[NAN], during=mended("skip"), hold_on_fail=True)
    assert ever_on(ran) == (False, [])


def test_a_check_must_check_something(tmp_path):
    with pytest.raises(HarnessError, match="there is nothing to check"):
        load_project(write_plan(tmp_path, "- {step: check}\n"), load_station(STATION))


@pytest.mark.parametrize("name", ["smoke", "acceptance", "burn_in_24h"])
def test_the_shipped_plans_have_no_open_gate(name):
    assert open_gates(load_project(PLANS / f"{name}.yaml", load_station(STATION))) == []


@pytest.mark.parametrize("fault", ["low_level", "over_pressure", "flow_meter_zero", "filter_clog"])
def test_acceptance_energises_nothing_when_its_coolant_is_not_as_it_must_be(fault, tmp_path):
    ran = run_plan(PLANS / "acceptance.yaml", tmp_path, faults=[fault])
    assert ran.outcome.verdict is not Verdict.PASS
    assert ever_on(ran) == (False, [])


def test_a_soak_that_fails_is_not_followed_by_full_load(tmp_path):
    ran = run_plan(PLANS / "burn_in_24h.yaml", tmp_path, settings={"soak_time": "10 min"}, faults=["fws_step:14@1050s"])
    assert ran.outcome.verdict is Verdict.FAIL, ran.reason
    assert ran.step("burn-in").verdict is Verdict.FAIL
    assert ran.step("calculation after the soak").verdict is Verdict.SKIPPED


@pytest.mark.parametrize("later", [(), (POWER,)])
def test_check_tells_an_open_gate_before_a_step_that_switches_on_by_names_in_its_own_code(later, tmp_path, monkeypatch):
    install_steps(monkeypatch, switch_on_unasked)
    gate = GATES["check"].replace("MORE", ", on_fail: continue")
    path = write_plan(tmp_path, "\n".join(f"- {each}" for each in (gate, "{step: unasked}", *later)))
    assert open_gates(load_project(path, load_station(STATION))) == [
        "gate: power goes on even when this step (`on_fail: continue`) FAILs or is INCONCLUSIVE"
    ]
    path = write_plan(tmp_path, f"- {{step: unasked}}\n- {gate}")
    assert open_gates(load_project(path, load_station(STATION))) == [], "nothing comes after it"
