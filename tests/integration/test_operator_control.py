"""Pause, continue, skip, retry, abort, reset of a trip: what the operator does to a run that goes on."""

from __future__ import annotations

import asyncio

import pytest

from harness.clock import Clock, run
from harness.engine.control import obey
from harness.engine.pausing import PauseGate, StepClock
from harness.limits.verdict import Verdict
from harness.record.verification import verify
from harness.safety.names import ask, listed, own_peer
from tests.chaos.rig import HEAD, SOAK, Scene, play

HOLD = "{schema: 1, plan: hold, coverage: 90 %, steps: [{step: hold, for: 60 s}]}"
INF = float("inf")


def virtual(main):
    return run(main, rate=INF)


def test_step_clock_stands_still_while_held():
    async def main() -> None:
        clock = Clock()
        gate = PauseGate(clock)
        steps = StepClock(clock, gate)
        began, began_step = clock.monotonic(), steps.monotonic()
        waiting = asyncio.ensure_future(steps.sleep(10))
        await clock.sleep(4)
        gate.close()
        await clock.sleep(100)
        assert steps.monotonic() - began_step == pytest.approx(4, abs=1e-3)
        assert not waiting.done()
        gate.open()
        await waiting
        assert clock.monotonic() - began == pytest.approx(110, abs=1e-2)
        assert steps.monotonic() - began_step == pytest.approx(10, abs=1e-2)

    virtual(main)


def test_pause_holds_the_soak_and_does_not_shorten_it(tmp_path):
    async def pausing(scene: Scene) -> None:
        await scene.running("soak")
        await scene.clock.sleep(20)
        assert obey(scene.runner, {"do": "pause"}, "kim")["ok"]
        before = scene.runner.context.progress[0]
        await scene.clock.sleep(300)
        assert scene.runner.context.progress[0] == pytest.approx(before, abs=0.02)
        assert all(scene.outlets())
        assert scene.runner.running.definition.name == "soak"
        assert obey(scene.runner, {"do": "continue"}, "kim")["ok"]

    async def main() -> None:
        outcome, scene = await play(SOAK, tmp_path, pausing)
        assert outcome.verdict is Verdict.PASS, outcome.reason
        starts = {event.data["step"]: event.mono for event in scene.of("step")}
        ends = {event.data["step"]: event.mono for event in scene.of("step end")}
        assert ends["soak"] - starts["soak"] >= 360
        assert ends["soak"] - starts["soak"] < 375
        assert [(e.data["command"], e.data["who"]) for e in scene.of("operator")] == [
            ("pause", "kim"),
            ("continue", "kim"),
        ]
        assert verify(outcome.folder) == []

    virtual(main)


def test_interlocks_stay_live_in_a_pause(tmp_path):
    async def pausing(scene: Scene) -> None:
        await scene.running("soak")
        obey(scene.runner, {"do": "pause"}, "kim")
        await scene.clock.sleep(30)
        scene.simulation.inject("leak:rack=20")

    async def main() -> None:
        outcome, scene = await play(SOAK, tmp_path, pausing)
        assert outcome.verdict is Verdict.TRIPPED
        assert not any(scene.outlets())
        assert outcome.is_safe

    virtual(main)


def test_a_limit_violated_in_a_pause_counts(tmp_path):
    plan = (
        HEAD
        + """
  - step: hold
    for: 30 s
    watch:
      - {signal: cdu.supply_temperature, max: 45 degC}
"""
    )

    async def pausing(scene: Scene) -> None:
        await scene.running("hold")
        await scene.clock.sleep(5)
        obey(scene.runner, {"do": "pause"}, "kim")
        scene.simulation.inject("sensor_offset:cdu.supply_temperature=15")
        await scene.clock.sleep(30)
        scene.simulation.plant.clear("sensor_offset")
        await scene.clock.sleep(30)
        obey(scene.runner, {"do": "continue"}, "kim")

    async def main() -> None:
        outcome, _ = await play(plan, tmp_path, pausing)
        assert outcome.verdict is Verdict.FAIL, outcome.reason

    virtual(main)


def test_a_skipped_step_cannot_pass(tmp_path):
    async def skipping(scene: Scene) -> None:
        await scene.running("soak")
        await scene.clock.sleep(3)
        assert obey(scene.runner, {"do": "skip"}, "sam")["ok"]

    async def main() -> None:
        outcome, scene = await play(SOAK, tmp_path, skipping)
        assert outcome.verdict is Verdict.INCONCLUSIVE
        assert "skipped by sam" in outcome.reason
        assert outcome.exit_code == 7
        assert outcome.result.steps[-1].verdict is Verdict.SKIPPED
        assert not any(scene.outlets())
        assert verify(outcome.folder) == []

    virtual(main)


def test_retry_keeps_both_attempts(tmp_path):
    plan = (
        HEAD
        + """
  - {step: measure, name: supply, signal: cdu.supply_temperature, over: 30 s, limit: {min: 20 degC, max: 45 degC}}
"""
    )

    async def retrying(scene: Scene) -> None:
        await scene.running("measure")
        await scene.clock.sleep(10)
        assert obey(scene.runner, {"do": "retry"}, "sam")["ok"]

    async def main() -> None:
        outcome, _ = await play(plan, tmp_path, retrying)
        assert outcome.verdict is Verdict.PASS, outcome.reason
        attempts = [(s.name, s.attempt, s.verdict) for s in outcome.result.steps if s.name == "supply"]
        assert attempts == [("supply", 1, Verdict.ABORTED), ("supply", 2, Verdict.PASS)]
        assert verify(outcome.folder) == []

    virtual(main)


def test_a_failed_step_is_held_and_done_again(tmp_path):
    plan = (
        HEAD
        + """
  - {step: wait_until, name: warm, signal: cdu.supply_temperature, min: 50 degC, within: 20 s, attempts: 2}
  - {step: check, conditions: [{signal: cdu.leak, equals: dry}]}
"""
    )

    async def deciding(scene: Scene) -> None:
        await scene.until(lambda: scene.runner.held_after is not None)
        assert obey(scene.runner, {"do": "status"}, "sam")["status"]["held_after"] == "warm"
        scene.simulation.inject("sensor_offset:cdu.supply_temperature=18")
        obey(scene.runner, {"do": "retry"}, "sam")

    async def main() -> None:
        outcome, _ = await play(plan, tmp_path, deciding, hold_on_fail=True)
        attempts = [(s.attempt, s.verdict) for s in outcome.result.steps if s.name == "warm"]
        assert attempts == [(1, Verdict.FAIL), (2, Verdict.PASS)]
        assert outcome.verdict is Verdict.PASS, outcome.reason
        assert verify(outcome.folder) == []

    virtual(main)


def test_abort_makes_safe(tmp_path):
    async def aborting(scene: Scene) -> None:
        await scene.running("soak")
        obey(scene.runner, {"do": "pause"}, "sam")
        await scene.clock.sleep(3)
        assert obey(scene.runner, {"do": "abort"}, "sam")["ok"]
        again = obey(scene.runner, {"do": "retry"}, "sam")
        assert not again["ok"]
        assert "stopping" in again["said"]

    async def main() -> None:
        outcome, scene = await play(SOAK, tmp_path, aborting)
        assert outcome.verdict is Verdict.ABORTED
        assert outcome.exit_code == 130
        assert not any(scene.outlets())
        assert [e.data["done"] for e in scene.of("operator")] == [True, True, False]

    virtual(main)


def test_a_trip_is_reset_by_name_only_when_its_cause_is_gone(tmp_path):
    async def main() -> None:
        said: list[str] = []

        async def tripping(scene: Scene) -> None:
            await scene.running("soak")
            await scene.clock.sleep(40)  # warm: the safe state then keeps the coolant going for a while
            scene.simulation.inject("sensor_offset:cdu.supply_temperature=25")
            await scene.until(lambda: scene.runner.summary.stop is not None)
            said.append(obey(scene.runner, {"do": "reset-trip", "name": "supply too hot"}, "sam")["said"])
            said.append(obey(scene.runner, {"do": "reset-trip", "name": "leak"}, "sam")["said"])
            scene.simulation.plant.clear("sensor_offset")
            await scene.clock.sleep(2)
            said.append(obey(scene.runner, {"do": "reset-trip", "name": "supply too hot"}, "sam")["said"])

        outcome, _ = await play(SOAK, tmp_path, tripping)
        assert "not gone" in said[0]
        assert "no trip" in said[1]
        assert "is reset" in said[2]
        assert outcome.verdict is Verdict.TRIPPED

    virtual(main)


def test_a_run_is_reached_by_its_name_and_answers_lines(tmp_path):
    async def main() -> None:
        async def talking(scene: Scene) -> None:
            await scene.running("hold")
            loop = asyncio.get_running_loop()
            name = f"harness.run.{scene.runner.journal.path.parent.name}"

            async def asked(command):
                peer, answer = await loop.run_in_executor(None, ask, name, command)
                assert peer.uid == own_peer().uid, "the kernel names the guardian, who has the socket too"
                return answer

            assert name in listed("harness.run.")
            assert (await asked({"do": "status"}))["status"]["step"] == "hold"
            assert (await asked({"do": "who"}))["doing"] == "run"
            for nonsense in ({"do": "explode"}, {"do": ["x"]}, {}):
                assert not (await asked(nonsense))["ok"]
            assert (await asked({"do": "skip"}))["ok"]

        outcome, scene = await play(HOLD, tmp_path, talking)
        assert outcome.verdict is Verdict.INCONCLUSIVE
        assert scene.of("operator")[-1].data["who"] == own_peer().user
        assert f"harness.run.{outcome.folder.name}" not in listed("harness.run.")

    run(main, rate=2)
