"""A run that died goes on: from its last completed step, with what the plan says of the soak, or not at all."""

from __future__ import annotations

import shutil

import pytest

from harness.clock import run
from harness.engine.control import obey
from harness.errors import RunError
from harness.limits.verdict import Verdict
from harness.record.index import list_runs
from harness.record.verification import verify
from tests.chaos.rig import HEAD, Scene, play, project

INF = float("inf")
BURN = (
    HEAD
    + """
  - {step: measure, name: idle, signal: cdu.supply_temperature, over: 10 s, limit: {min: 10 degC, max: 45 degC}}
  - step: soak
    for: 300 s
    load: 100 %
    on_interruption: RULE
    longest_gap: 30 min
    watch:
      - {signal: cdu.supply_temperature, max: 60 degC, for: 10 s}
"""
)


def played(tmp_path, rule, after, *, meddle=None, again=None):
    """Run, die in the soak after so many seconds, resume; returns (outcome, scene of the second life)."""
    plan = BURN.replace("RULE", rule)

    async def first() -> None:
        loaded = project(plan, tmp_path)

        async def dying(scene: Scene) -> None:
            await scene.running("soak")
            await scene.clock.sleep(after)
            folder = scene.runner.journal.path.parent
            await scene.runner.journal.commit()
            target = tmp_path / "second" / "runs" / folder.name
            shutil.copytree(folder, target)  # what a dead process leaves: whatever is on the disk now

        await play(loaded, tmp_path, dying)

    async def second():
        loaded = again(tmp_path) if again is not None else project(plan, tmp_path)
        folder = next((tmp_path / "second" / "runs").iterdir())
        assert [summary.verdict for summary in list_runs(tmp_path / "second")] == ["INTERRUPTED"]
        return await play(loaded, tmp_path / "second", meddle, resume=folder)

    run(first, rate=INF)
    return run(second, rate=INF)


def test_soak_time_is_credited(tmp_path):
    outcome, scene = played(tmp_path, "credit", 200)
    assert outcome.verdict is Verdict.PASS, outcome.reason
    attempts = [(s.step, s.attempt, s.verdict) for s in outcome.result.steps]
    assert attempts == [
        ("set", 1, Verdict.PASS),
        ("power_on", 1, Verdict.PASS),
        ("measure", 1, Verdict.PASS),
        ("soak", 1, Verdict.INTERRUPTED),
        ("power_on", 2, Verdict.PASS),
        ("soak", 2, Verdict.PASS),
    ]
    begun = [event.mono for event in scene.of("step") if event.data["kind"] == "soak"]
    ended = [event.mono for event in scene.of("step end") if event.data["kind"] == "soak"]
    assert 100 <= ended[0] - begun[0] <= 112
    assert scene.of("interrupted")
    assert any("pdu.outlet[1] is off" in event.text for event in scene.of("found"))
    watched = outcome.result.steps[-1].measurements[0]
    assert watched.samples > 250  # the samples of both lives
    assert verify(outcome.folder) == []
    assert "resumed 1 time" in outcome.result.notes[0]


def test_soak_starts_again_when_the_plan_says_so(tmp_path):
    outcome, scene = played(tmp_path, "restart", 200)
    assert outcome.verdict is Verdict.PASS, outcome.reason
    begun = [event.mono for event in scene.of("step") if event.data["kind"] == "soak"]
    ended = [event.mono for event in scene.of("step end") if event.data["kind"] == "soak"]
    assert ended[0] - begun[0] >= 300


def test_soak_fails_when_the_plan_allows_no_interruption(tmp_path):
    outcome, _ = played(tmp_path, "fail", 200)
    assert outcome.verdict is Verdict.FAIL
    assert "interrupted" in outcome.reason


AFTERWARDS = (
    HEAD
    + """
  - {step: soak, for: 120 s, load: 100 %}
  - {step: measure, name: afterwards, signal: rack.level, over: 100 s, limit: {min: 99 %}}
"""
)


def test_a_completed_soak_is_not_asked_for_again_but_its_load_is(tmp_path):
    async def first() -> None:
        async def dying(scene: Scene) -> None:
            await scene.running("measure")
            await scene.clock.sleep(30)
            folder = scene.runner.journal.path.parent
            await scene.runner.journal.commit()
            shutil.copytree(folder, tmp_path / "second" / "runs" / folder.name)

        await play(project(AFTERWARDS, tmp_path), tmp_path, dying)

    async def second():
        folder = next((tmp_path / "second" / "runs").iterdir())
        return await play(project(AFTERWARDS, tmp_path), tmp_path / "second", None, resume=folder)

    run(first, rate=INF)
    outcome, scene = run(second, rate=INF)
    assert outcome.verdict is Verdict.PASS, outcome.reason
    kinds = [(s.step, s.attempt) for s in outcome.result.steps]
    assert kinds.count(("soak", 1)) == 1
    assert ("soak", 2) not in kinds
    assert any("rack.level is set to 100 % again" in event.text for event in scene.of("restored"))
    assert len(scene.of("resume")) == 1  # by these a later life counts how often the run was resumed
    assert verify(outcome.folder) == []


SKIPPED_GATE = """
schema: 1
plan: chaos
coverage: 95 %
steps:
  - {step: hold, name: gate, for: 30 s, watch: [{signal: cdu.flow, min: 1 L/min}]}
  - {step: ramp, name: later, control: cdu.flow_setpoint, to: 172 L/min, over: 60 s}
  - {step: power_on, outlets: pdu.outlet, stagger: 1 s}
"""


def test_a_gate_that_was_skipped_before_the_death_is_none_after_it(tmp_path):
    async def first() -> None:
        async def dying(scene: Scene) -> None:
            await scene.running("hold")
            assert obey(scene.runner, {"do": "skip"}, "sam")["ok"]
            await scene.running("ramp")
            await scene.clock.sleep(30)
            folder = scene.runner.journal.path.parent
            await scene.runner.journal.commit()
            shutil.copytree(folder, tmp_path / "second" / "runs" / folder.name)

        await play(project(SKIPPED_GATE, tmp_path), tmp_path, dying)

    async def second():
        folder = next((tmp_path / "second" / "runs").iterdir())
        return await play(project(SKIPPED_GATE, tmp_path), tmp_path / "second", None, resume=folder)

    run(first, rate=INF)
    outcome, scene = run(second, rate=INF)
    assert [(s.name, s.verdict) for s in outcome.result.steps] == [
        ("gate", Verdict.SKIPPED),
        ("later", Verdict.INTERRUPTED),
        ("later", Verdict.PASS),
        ("power on", Verdict.SKIPPED),
    ]
    assert not any(" on" in event.text for event in scene.of("intent"))


def test_a_changed_plan_is_refused_with_a_diff(tmp_path):
    def changed(folder):
        return project(BURN.replace("RULE", "credit").replace("max: 60 degC", "max: 70 degC"), folder)

    with pytest.raises(RunError) as refused:
        played(tmp_path, "credit", 50, again=changed)
    assert "plan.yaml has changed" in str(refused.value)
    assert "+      - {signal: cdu.supply_temperature, max: 70 degC" in str(refused.value)
    assert [summary.verdict for summary in list_runs(tmp_path / "second")] == ["INTERRUPTED"]


def test_other_hardware_is_refused_and_the_run_stays_as_it_was(tmp_path, monkeypatch):
    from harness.engine.resume import replay

    original = replay.read_past

    def swapped(folder, now_ns):
        past = original(folder, now_ns)
        past.identities["pdu"] = {**past.identities["pdu"], "serial": "SOMEBODY-ELSE"}
        return past

    monkeypatch.setattr("harness.engine.run.read_past", swapped)
    with pytest.raises(RunError, match="the hardware is another"):
        played(tmp_path, "credit", 50)
    assert [summary.verdict for summary in list_runs(tmp_path / "second")] == ["INTERRUPTED"]


def test_a_run_that_died_after_its_last_step_energises_nothing_again(tmp_path):
    async def first() -> None:
        async def dying(scene: Scene) -> None:
            await scene.until(lambda: bool(scene.of("safe action")))
            folder = scene.runner.journal.path.parent
            await scene.runner.journal.commit()
            shutil.copytree(folder, tmp_path / "second" / "runs" / folder.name)

        await play(project(BURN.replace("RULE", "credit"), tmp_path), tmp_path, dying)

    async def second() -> None:
        folder = next((tmp_path / "second" / "runs").iterdir())
        loaded = project(BURN.replace("RULE", "credit"), tmp_path)
        outcome, scene = await play(loaded, tmp_path / "second", resume=folder)
        assert outcome.verdict is Verdict.PASS, outcome.reason
        assert scene.of("step") == []
        assert not any("outlet[1] on" in event.text for event in scene.of("intent"))
        assert outcome.is_safe
        assert verify(outcome.folder) == []

    run(first, rate=INF)
    run(second, rate=INF)


def test_a_refusal_says_what_is_still_switched_on(tmp_path, monkeypatch):
    from harness.engine.resume import refusal

    async def two_on(devices, clock, stays_on):
        return refusal.Switches(on=("pdu.outlet[1]", "pdu.outlet[3]"))

    def changed(folder):
        return project(BURN.replace("RULE", "credit").replace("max: 60 degC", "max: 70 degC"), folder)

    monkeypatch.setattr(refusal, "read_switches", two_on)
    with pytest.raises(RunError) as refused:
        played(tmp_path, "credit", 50, again=changed)
    assert "found: pdu.outlet[1], pdu.outlet[3] are on" in str(refused.value)
    assert "harness safe" in str(refused.value)


def test_a_sealed_run_is_not_resumed(tmp_path):
    async def main() -> None:
        outcome, _ = await play(HEAD + "  - {step: hold, for: 3 s}\n", tmp_path)
        with pytest.raises(RunError, match="sealed"):
            await play(HEAD + "  - {step: hold, for: 3 s}\n", tmp_path, resume=outcome.folder)

    run(main, rate=INF)


def test_resumed_twice(tmp_path):
    """A run that dies in its second life too still knows the time of the first."""
    plan = BURN.replace("RULE", "credit")

    def dying(after, target):
        async def die(scene: Scene) -> None:
            await scene.running("soak")
            await scene.clock.sleep(after)
            await scene.runner.journal.commit()
            folder = scene.runner.journal.path.parent
            shutil.copytree(folder, target / "runs" / folder.name)

        return die

    def live(data, disturb, **options):
        return run(lambda: play(project(plan, tmp_path), data, disturb, **options), rate=INF)

    live(tmp_path / "one", dying(100, tmp_path / "two"))
    (folder,) = (tmp_path / "two" / "runs").iterdir()
    live(tmp_path / "two", dying(100, tmp_path / "three"), resume=folder)
    (folder,) = (tmp_path / "three" / "runs").iterdir()
    outcome, scene = live(tmp_path / "three", None, resume=folder)
    assert outcome.verdict is Verdict.PASS, outcome.reason
    assert [s.attempt for s in outcome.result.steps if s.step == "soak"] == [1, 2, 3]
    begun = [event.mono for event in scene.of("step") if event.data["kind"] == "soak"]
    ended = [event.mono for event in scene.of("step end") if event.data["kind"] == "soak"]
    assert 100 <= ended[0] - begun[0] <= 122
    assert verify(outcome.folder) == []
