"""Steps say what they are: what a resumed run, the gates and the time left know of a step of others comes from it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import ClassVar

import pytest

from harness.api import Accused, Bounds, Params, Resume, StepFailedError, Verdict, step
from harness.cli.ui.time_left import remaining
from harness.engine.record_size import planned_total
from harness.engine.resume.reconcile import reconcile
from harness.engine.resume.replay import InterruptedRun, PastStep
from harness.project.checks.coverage import no_evidence
from harness.project.gates import puts_power_on
from harness.project.plan import load_project
from harness.project.station import load_station
from tests.plan_runs import STATION, install_steps, run_plan, write_plan

SOURCE = Path(__file__).parents[2] / "harness"
BY_NAME = re.compile(r"definition\.name (==|!=|in |not in )|(==|!=) \w+\.definition\.name")


class Plain(Params):
    """A step that says nothing of itself."""


class Wait(Params):
    """It waits for the rack."""

    after_resume: ClassVar[Resume] = Resume.WAIT

    def planned_seconds(self, _catalog):
        """The rack decides."""


class Work(Params):
    """It sets a workload, for an hour."""

    after_resume: ClassVar[Resume] = Resume.TIME

    @property
    def sets_load(self):
        """Always."""
        return True

    def planned_seconds(self, _catalog):
        """An hour."""
        return 3600.0


class Off(Params):
    """It switches off whatever it names."""

    @property
    def switches_off(self):
        """Always."""
        return True


THEIRS = {"plain": Plain, "work": Work, "wait": Wait, "off": Off}


def of_others(name, model):
    async def run(ctx, p):
        """Somebody's step."""

    run.__annotations__ = {"p": model}
    return step(name, version=1)(run)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A plan of steps of others, which say different things of themselves."""
    install_steps(monkeypatch, *(of_others(name, model) for name, model in THEIRS.items()))
    path = write_plan(tmp_path, "".join(f"- {{step: {name}}}\n" for name in (*THEIRS, "plain")))
    return load_project(path, load_station(STATION))


def test_the_time_left_asks_the_step(project):
    _, work, _, off, _ = steps = project.steps
    assert planned_total(project) == 1 + 3600 + 0 + 1 + 1
    assert remaining(project, 1, work, 600, steps) == (3002, False)
    assert remaining(project, 3, off, 0, steps) == (2, True)


def test_the_gates_ask_the_step(project):
    assert [step.title for step in project.steps if puts_power_on(project, step)] == ["work"]


class Unreadable:
    """A device whose controls tell nothing: what was set there counts as changed."""

    class expansion:
        controls: ClassVar[dict] = {}


@pytest.mark.parametrize(
    ("changed", "again", "restored"),
    [("plain", ["plain", "wait"], []), ("work", ["wait"], ["work"]), ("off", ["off"], [])],
)
def test_a_resumed_run_asks_the_step(changed, again, restored, project):
    *done, _ = project.steps
    past = InterruptedRun(Path("run"), steps={step.path: PastStep(goes_on=True) for step in done})
    keys = dict(zip(THEIRS, [step.path for step in done], strict=True))
    past.steps[keys[changed]].commands[("pdu", "outlet[1]")] = "on"
    asyncio.run(reconcile(past, project, {"pdu": Unreadable()}))
    assert past.redo == {keys[name] for name in again}
    assert list(past.restore) == [keys[name] for name in restored]


class OfTheStation(Params):
    """It looks at the station's own instruments."""

    accuses: ClassVar[Accused] = Accused.STATION


@pytest.mark.parametrize("model", [Plain, OfTheStation])
@pytest.mark.parametrize("how", ["it fails", "it measures"])
def test_whom_a_step_accuses_is_who_gets_the_blame(model, how, tmp_path, monkeypatch):
    async def run(ctx, p):
        """Find something wrong."""
        if how == "it fails":
            raise StepFailedError("the reference is off", hint="call the calibration")
        ctx.measure("reference", "cdu.flow", 1e6, ctx.resolve(Bounds(max="1 L/min"), "cdu.flow"))

    run.__annotations__ = {"p": model}
    install_steps(monkeypatch, step("look", version=1)(run))
    ran = run_plan(write_plan(tmp_path, "- {step: look}\n- {step: hold, for: 2 s}"), tmp_path)
    wanted = Verdict.FAIL if model is Plain else Verdict.ERROR
    assert ran.outcome.verdict is wanted, ran.reason
    assert ran.step("look").verdict is wanted
    assert [each.name for each in ran.outcome.result.steps if each.verdict is not Verdict.SKIPPED] == ["look"]


def test_check_asks_the_steps_whether_a_plan_proves_anything(tmp_path):
    on = load_station(STATION)
    blind = write_plan(tmp_path, "- {step: hold, for: 2 s}\n- {step: set, control: rack.level, to: 0 %}")
    assert no_evidence(load_project(blind, on)) == [
        "no step of this plan measures anything against a limit: it can only end INCONCLUSIVE"
    ]
    for seeing in ("hold, for: 2 s, watch: [{signal: cdu.flow, min: 1 L/min}]", "check, conditions: [FULL]"):
        line = seeing.replace("FULL", "{signal: cdu.level, equals: ok}")
        assert no_evidence(load_project(write_plan(tmp_path, f"- {{step: {line}}}"), load_station(STATION))) == []


def test_nobody_guesses_what_the_parameters_of_a_step_are_called():
    guessed = [
        f"{path.relative_to(SOURCE)}:{number}"
        for path in sorted(SOURCE.rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"getattr\([a-z_.]*params, \"", line)
    ]
    assert guessed == []


def test_nothing_but_the_steps_knows_a_step_by_its_name():
    guessed = [
        f"{path.relative_to(SOURCE)}:{number}"
        for path in sorted(SOURCE.rglob("*.py"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if BY_NAME.search(line)
    ]
    assert guessed == []
