"""What a step provoked is given back when only the step ends, and left to the safe state when the run does."""

from __future__ import annotations

import pytest

from harness.api import BadValueError, HarnessError, Params, StepFailedError, step
from tests.keys.rack import FILES
from tests.keys.rows import changed, parsed
from tests.keys.run_bench import Ran, run_bench
from tests.keys.test_power_step_keys import HOLDS, MAP, REDUNDANT, RUSH
from tests.keys.test_provoking_keys import LEAK, PUMPS, WALK
from tests.keys.test_soak_keys import EXCURSED
from tests.keys.test_workload_keys import AGENT
from tests.plan_runs import install_steps

STEPS = {
    "pump_failover": (PUMPS, 16, "cdu: pump off", "cdu: pump on"),
    "alarm_walk": (WALK, 2, "cdu: pump off", "cdu: pump on"),
    "leak_interlock_proof": (LEAK, 2, "load: fan 20 %", "load: fan 0 %"),
    "psu_redundancy": (REDUNDANT, 4, "pdu: outlet[1] off", "pdu: outlet[1] on"),
    "hold_up": (HOLDS, 10, "cdu: pump off", "cdu: pump on"),
    "outlet_map": (MAP, 7, "pdu: outlet[1] on", "pdu: outlet[1] off"),
    "inrush": (RUSH, 12, "pdu: outlet[1] on", "cdu: pump off"),
    "soak": (EXCURSED, 7, "cdu: setpoint 140 L/min", "cdu: setpoint 100 L/min"),
    "workload": (AGENT, 10, "load: level 50 %", "load: level 0 %"),
}
"""step: plan, second at which it has something provoked, what was commanded last then, and what gives it back last."""
MUCH_POWER = ["pdu", "holding/1", 11000]
every_step = pytest.mark.parametrize("name", STEPS)


def carried_out(folder, given) -> Ran:
    files = {name: parsed(text) for name, text in FILES.items()}
    for place, value in given.items():
        files = changed(files, place, value)
    return run_bench(folder, files)


def commanded(ran: Ran, kind: str = "step end") -> list[str]:
    """What was commanded before the first event of a kind that is about the step."""
    end = next(k for k, e in enumerate(ran.events) if e.kind == kind and e.data.get("step", "it") == "it")
    return [each.text for each in ran.events[:end] if each.kind == "intent"]


@every_step
@pytest.mark.parametrize("asked", ["skip", "retry"])
def test_a_step_that_people_leave_gives_back_before_anything_else_is_done(tmp_path, name, asked):
    given, second, away, back = STEPS[name]
    asks = [["it", second, asked, ""], ["it", 300, "abort", ""]]  # a second attempt may fail, and is held
    ran = carried_out(tmp_path, {**given, "ask": asks})
    before = commanded(ran)
    assert away in before, ran.error
    assert before[-1] == back
    ends = [e.data["verdict"] for e in ran.events if e.kind == "step end" and e.data["step"] == "it"]
    assert ends[0] == ("SKIPPED" if asked == "skip" else "ABORTED")
    assert len(ends) == (1 if asked == "skip" else 2)


@every_step
@pytest.mark.parametrize("end", ["abort", "trip"])
def test_a_run_that_ends_is_made_safe_and_nothing_is_given_back_before_that(tmp_path, name, end):
    given, second, away, _ = STEPS[name]
    if end == "abort":
        ran = carried_out(tmp_path, {**given, "ask": [["it", second, "abort", ""]]})
    else:
        ran = carried_out(tmp_path, {**given, "wire": [*given.get("wire", ()), ["it", second, *MUCH_POWER]]})
    assert ran.result.verdict == ("ABORTED" if end == "abort" else "TRIPPED"), ran.error
    assert commanded(ran, "safe state")[-1] == away
    assert not any("given back" in each.text for each in ran.events)


# --- however else a step leaves its block

TAKE = {"plan/steps": [{"step": "take", "name": "it"}, {"step": "hold", "name": "after", "for": "5 s"}]}


def taking(how, back="on"):
    """A step that stops the pump, and ends as `how(ctx)` does."""

    @step("take", version=1)
    async def take(ctx, p: Params) -> None:
        async with ctx.provoking(lambda: ctx.act("cdu.pump", back)):
            await ctx.act("cdu.pump", "off")
            await how(ctx)

    return take


async def failing(ctx):
    raise StepFailedError("it is bad")


async def unread(ctx):
    raise BadValueError("cdu.flow cannot be read", operation="take")


@pytest.mark.parametrize(
    ("how", "more", "is_back"),
    [
        (failing, {}, True),
        (unread, {}, False),  # the run ends with ERROR
        (unread, {"ask": [["it", 30, "skip", ""]]}, True),  # it is held for people first
    ],
)
def test_a_failure_gives_back_and_an_error_only_where_the_run_goes_on(tmp_path, monkeypatch, how, more, is_back):
    install_steps(monkeypatch, taking(how))
    ran = carried_out(tmp_path, {**TAKE, **more})
    assert commanded(ran) == ["cdu: pump off", *(["cdu: pump on"] if is_back else [])]


def test_a_time_out_of_the_steps_own_gives_back_when_the_step_is_over(tmp_path, monkeypatch):
    @step("take", version=1)
    async def take(ctx, p: Params) -> None:
        try:
            async with ctx.clock.timeout(3), ctx.provoking(lambda: ctx.act("cdu.pump", "on")):
                await ctx.act("cdu.pump", "off")
                await ctx.sleep(60)
        except TimeoutError:
            ctx.tell("it did not come")

    install_steps(monkeypatch, take)
    ran = carried_out(tmp_path, TAKE)
    assert commanded(ran) == ["cdu: pump off", "cdu: pump on"]
    assert [one.verdict for one in ran.result.steps] == ["PASS", "PASS"]


def test_it_is_given_back_again_where_that_itself_was_cut_short_and_once_where_it_was_not(tmp_path, monkeypatch):
    calls = []

    @step("take", version=1)
    async def take(ctx, p: Params) -> None:
        async def back() -> None:
            calls.append(ctx.clock.monotonic())
            if len(calls) == 1:
                await ctx.sleep(60)
            await ctx.act("cdu.pump", "on")

        async with ctx.provoking(back):
            await ctx.act("cdu.pump", "off")

    install_steps(monkeypatch, take)
    ran = carried_out(tmp_path, {**TAKE, "ask": [["it", 5, "skip", ""]]})
    assert len(calls) == 2
    assert commanded(ran)[-1] == "cdu: pump on"


def test_what_cannot_be_given_back_ends_the_run(tmp_path, monkeypatch):
    async def back() -> None:
        raise HarnessError("the pump does not start", hint="look at it")

    @step("take", version=1)
    async def take(ctx, p: Params) -> None:
        async with ctx.provoking(back):
            await ctx.act("cdu.pump", "off")
            await ctx.sleep(60)

    install_steps(monkeypatch, take)
    ran = carried_out(tmp_path, {**TAKE, "ask": [["it", 5, "skip", ""]]})
    assert ran.result.verdict == "ERROR"
    assert "what it has provoked is not given back: the pump does not start" in ran.result.reason
    assert [each.data["step"] for each in ran.events if each.kind == "step"] == ["it"]


def test_an_abort_does_not_wait_for_what_is_being_given_back(tmp_path, monkeypatch):
    @step("take", version=1)
    async def take(ctx, p: Params) -> None:
        async with ctx.provoking(lambda: ctx.sleep(600)):
            await ctx.act("cdu.pump", "off")
            await ctx.sleep(60)

    install_steps(monkeypatch, take)
    ran = carried_out(tmp_path, {**TAKE, "ask": [["it", 5, "skip", ""], ["it", 8, "abort", ""]]})
    assert ran.result.verdict == "ABORTED"
    stop, safe = (next(e.mono for e in ran.events if e.kind == kind) for kind in ("stop", "safe state"))
    assert safe - stop < 0.5
