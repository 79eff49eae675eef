"""However foreign code ends, wherever it runs: never a PASS, never exit code 0 or 1, a sealed record, a safe rack.

Every kind of ending in every place: the judges are the ground truth of the simulated rack and `verify`.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.device.device import Device
from harness.errors import HarnessError
from harness.limits import derived
from harness.limits.verdict import Verdict
from harness.record.verification import verify
from tests.plan_runs import ROOT, run_plan, write_plan
from tests.tools.look_again import look_again

STEPS = '''
import asyncio
import contextvars
from collections.abc import Callable
from harness.api import Params, StepContext, step

how: Callable[[], object] = lambda: None
where = ""
kept = []


class Nothing(Params):
    """No parameters."""


async def lost():
    raise ValueError("in the background")


async def lasting(ctx):
    while True:
        try:
            await ctx.sleep(1)
        except asyncio.CancelledError:
            if where == "deaf":
                continue
            raise


@step("odd", version=1)
async def odd(ctx: StepContext, p: Nothing) -> None:
    """End oddly."""
    if where == "step":
        return how()
    if where == "awaited":
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future
    if where == "task":
        asyncio.get_running_loop().create_task(acting())
    if where == "lost":
        asyncio.get_running_loop().create_task(lost())
    if where == "held":
        ctx.kept = asyncio.ensure_future(lost())
    if where == "kept task":
        kept.append(asyncio.get_running_loop().create_task(lost(), context=contextvars.Context()))
    if where == "kept task of nobody":  # made where nothing tells of which step it is
        loop = asyncio.get_running_loop()
        loop.call_later(2, lambda: kept.append(loop.create_task(lost())), context=contextvars.Context())
    if where == "kept future":
        kept.append(asyncio.get_running_loop().create_future())
        kept[-1].set_exception(ValueError("in the future"))
    if where == "kept later":
        kept.append(asyncio.get_running_loop().create_future())
        asyncio.get_running_loop().call_later(2, kept[-1].set_exception, ValueError("in the future"))
    if where == "kept and looked at":
        kept.append(asyncio.ensure_future(lost()))
        await asyncio.gather(*kept, return_exceptions=True)
    if where in ("left", "deaf"):
        asyncio.get_running_loop().create_task(lasting(ctx))
    if where == "callback":
        asyncio.get_running_loop().call_later(0.5, how)
    if where == "listener":
        with ctx.listening("cdu.flow", lambda *_: how()):
            await ctx.sleep(3)
    await ctx.sleep(1)


async def acting():
    how()
'''


class OwnError(BaseException):
    """An exception that is no Exception."""


class UnspeakableError(Exception):
    """One whose text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def raising(error):
    def end():
        raise error

    return end


def cancel_itself():
    task = asyncio.current_task()
    if task is not None:
        task.cancel()


def cancel_everybody():
    for task in asyncio.all_tasks():
        task.cancel()


ENDINGS = {
    "exit 0": raising(SystemExit(0)),
    "exit 1": raising(SystemExit(1)),
    "exit with a text": raising(SystemExit("bye")),
    "exit with nothing": raising(SystemExit()),
    "keyboard": raising(KeyboardInterrupt()),
    "cancelled": raising(asyncio.CancelledError("of something inside")),
    "own kind": raising(OwnError("mine")),
    "generator": raising(GeneratorExit()),
    "stop iteration": raising(StopIteration(5)),
    "group": raising(BaseExceptionGroup("two", [SystemExit(0), ValueError("b")])),
    "unspeakable": raising(UnspeakableError()),
    "no utf-8": raising(ValueError("caf\udce9")),
    "no utf-8, of the harness": raising(HarnessError("caf\udce9", hint="\udce9")),
    "cancels itself": cancel_itself,
    "cancels everybody": cancel_everybody,
}
HARMLESS = {("cancelled", "task"), ("cancels itself", "task"), ("cancels itself", "callback")}
"""A task of its own that a step cancels is nobody's failure; a callback has no task to cancel."""
PLACES = ("setup", "steps", "cleanup", "task", "callback", "listener", "driver", "derived", "prompter", "start")
PLAN = """\
setup:
- {step: power_on, outlets: pdu.outlet, stagger: 50 ms}
SETUP
steps:
- {step: measure, name: flow, signal: cdu.flow, over: 2 s, limit: {min: 100 L/min}}
STEPS
- {step: hold, for: 4 s}
cleanup:
- {step: hold, name: at the end, for: 1 s}
CLEANUP
"""


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """A step package of somebody else, installed for one test; `how` is what its step does, `where` in which place."""
    install(tmp_path / "lib", STEPS)
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    look_again()
    import acme_steps

    yield acme_steps
    sys.modules.pop("acme_steps")
    look_again()


def install(folder, source):
    info = folder / "acme.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[harness.steps]\nodd = acme_steps:odd\n")
    (folder / "acme_steps.py").write_text(source)


def plan_with(folder, place):
    section = place if place in ("setup", "cleanup") else "steps"
    text = "- {step: prompt, text: well}" if place == "prompter" else "- {step: odd}"
    body = PLAN
    for each in ("SETUP", "STEPS", "CLEANUP"):
        is_here = each.lower() == section and place not in ("driver", "derived", "start")
        body = body.replace(f"{each}\n", f"{text}\n" if is_here else "")
    path = folder / "plan.yaml"
    path.write_text(f"schema: 1\nplan: trial\ncoverage: 90 %\n{body}")
    return path


def put(place, how, acme, monkeypatch, options):
    """Let `how` happen at a place of a run."""
    acme.how = how
    acme.where = place if place in ("task", "callback", "listener") else "step"
    if place == "driver":
        poll, seen = Device.poll, []

        async def odd(self):
            frame = await poll(self)
            seen.append(frame)
            if len(seen) == 30:
                how()
            return frame

        monkeypatch.setattr(Device, "poll", odd)
    if place == "derived":
        whole, seen_ = derived.FUNCTIONS["temperature_difference"], []

        def computed(**inputs):
            seen_.append(inputs)
            if len(seen_) == 10 or (len(seen_) > 10 and how not in (cancel_itself, cancel_everybody)):
                how()
            return whole.compute(**inputs)

        monkeypatch.setitem(derived.FUNCTIONS, "temperature_difference", replace(whole, compute=computed))
    if place == "prompter":

        async def prompter(question, answers):
            how()
            return "yes"

        options["prompter"] = prompter
    if place == "start":
        options["during"] = lambda runner, simulation: how() and None


def every_kind_in_every_place():
    """All of them in the long form; in the short one the commonest everywhere, and the others in two places each."""
    common = ("exit 0", "keyboard", "cancelled")
    for k, ending in enumerate(ENDINGS):
        for n, place in enumerate(PLACES):
            if (ending, place) not in HARMLESS:
                is_short = ending in common or (k + n) % 5 == 0
                yield pytest.param(ending, place, marks=() if is_short else pytest.mark.slow, id=f"{ending}-{place}")


@pytest.mark.parametrize(("ending", "place"), list(every_kind_in_every_place()))
def test_no_ending_of_foreign_code_is_a_pass(ending, place, tmp_path, acme, monkeypatch):
    options: dict = {}
    put(place, ENDINGS[ending], acme, monkeypatch, options)
    ran = run_plan(plan_with(tmp_path, place), tmp_path, **options)
    assert ran.outcome.verdict is Verdict.ERROR, ran.reason
    assert ran.exit_code == 3
    assert ran.outcome.is_sealed
    assert verify(ran.outcome.folder) == []
    assert ran.on == [], "the rack is off in truth"
    ran.reason.encode("utf-8")


@pytest.mark.parametrize("where", ["awaited", "lost", "held", "deaf"])
@pytest.mark.parametrize("section", ["setup", "steps", "cleanup"])
def test_what_only_a_coroutine_can_do_wrong(where, section, tmp_path, acme):
    acme.where = where
    ran = run_plan(plan_with(tmp_path, section), tmp_path)
    assert (ran.outcome.verdict, ran.exit_code, ran.outcome.is_sealed, ran.on) == (Verdict.ERROR, 3, True, [])
    assert "'odd'" in ran.reason
    assert ran.outcome.hint == "tell whoever wrote acme_steps"


@pytest.mark.parametrize("where", ["kept task", "kept task of nobody", "kept future", "kept later"])
def test_a_failure_that_somebody_keeps_and_nobody_looks_at_is_no_pass(where, tmp_path, acme):
    acme.where = where
    ran = run_plan(plan_with(tmp_path, "steps"), tmp_path)
    assert (ran.outcome.verdict, ran.exit_code, ran.outcome.is_sealed, ran.on) == (Verdict.ERROR, 3, True, [])
    assert "nobody looked" in ran.reason
    assert verify(ran.outcome.folder) == []


def test_a_failure_that_was_looked_at_is_none(tmp_path, acme):
    acme.where = "kept and looked at"
    ran = run_plan(plan_with(tmp_path, "steps"), tmp_path)
    assert ran.outcome.verdict is Verdict.PASS, ran.reason


@pytest.mark.parametrize("value", [False, 0, "FAIL", [], Verdict.PASS], ids=repr)
def test_a_step_returns_nothing(value, tmp_path, acme):
    acme.where, acme.how = "step", lambda: value
    ran = run_plan(plan_with(tmp_path, "steps"), tmp_path)
    assert (ran.outcome.verdict, ran.exit_code) == (Verdict.ERROR, 3)
    assert f"it returned {value!r}: a step returns nothing" in ran.reason


def test_a_task_left_running_is_ended_with_its_step_and_said(tmp_path, acme):
    acme.where = "left"
    ran = run_plan(plan_with(tmp_path, "steps"), tmp_path)
    assert ran.outcome.verdict is Verdict.PASS, ran.reason
    assert "odd left 1 of its tasks running: they were ended" in ran.texts("note")


def test_a_screen_that_fails_is_told_nothing_more_and_costs_no_rack(tmp_path, acme):
    acme.where = "nowhere"
    seen = []

    def screen(event):
        seen.append(event)
        if len(seen) == 30:
            raise SystemExit(0)

    ran = run_plan(plan_with(tmp_path, "steps"), tmp_path, observers=[screen])
    assert (ran.outcome.verdict, ran.exit_code, ran.outcome.is_sealed) == (Verdict.PASS, 0, True)
    assert len(seen) == 30
    assert any("a screen failed" in text for text in ran.texts("bug"))


def test_a_step_that_is_over_can_do_nothing_more(tmp_path, acme):
    """What a step left behind where nobody can end it does not reach the run, and is no PASS."""
    odd = acme.odd.run

    async def leaving(ctx, p):
        asyncio.get_running_loop().call_later(2, ctx.tell, "I am still here")

    object.__setattr__(acme.odd, "run", leaving)
    try:
        ran = run_plan(plan_with(tmp_path, "steps"), tmp_path)
    finally:
        object.__setattr__(acme.odd, "run", odd)
    assert (ran.outcome.verdict, ran.exit_code, ran.on) == (Verdict.ERROR, 3, [])
    assert "step 'odd' is over" in ran.reason
    assert "I am still here" not in ran.texts("note")


# --- the whole command, code that runs at import included -------------------------------------------------------------

AT_IMPORT = {
    "exits": "import sys\nsys.exit(0)\n",
    "raises": "raise RuntimeError('boom')\n",
    "misses a module": "import no_such_module_of_acme\n",
    "own kind": "class E(BaseException): pass\nraise E\n",
    "exits when asked": "import sys\ndef __getattr__(name): sys.exit(0)\n",
    "is no step": "odd = 1\n",
}
POOR = {
    "its parameters exit": """
    def check_against(self, catalog, limits):
        raise SystemExit(0)
""",
    "its parameters are interrupted": """
    def check_against(self, catalog, limits):
        raise KeyboardInterrupt
""",
    "its parameters are cancelled": """
    def check_against(self, catalog, limits):
        import asyncio
        raise asyncio.CancelledError
""",
    "its parameters lose a pipe": """
    def check_against(self, catalog, limits):
        raise BrokenPipeError
""",
}


def command(tmp_path, plan, *words):
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "lib"), "HARNESS_DATA": str(tmp_path / "data")}
    return subprocess.run(
        [str(Path(sys.executable).parent / "harness"), *words, str(plan), "--simulate", "--virtual"],
        check=False,
        env=env,
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=60,
    )


@pytest.mark.parametrize("kind", AT_IMPORT)
def test_a_package_that_breaks_at_import_is_named_and_stops_only_plans_that_need_it(kind, tmp_path):
    install(tmp_path / "lib", AT_IMPORT[kind])
    needs = command(tmp_path, write_plan(tmp_path, "- {step: odd}"), "run")
    assert needs.returncode == 2, needs.stderr
    assert "step 'odd' cannot be used" in needs.stderr
    assert "acme 1.0" in needs.stderr
    assert not list((tmp_path / "data").glob("*")), "nothing was begun"
    without = command(
        tmp_path, write_plan(tmp_path, "- {step: hold, for: 2 s, watch: [{signal: cdu.flow, min: 1 L/min}]}"), "run"
    )
    assert without.returncode == 0, without.stderr
    assert "acme" not in without.stderr, "what nobody needs is not imported"
    doctor = subprocess.run(
        [str(Path(sys.executable).parent / "harness"), "doctor"],
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "lib"), "HARNESS_DATA": str(tmp_path / "data")},
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert doctor.returncode == 3, doctor.stdout
    assert "WRONG the package acme 1.0 (entry point 'odd' of harness.steps) cannot be loaded" in doctor.stdout


@pytest.mark.parametrize("kind", POOR)
def test_code_that_ends_the_process_before_the_run_is_no_verdict(kind, tmp_path):
    source = STEPS.replace('    """No parameters."""\n', f'    """No parameters."""\n{POOR[kind]}')
    install(tmp_path / "lib", source)
    ended = command(tmp_path, write_plan(tmp_path, "- {step: odd}"), "run")
    assert ended.returncode not in (0, 1), ended.stdout
    assert "Traceback" not in ended.stderr


PROCESS_ENDS = {
    "at once": "os._exit(0)",
    "by another name": "end(0)",
    "with a verdict's code": "os._exit(status=1)",
    "below os": "posix._exit(0)",
    "in a thread": "threading.Thread(target=os._exit, args=(0,)).start()",
    "as another program": "os.execv('/bin/true', ['true'])",
    "as another program, found": "os.execlp('true', 'true')",
}
LEAVING = """
import os, posix, threading
from os import _exit as end
from harness.api import Params, StepContext, step

class Nothing(Params):
    pass

@step("odd", version=1)
async def odd(ctx: StepContext, p: Nothing) -> None:
    HOW
    await ctx.sleep(1)
"""


@pytest.mark.parametrize("how", PROCESS_ENDS)
def test_code_that_ends_the_process_ends_it_without_a_verdict(how, tmp_path):
    install(tmp_path / "lib", LEAVING.replace("HOW", PROCESS_ENDS[how]))
    done = command(tmp_path, plan_with(tmp_path, "steps"), "run")
    assert done.returncode == 70, done.stderr
    assert "ended the process of the run: there is no verdict" in done.stderr


def test_a_process_that_a_step_forks_ends_as_it_likes(tmp_path):
    forks = "os.waitpid(os.fork() or os._exit(0), 0)"
    install(tmp_path / "lib", LEAVING.replace("HOW", forks))
    done = command(tmp_path, plan_with(tmp_path, "steps"), "run")
    assert done.returncode == 0, done.stderr
