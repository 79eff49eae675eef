"""Verdicts: what they mean, which one wins, and the exit code of each."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """FAIL is the product's fault, ERROR the station's; they are never mixed up."""

    PASS = "PASS"
    FAIL = "FAIL"
    ERROR = "ERROR"
    TRIPPED = "TRIPPED"
    ABORTED = "ABORTED"
    INTERRUPTED = "INTERRUPTED"
    INCONCLUSIVE = "INCONCLUSIVE"
    SKIPPED = "SKIPPED"
    RUNNING = "RUNNING"


_SEVERITY = (
    Verdict.TRIPPED,
    Verdict.ABORTED,
    Verdict.INTERRUPTED,
    Verdict.ERROR,
    Verdict.FAIL,
    Verdict.INCONCLUSIVE,
    Verdict.SKIPPED,
    Verdict.PASS,
)

EXIT_CODES = {
    Verdict.PASS: 0,
    Verdict.FAIL: 1,
    Verdict.ERROR: 3,
    Verdict.TRIPPED: 4,
    Verdict.INCONCLUSIVE: 7,
    Verdict.INTERRUPTED: 3,
    Verdict.ABORTED: 130,
}
EXIT_USAGE = 2
EXIT_NOT_SAFE = 5
EXIT_IN_USE = 6
EXIT_BUG = 70
EXIT_TERMINATED = 143


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict of the whole from those of its parts; nothing at all is INCONCLUSIVE, never PASS."""
    for verdict in _SEVERITY:
        if verdict in verdicts:
            return Verdict.INCONCLUSIVE if verdict is Verdict.SKIPPED else verdict
    return Verdict.INCONCLUSIVE


def judge(value: float, low: float, high: float, guard_band: float = 0.0) -> Verdict:
    """PASS when the value is inside the band by at least the guard_band; INCONCLUSIVE for NaN."""
    if value != value:
        return Verdict.INCONCLUSIVE
    return Verdict.PASS if low + guard_band <= value <= high - guard_band else Verdict.FAIL
