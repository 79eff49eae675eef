"""Every built-in step against the simulated station in virtual time: passes, fails, errs, believes no bad data."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from harness.cli.ui.verdict_block import plain_block
from harness.device.setting import Setting
from harness.errors import HarnessError
from harness.limits.verdict import Verdict
from harness.record.report import render_text
from harness.record.verification import verify
from tests.plan_runs import run_plan, write_plan

SETTLE = "- {step: settle, signal: cdu.flow, slope: 2 L/min/min, over: 5 s, within: 9 s}"
JUDGED = "- {step: check, name: judged, conditions: [{signal: cdu.leak, equals: dry}]}\n"
"""Without anything judged there is no PASS."""
POWER = "- {step: power_on, outlets: pdu.outlet, stagger: 100 ms}\n"


def ran(folder, steps, faults=(), head="", **more):
    return run_plan(write_plan(folder, steps, head), folder / "data", faults=faults, **more)


CASES = {
    # name: (steps, faults, verdict of the run, words of the reason)
    "power on passes": (POWER, [], "PASS", []),
    "power on is not confirmed": (
        POWER,
        ["outlet_stuck:3"],
        "ERROR",
        ["power on", "outlet[3]", "set to on", "says off"],
    ),
    "power on is refused": (POWER, ["device_refuses:pdu@1s"], "ERROR", ["pdu"]),
    "power off is not confirmed": (
        POWER + "- {step: hold, for: 2 s}\n- {step: power_off, outlets: pdu.outlet}",
        ["outlet_stuck:3@4s"],
        "ERROR",
        ["outlet[3]"],
    ),
    "set passes": ("- {step: set, control: cdu.flow_setpoint, to: 120 L/min}", [], "PASS", []),
    "set of a silent device": (
        "- {step: hold, for: 2 s}\n- {step: set, control: rack.level, to: 50 %}",
        ["device_silent:rack@1s"],
        "ERROR",
        ["rack"],
    ),
    "ramp passes": (
        "- {step: ramp, control: cdu.flow_setpoint, from: 172 L/min, to: 100 L/min, over: 10 s, steps: 4}",
        [],
        "PASS",
        [],
    ),
    "wait until passes": (
        "- {step: wait_until, signal: cdu.flow, min: 150 L/min, for: 3 s, within: 10 s}",
        [],
        "PASS",
        [],
    ),
    "wait until fails": (
        "- {step: wait_until, signal: cdu.flow, min: 190 L/min, within: 10 s}",
        [],
        "FAIL",
        ["wait until", "cdu.flow is 17", "after 10 s", ">= 190 L/min"],
    ),
    "wait until with debounce fails": (
        "- {step: wait_until, signal: cdu.flow, min: 150 L/min, for: 5 s, within: 12 s}",
        ["flow_meter_zero@3s"],
        "FAIL",
        ["cdu.flow is 0 L/min"],
    ),
    "wait until on a broken sensor": (
        "- {step: wait_until, signal: cdu.ambient_temperature, max: 50 degC, within: 30 s}",
        ["sensor_nan:cdu.ambient_temperature"],
        "ERROR",
        ["cdu.ambient_temperature cannot be read"],
    ),
    "wait until a word": ("- {step: wait_until, signal: cdu.leak, equals: dry, within: 3 s}", [], "PASS", []),
    "settle passes": (
        "- {step: settle, signal: cdu.flow, slope: 60 L/min/min, over: 5 s, within: 30 s}",
        [],
        "PASS",
        [],
    ),
    "settle fails": (
        "- {step: set, control: cdu.flow_setpoint, to: 60 L/min}\n" + SETTLE,
        [],
        "FAIL",
        ["settle", "cdu.flow still changes by", "limit 2 L/min/min"],
    ),
    "settle on a broken sensor": (
        "- {step: settle, signal: cdu.ambient_temperature, slope: 6 K/min, over: 5 s, within: 20 s}",
        ["sensor_nan:cdu.ambient_temperature"],
        "ERROR",
        ["gave no good sample"],
    ),
    "hold passes": ("- {step: hold, for: 5 s, watch: [{signal: cdu.flow, min: 150 L/min}]}", [], "PASS", []),
    "hold fails at once": (
        "- {step: hold, for: 5 min, watch: [{signal: cdu.flow, min: 150 L/min, for: 3 s}]}",
        ["flow_meter_zero@10s"],
        "FAIL",
        ["hold", "cdu.flow reached 0 L/min", ">= 150 L/min for 3 s"],
    ),
    "hold forgives what is shorter than for": (
        "- {step: hold, for: 30 s, watch: [{signal: cdu.flow, min: 150 L/min, for: 20 s}]}",
        ["sensor_offset:cdu.flow=-100@5s", "sensor_offset:cdu.flow=100@15s"],
        "PASS",
        [],
    ),
    "hold without data": (
        '- {step: hold, for: 60 s, watch: [{signal: "switch.port[3].state", equals: down}]}',
        ["device_silent:switch@1s"],
        "INCONCLUSIVE",
        ["no good sample of switch.port[3].state"],
    ),
    "measure passes": ("- {step: measure, signal: cdu.flow, over: 5 s, limit: {min: 160 L/min}}", [], "PASS", []),
    "measure fails": (
        "- {step: measure, signal: cdu.flow, over: 5 s, statistic: max, limit: {max: 100 L/min}}",
        [],
        "FAIL",
        ["measure", "17", "limit <= 100 L/min"],
    ),
    "measure without data": (
        "- {step: measure, signal: cdu.ambient_temperature, over: 30 s, limit: {max: 50 degC}}",
        ["sensor_nan:cdu.ambient_temperature"],
        "INCONCLUSIVE",
        ["no good sample"],
    ),
    "measure with too little data": (
        "- {step: measure, signal: shelf1.output_voltage, over: 60 s, limit: {max: 60 V}}",
        ["device_silent:shelf1@10s", "device_heal:shelf1@30s"],
        "INCONCLUSIVE",
        ["% of the samples were good, 90 % are needed"],
    ),
    "measure records without a limit": (
        "- {step: measure, signal: cdu.flow, over: 5 s}",
        [],
        "INCONCLUSIVE",
        ["nothing was judged"],
    ),
    "soak passes": (
        POWER + "- {step: soak, for: 30 s, load: 40 %, watch: [{signal: pdu.power, max: 90 kW}]}",
        [],
        "PASS",
        [],
    ),
    "soak fails by a delta": (
        POWER + "- {step: soak, for: 30 s, load: 40 %, deltas: [{signal: pdu.energy, limit: {max: 0.01 kWh}}]}",
        [],
        "FAIL",
        ["change of pdu.energy"],
    ),
    "check passes": (
        "- {step: check, firmware: {cdu: ['1.24', '1.25']}, conditions: [{signal: cdu.level, equals: ok}]}",
        [],
        "PASS",
        [],
    ),
    "check finds firmware of the rack": (
        "- {step: check, firmware: {rack: ['2.0']}}",
        [],
        "FAIL",
        ["rack has firmware '1.0', accepted: 2.0"],
    ),
    "check finds firmware of the station, which says nothing about the rack": (
        "- {step: check, firmware: {cdu: ['1.25'], rack: ['2.0']}}",
        [],
        "ERROR",
        ["cdu has firmware '1.24', accepted: 1.25"],
    ),
    "check says every difference": (
        "- {step: check, conditions: [{signal: switch.port.state, equals: up}]}",
        [],
        "FAIL",
        ["switch.port[1].state is down, must be up", "and 33 more"],
    ),
    "check waits": (
        POWER + "- {step: check, within: 20 s, conditions: [{signal: switch.port.state, equals: up}]}",
        [],
        "PASS",
        [],
    ),
    "prompt without anybody": ("- {step: prompt, text: close the door}", [], "ERROR", ["no terminal"]),
}


@pytest.mark.parametrize("case", CASES)
def test_step(tmp_path, case):
    steps, faults, verdict, words = CASES[case]
    done = ran(tmp_path, f"{steps}\n{JUDGED}" if verdict == "PASS" else steps, faults)
    assert done.outcome.verdict is Verdict(verdict), done.reason
    for word in words:
        assert word in done.reason, done.reason
    if "outlet_stuck:3@4s" not in faults and not any(f.startswith("device_refuses:pdu") for f in faults):
        assert done.on == []


def test_power_on_is_staggered_and_confirmed_one_by_one(tmp_path):
    done = ran(tmp_path, "- {step: power_on, outlets: pdu.outlet, stagger: 2 s}")
    sent = [event for event in done.events if event.kind == "intent" and "on" in event.text.split()]
    assert [event.text for event in sent] == [f"pdu: outlet[{k}] on" for k in range(1, 9)]
    gaps = [b.mono - a.mono for a, b in pairwise(sent)]
    assert min(gaps) >= 2.0
    confirmed = [event.mono for event in done.events if event.kind == "confirmed" and "wanted=on" in event.text]
    assert all(seen < following.mono for seen, following in zip(confirmed, sent[1:], strict=False))


def test_a_ramp_goes_in_equal_steps_and_is_undone_at_the_end(tmp_path):
    done = ran(tmp_path, POWER + "- {step: ramp, control: rack.level, from: 0 %, to: 80 %, over: 8 s, steps: 4}")
    reported = [event.text for event in done.events if event.kind == "intent" and event.text.startswith("rack")]
    assert reported == [f"rack: level {level} %" for level in (20, 40, 60, 80, 0)]
    assert done.later["rack.power"] == 0


def test_a_measurement_keeps_value_limit_provenance_and_coverage(tmp_path):
    done = ran(tmp_path, "- {step: measure, name: flow, signal: cdu.flow, over: 10 s, limit: {min: 160 L/min}}")
    (m,) = done.step("flow").measurements
    assert 165 < m.value < 180
    assert (m.unit, m.low, m.high, m.provenance, m.samples, m.coverage) == ("L/min", 160.0, None, "plan", 10, 1.0)
    assert m.margin == pytest.approx(m.value - 160)


def test_continue_and_stop(tmp_path):
    fails = "- {{step: measure, name: first, signal: cdu.flow, over: 2 s, on_fail: {}, limit: {{max: 1 L/min}}}}\n"
    then = "- {step: hold, name: second, for: 1 s}"
    for choice, second in (("continue", Verdict.PASS), ("stop", Verdict.SKIPPED)):
        folder = tmp_path / choice
        folder.mkdir()
        done = ran(folder, fails.format(choice) + then)
        assert done.exit_code == 1
        assert done.step("second").verdict is second
        assert done.reason.startswith("first: ")


def test_cleanup_runs_after_a_failed_set_up_and_steps_do_not(tmp_path):
    head = (
        "setup: [{step: wait_until, name: never, signal: cdu.flow, min: 900 L/min, within: 2 s}]\n"
        "cleanup: [{step: hold, name: tidy, for: 1 s}]"
    )
    done = ran(tmp_path, POWER, head=head)
    assert done.exit_code == 1
    assert done.step("tidy").verdict is Verdict.PASS
    assert done.step("power on").verdict is Verdict.SKIPPED
    assert not any("outlet[1] on" in event.text for event in done.events if event.kind == "intent")


@pytest.mark.parametrize(("answer", "code"), [("green", 0), ("red", 1)])
def test_prompts(tmp_path, answer, code):
    async def prompter(question, answers):
        assert (question, tuple(answers)) == ("which lamp", ("green", "red"))
        await asyncio.sleep(3)
        return answer

    steps = "- {step: prompt, text: which lamp, answers: [green, red], passes: [green]}"
    done = ran(tmp_path, steps, prompter=prompter)
    assert done.exit_code == code, done.reason
    assert f"which lamp -> {answer}" in done.texts("answer")


def test_a_step_that_breaks_inside_is_a_bug_and_the_rack_is_safe(tmp_path):
    async def prompter(question, answers):
        raise ZeroDivisionError("inside")

    done = ran(tmp_path, POWER + "- {step: prompt, text: hello}", prompter=prompter)
    assert done.outcome.verdict is Verdict.ERROR
    assert "failed inside" in done.reason
    assert done.on == []
    assert any("ZeroDivisionError" in text for text in done.texts("bug"))


def test_soak_with_cycles_starts_again_when_the_rack_reboots(tmp_path):
    steps = (
        POWER
        + "- {step: soak, name: soak, for: 100 s, load: 50 %, restart_on: [rack.reboots], "
        + "cycle: {every: 20 s, low: 10 %, for: 5 s}}\n"
        + JUDGED
    )
    done = ran(tmp_path, steps, ["rack_reboot@20s"])
    assert done.exit_code == 0, done.reason
    (again,) = [event.mono for event in done.events if "the soak starts again" in event.text]
    end = next(event.mono for event in done.events if event.kind == "step end" and event.text.startswith("soak"))
    assert end - again >= 100


def test_a_rack_that_reboots_too_often_fails(tmp_path):
    steps = POWER + "- {step: soak, for: 100 s, load: 50 %, restart_on: [rack.reboots], max_restarts: 0}"
    done = ran(tmp_path, steps, ["rack_reboot@20s"])
    assert done.exit_code == 1
    assert "restarted the soak 1 times, 0 are allowed" in done.reason


def test_nothing_is_energised_after_a_stop(tmp_path):
    refused = []

    def during(runner, simulation):
        async def stop_and_try():
            await asyncio.sleep(3)
            runner.request_stop(Verdict.ABORTED, "the operator stops")
            control = runner.devices["pdu"].expansion.controls["outlet[1]"]
            for word in ("on", "cycle"):  # whatever a vendor calls it: only `off` is known to put no power on
                try:
                    await runner.context.act([("pdu", control, Setting(word=word))])
                except HarnessError as error:
                    refused.append(str(error))

        return stop_and_try()

    done = ran(tmp_path, POWER + "- {step: hold, for: 60 s}", during=during)
    assert (done.exit_code, done.on) == (130, [])
    assert refused == ["pdu.outlet[1] is not energised any more in this run"] * 2


def test_how_many_are_wrong_is_a_number_with_a_name_of_its_own(tmp_path):
    """The count has neither the words of a signal (a dry rack is no leak) nor a name that differs from run to run."""
    conditions = "{signal: cdu.leak, equals: dry}, {signal: cdu.level, equals: ok}"
    check = f"- {{step: check, name: health, conditions: [{conditions}]}}"
    for faults, count in (["low_level"], 1.0), ([], 0.0):
        (tmp_path / str(count)).mkdir()
        found = ran(tmp_path / str(count), check, faults)
        (one,) = found.step("health").measurements
        assert (one.name, one.signal, one.value, one.unit, one.samples) == ("health: number wrong", "", count, "", 2)
        reported = " ".join([found.reason, one.reason, render_text(found.outcome.folder), plain_block(found.outcome)])
        assert "wet" not in reported
        assert verify(found.outcome.folder) == []
    (tmp_path / "again").mkdir()
    assert "cdu.level is low" in ran(tmp_path / "again", check, ["low_level"]).reason
