"""From a run that was conducted to its verdict: decided, saved, sealed - and only then reported."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from harness.engine.decision import decide, is_idle
from harness.engine.options import RunOutcome
from harness.engine.result import build_result, is_safe
from harness.engine.state import RunState
from harness.errors import HarnessError, SafetyError, TelemetryError
from harness.events import EventKind
from harness.faultpoint import fault_point
from harness.in_words import shown
from harness.limits.verdict import Verdict
from harness.record.attempts import latest
from harness.record.folder import RunFolder
from harness.record.result import Header, Result, shown_as

DRAIN_S = 10.0
"""Longest wait for the database at the end of a run, seconds; what is left goes later with `harness push`."""


@dataclass(slots=True)
class Conducted:
    """A run whose steps and end are behind it, and where its record goes."""

    state: RunState
    folder: RunFolder
    header: Header
    started: str
    """UTC, of an interrupted run's first begin."""
    began: float
    """The same on the run's clock."""


async def seal(run: Conducted) -> RunOutcome:
    """Decide and seal. Without a sealed record there is no verdict about the rack: ERROR, whatever was found.

    HarnessError when not even that can be reported; a SafetyError when the rack is not known to be safe.
    """
    verdict, reason = decide(run.state.project, run.state.summary, run.state.journal)
    try:
        return await _saved(run, verdict, reason)
    except BaseException as error:
        return _unsealed(run, verdict, reason, error)


async def _saved(run: Conducted, verdict: Verdict, reason: str) -> RunOutcome:
    state = run.state
    engineering = state.project.engineering
    word = shown_as(verdict, engineering)
    about = {"verdict": str(verdict), "word": word, "engineering": list(engineering), "reason": reason}
    state.log.event(EventKind.VERDICT, f"{word}: {reason}", **about)
    fault_point("verdict-shown")
    try:
        await state.journal.commit()
    except TelemetryError as error:
        verdict, reason = _not_saved(verdict, reason, error)
    if state.outbox is not None:
        await state.outbox.drain(DRAIN_S)
        await state.outbox.close()
    result = _result(run, verdict, reason)
    verdict, reason = await _close_journal(run, verdict, reason)
    result = result.model_copy(update={"verdict": verdict, "reason": reason})
    fault_point("journal-closed")
    await state.clock.blocking(None, run.folder.seal, result)
    fault_point("sealed")
    return _outcome(run, result, is_sealed=True)


def _unsealed(run: Conducted, verdict: Verdict, reason: str, error: BaseException) -> RunOutcome:
    """What is left to say when the record could not be sealed."""
    why = str(error) if isinstance(error, TelemetryError) else shown(error)
    before = "" if verdict is Verdict.PASS else f"; before that: {verdict}, {reason}"
    try:
        result = _result(run, Verdict.ERROR, f"the record could not be saved: {why}{before}")
    except BaseException as bug:
        if is_safe(run.state):
            raise HarnessError(f"the run ended without a record: {shown(bug)}") from error
        raise SafetyError("the run ended without a record, and the rack is not known to be safe") from error
    with contextlib.suppress(HarnessError, OSError):
        run.folder.write("result.json", result.to_bytes())
    return _outcome(run, result, is_sealed=False)


def _result(run: Conducted, verdict: Verdict, reason: str) -> Result:
    took = run.state.clock.monotonic() - run.began
    return build_result(run.state, run.header, run.started, verdict, reason, took)


def _outcome(run: Conducted, result: Result, *, is_sealed: bool) -> RunOutcome:
    found = run.state.summary
    hints = [one.hint for one in latest(found.steps) if one.hint]
    if is_idle(found.steps) and result.verdict == Verdict.INCONCLUSIVE:
        hints = hints or ["tell whoever wrote the plan: it judges nothing (no limit, no watch, no check)"]
    if found.stop is not None and found.stop.hint:
        hints = [found.stop.hint]
    return RunOutcome(
        verdict=Verdict(result.verdict),
        reason=result.reason,
        folder=run.folder.path,
        result=result,
        is_safe=result.safe_state.confirmed,
        unsafe=found.safe.unconfirmed if found.safe is not None else [],
        is_sealed=is_sealed,
        hint="; ".join(dict.fromkeys(hints)),
        by_signal=found.stop.by_signal if found.stop is not None else "",
        is_refused=found.stop is not None and found.stop.is_refused,
    )


async def _close_journal(run: Conducted, verdict: Verdict, reason: str) -> tuple[Verdict, str]:
    """Close the journal. One that failed is sealed all the same, from the reserve: evidence, though never of a PASS."""
    journal = run.state.journal
    try:
        await journal.close()
    except TelemetryError as error:
        if verdict is Verdict.PASS or not journal.is_failed:
            return _not_saved(verdict, reason, error)
    return verdict, reason


def _not_saved(verdict: Verdict, reason: str, error: TelemetryError) -> tuple[Verdict, str]:
    note = f"the record could not be saved: {error}"
    if verdict is Verdict.PASS:
        return Verdict.ERROR, note
    return verdict, f"{reason}; {note}"
