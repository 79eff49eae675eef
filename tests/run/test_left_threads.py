"""Threads that a step leaves: a failure of one is no PASS, and none holds the verdict up or changes its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plan_runs import write_plan

STEP = """
import asyncio, atexit, os, threading, time
from harness.api import Params, StepContext, step

class Nothing(Params):
    pass

@step("odd", version=1)
async def odd(ctx: StepContext, p: Nothing) -> None:
    BODY
"""
STEPS = "- {step: odd}\n- {step: hold, for: 2 s, watch: [{signal: cdu.flow, min: 1 L/min}]}"
KINDS = {
    "fails": ("threading.Thread(target=lambda: 1 / 0).start(); await ctx.sleep(2)", 3),
    "goes on": ("threading.Thread(target=time.sleep, args=(600,)).start()", 0),
    "goes on in a pool": ("asyncio.get_running_loop().run_in_executor(None, time.sleep, 600)", 0),
    "is left for the end of the process": ("atexit.register(os._exit, 0); raise ValueError", 3),
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_thread_of_a_step_hides_a_fault_or_holds_the_verdict_up(kind, tmp_path):
    body, code = KINDS[kind]
    info = tmp_path / "lib" / "acme.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[harness.steps]\nodd = acme_steps:odd\n")
    (tmp_path / "lib" / "acme_steps.py").write_text(STEP.replace("BODY", body))
    ended = subprocess.run(
        [Path(sys.executable).parent / "harness", "run", write_plan(tmp_path, STEPS), "--simulate", "--virtual"],
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "lib"), "HARNESS_DATA": str(tmp_path / "data")},
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert "SAFE CONFIRMED" in ended.stdout
    assert f"exit    {code}" in ended.stdout
