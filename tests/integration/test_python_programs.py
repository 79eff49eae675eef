"""Programs that use a rack: notebooks, loops of their own, what is cancelled, and what nobody should do with one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future

import pytest

import harness
from harness.api import Bounds, ConfigError, Params, Quality, Quantity, Reading, RunError, step
from harness.own_loop import OwnLoop
from harness.testing import run_plan, run_step
from tests.integration.cli_tools import environment, simulation
from tests.integration.test_packages import PLAN as MEASURES

SOAK = """schema: 1
plan: trial
steps:
  - {step: power_on, outlets: pdu.outlet}
  - {step: measure, signal: cdu.flow, over: 5 s, limit: {max: 900 L/min}}
  - {step: hold, for: 10 min}
"""


SCRIPT = """import harness, threading, time

def watch(rack):
    while rack.truth()["outlet[1].state"] == 0:
        time.sleep(0.1)
    print("on", flush=True)

with harness.simulated_rack() as rack:
    threading.Thread(target=watch, args=[rack], daemon=True).start()
    try:
        for serial in ("RACK-1", "RACK-2"):
            rack.run("plan.yaml", serial=serial, data=".")
    finally:
        print(sum(rack.truth()[f"outlet[{k}].state"] for k in range(1, 9)), flush=True)
"""


class Nothing(Params):
    """No parameters."""


@step("forever", version=1)
async def forever(ctx, p: Nothing) -> None:
    """Wait for what never comes."""
    await asyncio.Event().wait()


@step("misspelt", version=1)
async def misspelt(ctx, p: Nothing) -> None:
    """Measure what there is not, as good as it may be."""
    ctx.measure("a", "cdu.flwo", 5.0, ctx.resolve(Bounds(max="10 L/min"), "cdu.flow"))


@step("measure", version=1)
async def shadow(ctx, p: Nothing) -> None:
    """Another measure."""


def test_a_cell_of_a_notebook_has_a_loop_and_uses_a_rack_all_the_same(tmp_path):
    async def cell() -> str:
        with harness.simulated_rack(virtual=True) as rack:
            assert rack["cdu.flow"].read() > "150 L/min"
            rack["pdu.outlet[1]"].set("on")
            assert rack.truth()["outlet[1].state"] == 1
            return rack.run("smoke", serial="RACK-0001", data=tmp_path).verdict

    assert asyncio.run(cell()) == "PASS"


def test_a_rack_stays_open_over_cells_and_its_time_stands_between_them():
    rack = harness.simulated_rack(virtual=True)
    rack.open()
    before = rack["cdu.flow"].read().mono
    time.sleep(0.3)
    between = rack["cdu.flow"].read().mono
    rack.wait(100.0)
    assert between - before < 0.3
    assert rack["cdu.flow"].read().mono - between >= 100.0
    rack.close()
    rack.close()
    with pytest.raises(ConfigError, match="the rack is not open"):
        rack["cdu.flow"].read()


def test_what_was_opened_is_opened_once():
    with harness.simulated_rack(virtual=True) as rack:
        rack["pdu.outlet[3]"].set("on")
        with pytest.raises(ConfigError, match="the rack is open already"):
            rack.__enter__()
        assert rack.truth()["outlet[3].state"] == 1
    with pytest.raises(ConfigError, match="the rack was closed"):
        rack.open()
    with pytest.raises(ConfigError, match="the rack is not open"):
        rack.truth()
    with pytest.raises(ConfigError, match="the rack is not open"):
        harness.simulated_rack().truth()


def test_a_rack_that_was_never_opened_or_is_closed_contacts_nobody(tmp_path):
    """Not even the devices of the station, which a simulation stands for."""
    with simulation(tmp_path) as (station, truth, _):
        rack = harness.AsyncRack(station, simulate=True)
        for work in (
            lambda: rack.run("smoke", serial="R"),
            lambda: rack.read("cdu.flow"),
            lambda: rack.set("pdu.outlet", "on"),
        ):
            with pytest.raises(ConfigError, match="the rack is not open"):
                asyncio.run(work())

        async def opened_and_closed() -> None:
            async with rack:
                await rack.read("cdu.flow")
            for work in (rack.run("smoke", serial="R"), rack.read("cdu.flow"), rack.set("pdu.outlet", "on")):
                with pytest.raises(ConfigError, match="the rack is not open"):
                    await work

        asyncio.run(opened_and_closed())
        assert truth.outlets_on() == []


def test_virtual_time_needs_its_own_loop():
    async def main() -> Reading:
        async with harness.AsyncRack("simulated", simulate=True, virtual=True) as rack:
            return await rack.read("cdu.flow")

    with pytest.raises(ConfigError, match=r"this loop keeps real time.*harness\.virtual_time"):
        asyncio.run(main())
    assert harness.virtual_time(main) > "150 L/min"


def test_while_a_run_has_the_rack_nothing_else_has_it(tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text(SOAK)

    async def main() -> list[object]:
        async with harness.AsyncRack("simulated", simulate=True, virtual=True) as rack:
            work = [
                rack.run(plan, serial="RACK-0001", data=tmp_path),
                rack.read("cdu.flow"),
                rack.set("pdu.outlet[1]", "off"),
                rack.run(plan, serial="RACK-0002", data=tmp_path),
            ]
            return await asyncio.gather(*work, return_exceptions=True)

    outcome, *others = harness.virtual_time(main)
    assert outcome.verdict == "PASS"
    assert [type(each) for each in others] == [RunError] * 3
    assert f"the run of {plan} has the rack" in str(others[0])


def test_a_run_that_is_cancelled_is_aborted_with_the_rack_safe(tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text(SOAK)

    async def main() -> bool:
        async with harness.AsyncRack("simulated", simulate=True, virtual=True) as rack:
            work = asyncio.ensure_future(rack.run(plan, serial="RACK-0001", data=tmp_path))
            await asyncio.sleep(60)
            assert rack.truth()["outlet[1].state"] == 1
            work.cancel()
            await asyncio.wait({work})
            assert rack.truth()["outlet[1].state"] == 0
            return work.cancelled()

    assert harness.virtual_time(main)
    (folder,) = (tmp_path / "runs").iterdir()
    record = harness.open_record(folder)
    assert (record.result.verdict, record.verify()) == ("ABORTED", [])
    assert "cancelled by the program that ran it" in record.result.reason


@pytest.mark.parametrize("presses", [1, 3])
def test_control_c_ends_a_script_and_its_run_but_not_before_the_rack_is_safe(presses, tmp_path):
    (tmp_path / "plan.yaml").write_text(SOAK)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    running = subprocess.Popen(
        [sys.executable, str(script)], cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdout.readline() == "on\n"
    for _ in range(presses):
        os.kill(running.pid, signal.SIGINT)
        time.sleep(0.3)
    said, errors = running.communicate(timeout=60)
    assert errors.rstrip().endswith("KeyboardInterrupt"), errors
    assert float(said) == 0.0
    (result,) = tmp_path.glob("runs/*/result.json")
    assert json.loads(result.read_text())["verdict"] == "ABORTED"


def test_steps_of_a_program_are_none_of_the_installed_ones(tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text(MEASURES.replace("STEP", "measure"))
    with pytest.raises(ConfigError, match="there is a step 'measure' already: built in"):
        run_plan(plan, tmp_path, steps=[shadow])
    outcome = run_step(forever, str(tmp_path / "new"), at_most=60.0)
    assert [each.package for each in outcome.result.steps] == ["not installed, given by the program that ran the plan"]


def test_a_step_that_never_ends_is_found_out(tmp_path):
    (tmp_path / "plan.yaml").write_text("mine")
    outcome = run_step(forever, tmp_path, at_most=600.0)
    assert outcome.verdict == "ERROR"
    assert "the run did not end within 600 s" in outcome.reason
    assert (tmp_path / "plan.yaml").read_text() == "mine"
    with pytest.raises(TypeError, match="is no step; a function becomes one"):
        run_step(forever.run, tmp_path)


def test_no_time_at_all_is_an_error_too(tmp_path):
    outcome = run_step(forever, tmp_path, at_most=0.0)
    assert outcome.verdict == "ERROR"
    assert "the run did not end within 0 s" in outcome.reason
    with pytest.raises(TypeError):
        run_step(forever, tmp_path, at_most="1 h")


def test_an_interrupt_that_comes_before_the_work_has_begun_is_not_lost():
    """As one between two lines of `do`: the work is cancelled when it begins, and never runs."""
    ran = []

    async def work() -> None:
        ran.append(True)

    loop = OwnLoop(1.0)
    try:
        pending = work()
        loop._is_interrupted = False
        result: Future[None] = Future()
        loop._cancel()
        loop._jobs.put((pending, result))
        with pytest.raises(asyncio.CancelledError):
            result.result(10.0)
        assert ran == []
        loop.do(work())
        assert ran == [True], "the next one runs"
    finally:
        loop.close()


def test_a_value_of_a_signal_that_there_is_not_is_no_pass(tmp_path):
    outcome = run_step(misspelt, tmp_path)
    assert outcome.verdict == "ERROR"
    assert "a: unknown signal 'cdu.flwo', did you mean 'cdu.flow'" in outcome.result.steps[-1].reason


def test_a_mistake_is_refused_before_the_run(tmp_path):
    with harness.simulated_rack(virtual=True) as rack:
        for operator in (5, "a\nb", "x" * 65):
            with pytest.raises(ConfigError, match="the operator's name is refused"):
                rack.run("smoke", serial="R", operator=operator, data=tmp_path)
        with pytest.raises(TypeError, match="paramters"):
            rack.run("smoke", serial="R", paramters={})
    assert list(tmp_path.iterdir()) == []


def test_a_reading_is_equal_to_what_it_shows():
    def reading(value: float, unit: str = "", text: str = "", quality: Quality = Quality.GOOD) -> Reading:
        return Reading("x", value, unit, quality, 0, 0.0, text)

    assert reading(0, text="dry") == "dry"
    assert reading(0, text="dry") != "wet"
    assert reading(0, text="dry") != 0
    assert reading(30, "L/min") == 30
    assert reading(30, "L/min") == "1.8 m3/h"
    assert reading(30, "L/min") != Quantity(31, "L/min")
    with pytest.raises(ValueError, match="is not a quantity"):
        _ = reading(30, "L/min") == "dry"
    stale = reading(0, text="wet", quality=Quality.STALE)
    assert [stale == "wet", stale != "wet", stale == 0, stale != 0] == [False] * 4
    assert reading(30) == reading(30)
    assert reading(30) != reading(31)
    assert len({reading(30), reading(30)}) == 1
