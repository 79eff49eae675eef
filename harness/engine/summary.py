"""What a run has found so far, and why it stops before its end."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.record.result import DeviceCoverage, StepResult
from harness.safety.precedence import Stop
from harness.safety.sequence import SafeReport


@dataclass(slots=True)
class RunSummary:
    """What a run has found, for its record."""

    steps: list[StepResult] = field(default_factory=list)
    left_out: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Path of what `when` or `until` left out -> (title, why)."""
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
    unread: tuple[str, ...] = ()
    """Switches of which a run that commanded nothing could not tell whether they are on."""
    warnings: dict[str, str] = field(default_factory=dict)
    """Interlocks that only warn: the first reason of each."""
    still_set: list[str] = field(default_factory=list)
    """What the run has set and not set back, a line each."""
    twins: list[str] = field(default_factory=list)
    """Other runs of this serial number at the same time, a line each."""
