"""The verdict of a run, from what it found: one function, that everybody asks."""

from __future__ import annotations

from collections.abc import Sequence

from harness.engine.summary import RunSummary
from harness.limits.verdict import Verdict, worst
from harness.project.model import Project
from harness.record.attempts import latest, reported
from harness.record.result import StepResult
from harness.telemetry.journal import Journal

_MOST_REPORTED = 3


def decide(project: Project, found: RunSummary, journal: Journal) -> tuple[Verdict, str]:
    """The verdict of a run, and why; a step that was done more than once is reported there.

    PASS needs every step, every measurement, the data, the record and a safe rack.
    """
    verdict, reason = _judged(project, found, journal)
    return verdict, "; ".join([reason, *reported(found.steps)[:_MOST_REPORTED]])


def _judged(project: Project, found: RunSummary, journal: Journal) -> tuple[Verdict, str]:
    stop = found.stop
    counted = latest(found.steps)
    verdicts = [step.verdict for step in counted]
    planned = sum(1 for step in project.steps if step.section != "cleanup" and step.path not in found.left_out)
    done = [step for step in counted if step.verdict is not Verdict.SKIPPED]
    if stop is not None:
        verdict = worst([*verdicts, stop.verdict])
        return verdict, stop.reason
    verdict = worst(verdicts)
    causes = (verdict, Verdict.SKIPPED) if verdict is Verdict.INCONCLUSIVE else (verdict,)
    reason = next((_said(step) for step in counted if step.verdict in causes), "")
    if verdict is not Verdict.PASS:
        return verdict, reason or "a step did not pass"
    if found.safe is not None and not found.safe.is_confirmed:
        return Verdict.ERROR, f"the safe state is not confirmed: {'; '.join(found.safe.unconfirmed)}"
    if journal.is_failed:
        return Verdict.ERROR, f"the journal failed: {journal.failure}"
    for device in found.coverage:
        share = device.received / device.expected * (device.good or 0.0) if device.expected else 1.0
        if share < project.plan.coverage / 100:
            text = f"{device.device} delivered {100 * share:.2f} % of its data, {project.plan.coverage:g} % are needed"
            return Verdict.INCONCLUSIVE, text
    if len(done) < planned:
        return Verdict.INCONCLUSIVE, f"only {len(done)} of {planned} steps were carried out"
    count = sum(len(step.measurements) for step in counted)
    if is_idle(found.steps):
        nothing = "nothing was judged: the plan has no measurement with a limit, no watch and no check"
        return Verdict.INCONCLUSIVE, f"{_many(len(done), 'step')} carried out, {nothing}"
    return Verdict.PASS, f"{_many(len(done), 'step')}, {_many(count, 'measurement')}, all within limits"


def is_idle(steps: Sequence[StepResult]) -> bool:
    """Whether nothing was held against a limit in any of the attempts that count."""
    return not any(one.is_judged for step in latest(steps) for one in step.measurements)


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _said(step: StepResult) -> str:
    """What a step found, with its name before it, once."""
    return step.reason if step.reason.startswith(f"{step.name}:") else f"{step.name}: {step.reason}"
