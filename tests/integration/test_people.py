"""What people do to a run is told where its verdict is told: attempts, steps left out, pauses, words."""

from __future__ import annotations

import asyncio
import json

import pytest

from harness.cli.ui.verdict_block import plain_block
from harness.clock import run
from harness.engine.control import obey
from harness.limits.verdict import Verdict
from harness.record.attempts import latest
from harness.record.index import summarise
from harness.record.report import render_text
from harness.record.result import Result
from harness.record.verification import verify
from tests.chaos.rig import HEAD, SOAK, Scene, play

WARM = "  - {step: wait_until, name: warm, signal: cdu.supply_temperature, min: 40 degC, within: 20 s}\n"
AFTER = """
  - {step: measure, name: supply, signal: cdu.supply_temperature, over: 5 s, limit: {min: 5 degC, max: 90 degC}}
"""
OFF = HEAD.replace("  - {step: power_on, outlets: pdu.outlet, stagger: 1 s}\n", "")
"""The same head with the power left off."""


def virtual(main):
    return run(main, rate=float("inf"))


def held(scene: Scene):
    """Wait until the run is held after a step."""
    return scene.until(lambda: scene.runner.held_after is not None and scene.runner.operator.is_paused)


def make_warm(scene: Scene) -> None:
    scene.simulation.inject("sensor_offset:cdu.supply_temperature=18")


async def again(scene: Scene, times: int = 1, who: str = "kim") -> list[str]:
    """Ask for a held step again; what the run said."""
    said = []
    for _ in range(times):
        said.append(obey(scene.runner, {"do": "retry"}, who)["said"])
        await scene.clock.sleep(1)
        await held(scene)
    return said


def shown_everywhere(outcome, words: str) -> None:
    """The verdict block, the list of runs, the report and the record say it."""
    stored = Result.from_bytes((outcome.folder / "result.json").read_bytes())
    one = summarise(outcome.folder)
    assert words in outcome.reason
    assert words in stored.reason
    assert words in plain_block(outcome)
    assert words in render_text(outcome.folder)
    assert any(words in line for line in (one.reason, *one.reported))
    assert verify(outcome.folder) == []


def test_a_pass_after_an_allowed_attempt_says_so(tmp_path):
    async def deciding(scene: Scene) -> None:
        await held(scene)
        make_warm(scene)
        obey(scene.runner, {"do": "retry"}, "kim")

    async def main() -> None:
        plan = OFF + WARM.replace("within: 20 s", "within: 20 s, attempts: 2") + AFTER
        outcome, _ = await play(plan, tmp_path, deciding, hold_on_fail=True)
        assert outcome.verdict is Verdict.PASS, outcome.reason
        assert outcome.hint == "", "what to do belongs to the attempt that counts"
        shown_everywhere(outcome, "warm at attempt 2 of 2, asked for by kim")

    virtual(main)


def test_the_plan_allows_attempts_of_all_its_steps(tmp_path):
    async def deciding(scene: Scene) -> None:
        await held(scene)
        await again(scene)
        make_warm(scene)
        obey(scene.runner, {"do": "retry"}, "kim")

    async def main() -> None:
        plan = OFF.replace("title:", "attempts: 3\ntitle:") + WARM + AFTER
        outcome, _ = await play(plan, tmp_path, deciding, hold_on_fail=True)
        assert outcome.verdict is Verdict.PASS, outcome.reason
        shown_everywhere(outcome, "warm at attempt 3 of 3, asked for by kim")

    virtual(main)


def test_retrying_until_it_passes_is_a_fail(tmp_path):
    async def deciding(scene: Scene) -> None:
        await held(scene)
        said = await again(scene, 4)
        assert all("for the record: its FAIL stays" in line for line in said)
        make_warm(scene)
        obey(scene.runner, {"do": "retry"}, "kim")

    async def main() -> None:
        outcome, _ = await play(OFF + WARM + AFTER, tmp_path, deciding, hold_on_fail=True)
        assert [s.verdict for s in outcome.result.steps if s.name == "warm"] == [*[Verdict.FAIL] * 5, Verdict.PASS]
        assert outcome.verdict is Verdict.FAIL
        assert outcome.exit_code == 1
        assert outcome.reason.startswith("warm: cdu.supply_temperature is ")
        shown_everywhere(outcome, "warm was done again 5 times, asked for by kim: the FAIL of attempt 1 counts")

    virtual(main)


@pytest.mark.parametrize("last", ["skip", "retry"])
def test_nothing_is_energised_after_a_step_that_failed(tmp_path, last):
    async def deciding(scene: Scene) -> None:
        await held(scene)
        if last == "retry":
            make_warm(scene)
        obey(scene.runner, {"do": last}, "kim")

    async def main() -> None:
        plan = OFF + WARM + AFTER + "  - {step: power_on, outlets: pdu.outlet}\n  - {step: hold, name: on, for: 5 s}\n"
        live: list[float] = []

        async def looking(scene: Scene) -> None:
            await deciding(scene)
            while True:
                live.append(sum(scene.outlets()))
                await scene.clock.sleep(0.5)

        outcome, _ = await play(plan, tmp_path, looking, hold_on_fail=True)
        verdicts = {s.name: s.verdict for s in outcome.result.steps}
        assert verdicts["supply"] is Verdict.PASS, "what energises nothing is carried out, for the record"
        assert verdicts["power on"] is verdicts["on"] is Verdict.SKIPPED
        assert sum(live) == 0
        assert outcome.exit_code == 1

    virtual(main)


def test_skipping_after_many_fails_is_a_fail(tmp_path):
    async def deciding(scene: Scene) -> None:
        await held(scene)
        await again(scene, 3)
        obey(scene.runner, {"do": "retry"}, "kim")
        await scene.running("wait_until")
        await scene.clock.sleep(1)
        obey(scene.runner, {"do": "skip"}, "kim")

    async def main() -> None:
        outcome, _ = await play(OFF + WARM + AFTER, tmp_path, deciding, hold_on_fail=True)
        assert outcome.result.steps[-2].verdict is Verdict.SKIPPED
        assert (outcome.verdict, outcome.exit_code) == (Verdict.FAIL, 1)
        shown_everywhere(outcome, "the FAIL of attempt 1 counts")
        assert "warm skipped by kim" in plain_block(outcome)

    virtual(main)


@pytest.mark.parametrize("do", ["skip", "retry"])
def test_a_limit_that_was_violated_stays_so_when_the_step_is_left(tmp_path, do):
    """Whoever watches the screen must not be able to leave a step just before its FAIL is written down."""
    plan = (
        HEAD + "  - {step: hold, for: 60 s, watch: [{signal: cdu.supply_temperature, max: 45 degC, on_fail: continue}]}"
    )

    async def leaving(scene: Scene) -> None:
        await scene.running("hold")
        await scene.clock.sleep(5)
        scene.simulation.inject("sensor_offset:cdu.supply_temperature=18")
        await scene.clock.sleep(5)
        scene.simulation.plant.clear("sensor_offset")
        obey(scene.runner, {"do": do}, "kim")

    async def main() -> None:
        outcome, _ = await play(plan, tmp_path, leaving)
        assert outcome.verdict is Verdict.FAIL, outcome.reason
        assert "by kim" in outcome.reason
        assert verify(outcome.folder) == []

    virtual(main)


def test_a_step_that_the_station_kept_from_being_judged_is_done_again_freely(tmp_path):
    plan = OFF.replace("95 %", "90 %") + (
        "  - {step: hold, for: 3 s}\n"
        "  - {step: check, name: look, conditions: [{signal: cdu.filter_pressure_drop, max: 90 kPa}]}" + AFTER
    )

    async def mending(scene: Scene) -> None:
        await scene.running("hold")
        scene.simulation.inject("sensor_nan:cdu.filter_pressure_drop")
        await held(scene)
        assert "could not be judged" in scene.of("operator")[-1].text
        await again(scene, 2)
        scene.simulation.plant.clear("sensor_nan")
        await scene.clock.sleep(3)
        obey(scene.runner, {"do": "retry"}, "kim")

    async def main() -> None:
        outcome, _ = await play(plan, tmp_path, mending, hold_on_fail=True)
        assert outcome.verdict is Verdict.PASS, outcome.reason
        shown_everywhere(outcome, "look at attempt 4 of 4, asked for by kim")

    virtual(main)


def test_pauses_are_told_with_who_and_how_long(tmp_path):
    async def pausing(scene: Scene) -> None:
        await scene.running("soak")
        for seconds in (10, 20):
            obey(scene.runner, {"do": "pause"}, "kim")
            obey(scene.runner, {"do": "pause"}, "lee")  # held already
            await scene.clock.sleep(seconds)
            obey(scene.runner, {"do": "continue"}, "lee")
            await scene.clock.sleep(1)

    async def main() -> None:
        outcome, _ = await play(SOAK, tmp_path, pausing)
        assert outcome.verdict is Verdict.PASS, outcome.reason
        assert [(one.who, one.step, round(one.held_s)) for one in outcome.result.people] == [
            ("kim", "soak", 10),
            ("kim", "soak", 20),
        ]
        for shown in (plain_block(outcome), render_text(outcome.folder), "\n".join(summarise(outcome.folder).reported)):
            assert "held for 30 s by kim in soak" in shown

    virtual(main)


def test_a_pause_that_an_abort_ends_is_told(tmp_path):
    async def pausing(scene: Scene) -> None:
        await scene.running("soak")
        obey(scene.runner, {"do": "pause"}, "kim")
        await scene.clock.sleep(10)
        obey(scene.runner, {"do": "abort"}, "kim")

    async def main() -> None:
        outcome, _ = await play(SOAK, tmp_path, pausing)
        assert outcome.verdict is Verdict.ABORTED
        (one,) = outcome.result.people
        assert one.held_s == pytest.approx(10, abs=0.5)

    virtual(main)


def test_words_of_people_are_in_the_record_with_who_and_when(tmp_path):
    words = "hose 3 was\nchanged \x1b[2J\u202e\x07 twice"

    async def talking(scene: Scene) -> None:
        await scene.running("soak")
        assert obey(scene.runner, {"do": "note", "name": words}, "kim")["ok"]
        obey(scene.runner, {"do": "pause"}, "kim")
        assert obey(scene.runner, {"do": "note", "name": "held for lunch"}, "kim")["ok"]
        assert scene.runner.operator.is_paused, "a note does not end a pause"
        obey(scene.runner, {"do": "continue"}, "kim")
        assert not obey(scene.runner, {"do": "note", "name": " \n "}, "kim")["ok"]
        assert "300 are the most" in obey(scene.runner, {"do": "note", "name": "x" * 301}, "kim")["said"]

    async def main() -> None:
        outcome, _ = await play(SOAK, tmp_path, talking)
        assert outcome.verdict is Verdict.PASS, outcome.reason
        notes = [one for one in outcome.result.people if one.did == "note"]
        assert [(one.who, one.step, one.text) for one in notes] == [
            ("kim", "soak", "hose 3 was changed [2J twice"),
            ("kim", "soak", "held for lunch"),
        ]
        assert all(one.at for one in notes)
        for shown in (plain_block(outcome), render_text(outcome.folder)):
            assert "hose 3 was changed [2J twice" in shown
            assert "\x1b" not in shown
        assert verify(outcome.folder) == []

    virtual(main)


def test_there_is_an_end_of_notes(tmp_path):
    async def talking(scene: Scene) -> None:
        await scene.running("soak")
        said = [obey(scene.runner, {"do": "note", "name": "x" * 300}, "kim")["ok"] for _ in range(150)]
        assert said.count(True) == 100

    async def main() -> None:
        outcome, _ = await play(SOAK, tmp_path, talking)
        assert len(outcome.result.people) == 100

    virtual(main)


def test_notes_may_be_written_while_the_rack_is_made_safe(tmp_path):
    async def talking(scene: Scene) -> None:
        await scene.running("soak")
        await scene.clock.sleep(30)
        obey(scene.runner, {"do": "abort"}, "kim")
        assert obey(scene.runner, {"do": "note", "name": "smoke seen"}, "kim")["ok"]

    async def main() -> None:
        outcome, _ = await play(SOAK, tmp_path, talking)
        assert [one.text for one in outcome.result.people] == ["smoke seen"]

    virtual(main)


def test_the_status_counts_steps_of_the_plan_not_attempts(tmp_path):
    seen: list[dict] = []

    async def deciding(scene: Scene) -> None:
        await held(scene)
        await again(scene, 3)
        make_warm(scene)
        obey(scene.runner, {"do": "retry"}, "kim")
        await asyncio.sleep(0)
        while True:
            seen.append(obey(scene.runner, {"do": "status"}, "kim")["status"])
            await scene.clock.sleep(0.5)

    async def main() -> None:
        outcome, _ = await play(OFF + WARM + AFTER, tmp_path, deciding, hold_on_fail=True)
        running = [one for one in seen if one["step"]]
        assert {(one["step"], one["steps_done"]) for one in running} <= {("warm", 1), ("supply", 2)}
        assert all(one["steps_done"] <= one["steps"] == 3 for one in seen)
        assert {one["attempt"] for one in running if one["step"] == "warm"} <= {5}
        assert json.loads((outcome.folder / "result.json").read_text())["reason"] == outcome.reason
        assert len(latest(outcome.result.steps)) == 3

    virtual(main)
