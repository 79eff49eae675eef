"""A rack from Python: what is written in the docs works, and a mistake is an exception of ours."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import pytest

import harness
from harness.clock import run
from harness.errors import ConfigError, HarnessError
from harness.limits.verdict import Verdict
from harness.quantity import Quality, Reading


def test_a_plan_on_a_rack_with_a_fault(tmp_path):
    with harness.simulated_rack(virtual=True, faults=["pump_stop:1@20s"]) as rack:
        assert rack["cdu.flow"].read() > "150 L/min"
        outcome = rack.run("acceptance", serial="RACK-0001", data=tmp_path)
    assert outcome.verdict != "PASS"
    assert "pump" in outcome.reason
    assert outcome.folder.parent.parent == tmp_path
    assert outcome.is_sealed


def test_signals_are_read_and_controls_are_set_and_confirmed():
    with harness.simulated_rack(virtual=True, seed=7) as rack:
        assert rack["pdu.outlet[3].state"].read().text == "off"
        outcomes = rack["pdu.outlet[3]"].set("on")
        assert [(name, each.is_confirmed) for name, each in outcomes.items()] == [("pdu.outlet[3]", True)]
        assert rack.truth()["outlet[3].state"] == 1.0
        rack.wait(5.0)
        assert rack["pdu.outlet[3].power"].read() > "100 W"
        assert all(each.is_confirmed for each in rack["pdu.outlet"].set("off").values())


def test_real_sockets_too():
    with harness.simulated_rack() as rack:
        begun = time.monotonic()
        assert "1 bar" < rack["cdu.supply_pressure"].read() < "4 bar"
        assert time.monotonic() - begun < 5.0


def test_a_loop_of_ones_own():
    async def main():
        async with harness.AsyncRack("simulated", simulate=True, virtual=True) as rack:
            found = await asyncio.gather(*(rack.read(f"cdu.{each}") for each in ("flow", "leak")))
            return [str(each) for each in found]

    flow, leak = run(main, rate=float("inf"))
    assert flow.endswith("L/min")
    assert leak == "dry"


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (lambda rack: rack["cdu.flwo"].read(), "did you mean 'cdu.flow'"),
        (lambda rack: rack["pdu.outlet[99]"].set("on"), "pdu.outlet[99]"),
        (lambda rack: rack["pdu.outlet[1]"].set("sideways"), "sideways"),
        (lambda rack: rack.run("smok", serial="R"), "no such plan"),
        (lambda rack: rack.run("smoke", serial="R", parameters={"x": 1}), "no such parameter"),
    ],
)
def test_a_mistake_says_what_is_wrong(work, words, tmp_path):
    with harness.simulated_rack(virtual=True) as rack, pytest.raises(HarnessError, match=words.replace("[", r"\[")):
        work(rack)


def test_a_rack_that_is_not_open_says_so():
    rack = harness.AsyncRack("simulated", simulate=True, virtual=True)
    with pytest.raises(ConfigError, match="not open"):
        _ = rack.on


def test_what_is_not_good_is_neither_more_nor_less():
    stale = Reading("cdu.flow", 170.0, "L/min", Quality.STALE, 0, 0.0)
    good = Reading("cdu.flow", 170.0, "L/min", Quality.GOOD, 0, 0.0)
    assert good >= "170 L/min"
    assert good <= 170
    assert good < "11 m3/h"
    assert [stale > 0, stale < 1e9, stale >= 170, stale <= 170] == [False] * 4


def test_the_package_costs_nothing_until_it_is_used():
    code = "import sys, harness; print(len([m for m in sys.modules if m.startswith(('numpy', 'pydantic'))]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
    assert "simulated_rack" in dir(harness) or harness.simulated_rack is not None
    with pytest.raises(AttributeError, match="no attribute 'racks'"):
        _ = harness.racks


def test_verdicts_are_texts():
    assert Verdict.PASS == "PASS"
