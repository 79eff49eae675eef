"""A good run stays a PASS when a partner is slow to end: each is held for a while at each moment of the end."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest
from plan_runs import run_plan, write_plan

from harness.device.device import Device
from harness.limits.verdict import Verdict
from harness.telemetry.journal import Journal

STEPS = """\
- {step: power_on, outlets: "pdu.outlet[1]"}
- {step: measure, name: volts, signal: "pdu.phase[1].voltage", over: 2 s, limit: {min: 200 V, max: 264 V}}
"""
HELD_S = 1.5


def held(pid: int) -> None:
    """Stop a process for a while."""
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(HELD_S, os.kill, (pid, signal.SIGCONT)).start()


@pytest.mark.parametrize("moment", ["step end", "intent", "safe"])
def test_a_guardian_that_is_slow_at_the_end_changes_nothing(moment, tmp_path):
    runners = []
    done = []

    def at(event):
        if done or not runners or runners[0].guard is None:
            return
        is_end = any(step.name == "volts" for step in runners[0].found.steps)
        if event.kind == moment and is_end:
            done.append(event)
            held(runners[0].guard.pid)

    def during(runner, simulation):
        runners.append(runner)

    ran = run_plan(write_plan(tmp_path, STEPS), tmp_path, rate=1, during=during, observers=[at])
    assert done
    assert (ran.outcome.verdict, ran.outcome.is_sealed, ran.on) == (Verdict.PASS, True, []), ran.reason
    assert ran.texts("bug") == []


@pytest.mark.parametrize(("owner", "name"), [(Device, "close"), (Journal, "commit"), (Journal, "close")])
def test_devices_and_journal_that_are_slow_to_close_change_nothing(owner, name, tmp_path, monkeypatch):
    whole = getattr(owner, name)
    slow = []

    async def closing(self, *args):
        if owner is not Journal or name == "close" or slow:
            await asyncio.sleep(HELD_S)
        return await whole(self, *args)

    monkeypatch.setattr(owner, name, closing)

    def at(event):
        if event.kind == "safe":
            slow.append(event)

    ran = run_plan(write_plan(tmp_path, STEPS), tmp_path, rate=1, observers=[at])
    assert (ran.outcome.verdict, ran.outcome.is_sealed, ran.on) == (Verdict.PASS, True, []), ran.reason
