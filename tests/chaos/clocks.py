"""The system's wall clock is stepped while a run goes on in real time: durations and series do not notice."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest

from harness.telemetry.reading import open_for_reading
from tests.chaos.rig import Scene, play
from tests.chaos.table import Row

_STEPS_S = (3600.0, -7200.0, 3600.0, -1.8e9, 1.8e9, 0.7)
"""An hour forward, two back, forward again, to 1969 and back, and a small one."""


async def steps(data: Path, length: float) -> Row:
    """A hold of `length` seconds under a clock that jumps all the time."""
    offset = 0.0
    honest = time.time_ns
    plan = f"{{schema: 1, plan: hold, coverage: 90 %, steps: [{{step: hold, for: {length} s}}]}}"

    async def stepping(scene: Scene) -> None:
        nonlocal offset
        await scene.running("hold")
        for step in _STEPS_S:
            await asyncio.sleep(length / (len(_STEPS_S) + 1))
            offset += step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: honest() + int(offset * 1e9))
        began = time.perf_counter()
        outcome, scene = await play(plan, data, stepping)
        whole = time.perf_counter() - began
    begun = scene.of("step")[0].mono
    took = scene.of("step end")[0].mono - begun
    error = abs(took - length) / length
    backwards = 0
    with open_for_reading(outcome.folder / "journal.db") as reader:
        for device in ("pdu", "cdu", "rack"):
            stamps = np.array([each.frame.wall_ns for each in reader.frames(device=device)])
            backwards += int((np.diff(stamps) <= 0).sum())
    said = len(scene.of("clock"))
    found = f"{100 * error:.3f} % longer, {backwards} stamps back, {said} steps told, {outcome.verdict}"
    ok = error <= 0.001 + 0.02 / length and backwards == 0 and said >= 3 and whole < length + 60
    return Row(f"wall clock stepped {len(_STEPS_S)} times in {length:g} s", found, "<= 0.1 % (+ 20 ms), none back", ok)
