"""What a run has found so far, and why it stops before its end."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.device.safestate import SafeReport
from harness.engine.interlocks import Trip
from harness.limits.verdict import Verdict
from harness.record.result import DeviceCoverage, StepResult


@dataclass(slots=True)
class Stop:
    """Why a run stops before its end."""

    verdict: Verdict
    reason: str
    hint: str = ""
    trip: Trip | None = None
    by_signal: str = ""


@dataclass(slots=True)
class Findings:
    """What a run has found, for its record."""

    steps: list[StepResult] = field(default_factory=list)
    stop: Stop | None = None
    safe: SafeReport | None = None
    coverage: list[DeviceCoverage] = field(default_factory=list)
    armed_at: float | None = None
    armed_s: float = 0.0
    safe_latency_s: float | None = None
    """From the sample that tripped (or the end of the steps) to the first command of the safe state."""
    loop_lag_s: float = 0.0
    """How late the control loop was at most."""
    proved: list[str] = field(default_factory=list)
    """Interlocks that tripped in their proof test at the start."""
    hints: list[str] = field(default_factory=list)
    unread: tuple[str, ...] = ()
    """Switches of which a run that commanded nothing could not tell whether they are on."""
