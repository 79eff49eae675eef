"""How much of a plan is still ahead, and a time as a clock shows it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.project.model import PlannedStep, Project


def remaining(
    project: Project, done: int, running: PlannedStep | None, elapsed: float, steps: Sequence[PlannedStep]
) -> tuple[float, bool]:
    """(seconds left, whether all steps ahead have a known length). `done` steps of `steps` are over."""
    left, is_known = 0.0, True
    ahead = steps[done + 1 :] if running is not None else steps[done:]
    if running is not None:
        planned = running.params.planned_seconds(project.catalog)
        is_known = planned is not None
        left += max(0.0, (planned or 0.0) - elapsed)
    for step in ahead:
        planned = step.params.planned_seconds(project.catalog)
        is_known = is_known and planned is not None
        left += planned or 0.0
    return left, is_known


def clock_text(seconds: float) -> str:
    """`4:05`, `1:04:05`, `2 d 03:04:05`."""
    whole = max(0, math.floor(seconds + 0.5))
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, second = divmod(rest, 60)
    if days:
        return f"{days} d {hours:02}:{minutes:02}:{second:02}"
    return f"{hours}:{minutes:02}:{second:02}" if hours else f"{minutes}:{second:02}"
