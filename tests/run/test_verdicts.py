"""PASS needs everything: every step, every measurement, the data, the journal, the record and a safe rack."""

from __future__ import annotations

import asyncio
import random

import pytest

from harness.errors import TelemetryError
from harness.limits.verdict import Verdict
from harness.record.folder import RunFolder
from harness.record.verification import verify
from tests.plan_runs import PLANS, STATION, run_plan, write_plan

STEPS = """\
- {step: power_on, outlets: pdu.outlet, stagger: 100 ms}
- {step: measure, name: flow, signal: cdu.flow, over: 5 s, limit: {min: LOW}}
- {step: hold, name: hold, for: 10 s}
"""
GOOD, BAD = STEPS.replace("LOW", "100 L/min"), STEPS.replace("LOW", "300 L/min")


def after(seconds, act):
    """For `during`: act(runner, simulation) some time into the run."""

    def during(runner, simulation):
        async def work():
            await asyncio.sleep(seconds)
            act(runner, simulation)

        return work()

    return during


def test_everything_good_is_a_pass(tmp_path):
    ran = run_plan(write_plan(tmp_path, GOOD), tmp_path)
    assert (ran.exit_code, ran.outcome.is_sealed, ran.outcome.is_safe, ran.on) == (0, True, True, [])
    assert ran.reason == "3 steps, 1 measurement, all within limits"
    assert verify(ran.outcome.folder) == []


@pytest.mark.parametrize("at", [0.5, 3.0, 9.0])
def test_a_journal_that_fails_is_never_a_pass(tmp_path, at):
    spoil = after(at, lambda runner, _: runner.journal._poison(OSError(28, "No space left on device")))
    ran = run_plan(write_plan(tmp_path, GOOD), tmp_path, during=spoil)
    assert ran.outcome.verdict is Verdict.ERROR
    assert ran.exit_code == 3
    assert "No space left on device" in ran.reason
    assert ran.on == [], "a journal that fails does not keep the rack from being made safe"
    assert ran.outcome.is_safe


def test_a_record_that_cannot_be_sealed_is_never_a_pass(tmp_path, monkeypatch):
    def full(self, result):
        raise TelemetryError("No space left on device")

    monkeypatch.setattr(RunFolder, "seal", full)
    ran = run_plan(write_plan(tmp_path, GOOD), tmp_path)
    assert (ran.exit_code, ran.outcome.verdict, ran.outcome.is_sealed) == (3, Verdict.ERROR, False)
    assert "the record could not be saved" in ran.reason
    assert ran.outcome.result.verdict is Verdict.ERROR


def test_without_a_sealed_record_nothing_is_said_about_the_rack(tmp_path, monkeypatch):
    def full(self, result):
        raise TelemetryError("No space left on device")

    monkeypatch.setattr(RunFolder, "seal", full)
    ran = run_plan(write_plan(tmp_path, BAD), tmp_path)
    assert (ran.exit_code, ran.outcome.verdict, ran.outcome.is_sealed) == (3, Verdict.ERROR, False)
    assert ran.reason.startswith("the record could not be saved: No space left on device; before that: FAIL, flow: ")


def test_a_failed_measurement_is_a_fail(tmp_path):
    ran = run_plan(write_plan(tmp_path, BAD), tmp_path)
    assert ran.exit_code == 1
    assert ran.reason.startswith("flow: 17")
    assert "limit >= 300 L/min" in ran.reason


def test_missing_data_of_a_device_nobody_measured_is_no_pass(tmp_path):
    steps = "- {step: hold, for: 60 s}"
    ran = run_plan(write_plan(tmp_path, steps), tmp_path, faults=["device_silent:daq@20s"])
    assert ran.exit_code == 7
    assert "daq delivered" in ran.reason
    assert "90 % are needed" in ran.reason


def test_a_rack_that_is_not_safe_is_no_pass(tmp_path):
    ran = run_plan(write_plan(tmp_path, GOOD), tmp_path, faults=["outlet_stuck:5@7s"])
    assert ran.exit_code == 5
    assert ran.outcome.verdict is not Verdict.PASS
    assert "outlet[5]" in ran.reason
    assert ran.on == [5]


def test_the_product_and_the_station_are_not_mixed_up(tmp_path):
    """The same step, once with a bad rack and once with a bad station."""
    steps = "- {step: wait_until, signal: cdu.flow, min: 160 L/min, for: 2 s, within: 8 s}"
    plan = write_plan(tmp_path, steps)
    assert run_plan(plan, tmp_path, faults=["filter_clog"]).exit_code == 1
    assert run_plan(plan, tmp_path, faults=["sensor_nan:cdu.flow"]).exit_code == 3
    assert run_plan(plan, tmp_path, faults=["device_silent:cdu@1s"]).exit_code == 3


def test_an_energised_rack_that_falls_silent_is_made_safe_in_time(tmp_path):
    ran = run_plan(write_plan(tmp_path, GOOD.replace("10 s", "60 s")), tmp_path, faults=["device_silent:cdu@20s"])
    assert ran.exit_code == 3
    first = next(event.mono for event in ran.events if event.kind == "intent" and "outlet[1] off" in event.text)
    stop = next(event.mono for event in ran.events if event.kind == "stop")
    assert stop - 20 <= 4.5, "silence counts from the device's max_age"
    assert first - stop < 0.1


@pytest.mark.parametrize("seed", range(8))
def test_an_abort_at_any_moment_leaves_every_outlet_off_and_a_record_that_says_so(tmp_path, seed):
    at = random.Random(seed).uniform(0.1, 500)
    stop = after(at, lambda runner, _: runner.request_stop(Verdict.ABORTED, "SIGTERM", by_signal="SIGTERM"))
    ran = run_plan(PLANS / "acceptance.yaml", tmp_path, during=stop)
    assert (ran.exit_code, ran.on) == (143, []), f"stopped at {at:.2f} s: {ran.reason}"
    assert ran.outcome.result.verdict is Verdict.ABORTED
    assert ran.outcome.result.safe_state.confirmed
    assert verify(ran.outcome.folder) == []


def test_a_second_stop_skips_nothing(tmp_path):
    def during(runner, simulation):
        async def work():
            await asyncio.sleep(8)
            for _ in range(3):
                runner.request_stop(Verdict.ABORTED, "SIGINT", by_signal="SIGINT")
                await asyncio.sleep(0.05)

        return work()

    ran = run_plan(write_plan(tmp_path, GOOD), tmp_path, during=during)
    assert (ran.exit_code, ran.on) == (130, [])
    assert any("already stopping" in text for text in ran.texts("note"))
    assert ran.outcome.result.safe_state.confirmed


HOT = (
    "- {step: power_on, outlets: pdu.outlet, stagger: 100 ms}\n"
    "- {step: soak, for: 60 s, load: 100 %, watch: [{signal: cdu.supply_temperature, max: 70 degC}]}\n"
)


@pytest.mark.parametrize("why", ["abort", "end"])
def test_a_leak_while_the_rack_is_being_stopped_takes_the_coolant_off_too(tmp_path, why):
    """The heat is off and the pumps carry away what is left, for half a minute; then the rack begins to leak."""
    end = 66.0
    at = end if why == "end" else 60.0
    stop = after(60, lambda runner, _: runner.request_stop(Verdict.ABORTED, "SIGINT", by_signal="SIGINT"))
    plan = write_plan(tmp_path, HOT)
    ran = run_plan(plan, tmp_path, during=stop if why == "abort" else None, faults=[f"leak:100@{at + 2}s"])
    assert ran.on == []
    assert ran.later["loop.flow"] < 20
    assert (ran.exit_code, ran.outcome.verdict) == (4, Verdict.TRIPPED), ran.reason
    assert ran.outcome.result.safe_state.name == "leak"
    assert ran.outcome.result.safe_state.confirmed
    assert "cdu.leak is wet" in ran.reason
    if why == "abort":
        assert "while stopping: SIGINT" in ran.reason


def test_a_device_that_falls_silent_while_stopping_changes_nothing(tmp_path):
    stop = after(60, lambda runner, _: runner.request_stop(Verdict.ABORTED, "SIGINT", by_signal="SIGINT"))
    ran = run_plan(write_plan(tmp_path, HOT), tmp_path, during=stop, faults=["device_silent:cdu@62s"])
    assert (ran.exit_code, ran.on) == (130, [])
    assert ran.outcome.result.safe_state.name == "default"


@pytest.mark.parametrize(("lasting", "least", "most"), [("", 5, 45), (", for: 30 s", 35, 90)])
def test_coolant_is_kept_until_the_condition_has_lasted(tmp_path, lasting, least, most):
    station = STATION.read_text().replace("max: 3 K}", f"max: 3 K{lasting}}}")
    (tmp_path / "station.yaml").write_text(station)
    plan = write_plan(tmp_path, HOT.replace("60 s", "30 s"))
    ran = run_plan(plan, tmp_path, station=tmp_path / "station.yaml")
    assert ran.exit_code == 0, ran.reason
    off = next(event.mono for event in ran.events if "outlet[1] off" in event.text)
    done = next(event.mono for event in ran.events if event.kind == "safe")
    assert least < done - off < most
