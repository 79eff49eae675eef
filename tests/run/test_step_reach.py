"""What a step of others reaches: devices to look at, and no switch that no armed interlock would switch off."""

from __future__ import annotations

import dataclasses

import pytest

from harness.limits.verdict import Verdict
from harness.project.step import Params, StepDefinition
from tests.plan_runs import STATION, install_steps, run_plan, write_plan


@pytest.fixture
def step_of_others(monkeypatch):
    """Let a coroutine function stand for the step `theirs`, which names nothing in its parameters."""

    def put(function):
        install_steps(monkeypatch, StepDefinition("theirs", 1, Params, function, "Theirs."))

    return put


def test_a_step_sees_devices_read_only(tmp_path, step_of_others):
    seen = {}

    async def theirs(ctx, p):
        seen.update(ctx.devices)
        with pytest.raises(dataclasses.FrozenInstanceError):
            ctx.devices["pdu"].role = "uut"

    step_of_others(theirs)
    run_plan(write_plan(tmp_path, "- {step: theirs}"), tmp_path)
    assert (seen["pdu"].role, seen["rack"].role) == ("station", "uut")
    assert seen["pdu"].identity["model"]
    assert [name for name in dir(seen["pdu"]) if not name.startswith("_")] == [
        "failed", "identity", "last_error", "name", "of", "polls", "resets", "restarts", "role"
    ]  # fmt: skip


def test_the_gate_refuses_what_no_armed_sequence_covers(tmp_path, step_of_others):
    async def theirs(ctx, p):
        await ctx.act("pdu.outlet[1]", "on")

    step_of_others(theirs)

    def during(runner, simulation):
        runner.covered.discard("pdu.outlet[1]")

    plan = write_plan(tmp_path, "- {step: theirs}")
    ran = run_plan(plan, tmp_path, during=during)
    assert ran.outcome.verdict is Verdict.ERROR
    assert "no armed interlock would switch it off" in ran.reason
    assert ran.on == []
    with_cover = run_plan(plan, tmp_path)
    assert with_cover.step("theirs").verdict is Verdict.PASS


def test_a_switch_that_a_step_names_by_itself_needs_what_a_step_that_is_given_it_needs(tmp_path, step_of_others):
    async def theirs(ctx, p):
        await ctx.act("pdu.outlet[1]", "on")

    step_of_others(theirs)
    station = tmp_path / "station.yaml"
    station.write_text(STATION.read_text().replace("  door: a simulated bay has no door\n", ""))
    ran = run_plan(write_plan(tmp_path, "- {step: theirs}"), tmp_path, station=station)
    assert (ran.outcome.verdict, ran.on) == (Verdict.ERROR, [])
    assert "pdu.outlet[1] is not energised: no interlock watches door contact" in ran.reason
