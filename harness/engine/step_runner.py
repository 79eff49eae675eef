"""The steps of a run, one after the other: begun, watched, judged, held or done again as the operator asks."""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness.clock import iso
from harness.device.setting import resolve_setting
from harness.engine.border import Children, contained, end_tasks, whose
from harness.engine.context import Interruption, StepContext
from harness.engine.provoked import settle
from harness.engine.repetition import Repetition
from harness.engine.sequencing import Sequencer
from harness.engine.state import STANDS_POLLS, Active, RunState
from harness.errors import BadValueError, HarnessError, ProtocolViolationError, UnreachableError
from harness.events import EventKind
from harness.faultpoint import fault_point
from harness.in_words import StrangeEndError, shown
from harness.limits.verdict import Verdict, worst
from harness.project.gates import Follow, follow
from harness.project.model import PlannedStep
from harness.project.step import Accused, StepFailedError
from harness.record.log import STEP
from harness.record.result import StepResult
from harness.safety.precedence import Stop

_MENDABLE = (BadValueError, UnreachableError, ProtocolViolationError)
"""Troubles of reading, after which a held run can do a step again. What was commanded and is not confirmed is none."""
_LOOKS = 2
_PENDING_S = 45.0
"""The same while something that carried load carries none and it is not known yet whether that is a loss."""
_LOOK_AGAIN_S = 10.0
"""Longest time that fresh frames are waited for before a FAIL counts, seconds."""
_CLEANUP_S = 60.0
"""Longest time for one cleanup step of a run that was stopped: the rack is safe already."""


_NOT_PROVED = "find out why the data are missing: what is not proved stops the run before power or load"


@dataclass(frozen=True, slots=True)
class _End:
    """How an attempt of a step ended."""

    verdict: Verdict
    reason: str
    hint: str = ""
    """What to do about it."""
    is_raised: bool = False
    """Whether it failed by itself, and not by its measurements only."""


class StepRunner:
    """Carries out the steps of one run."""

    def __init__(self, run: RunState) -> None:
        self._run = run
        self._repetition = Repetition(run, self.run_step)
        self._sequencer = Sequencer(run, self._one, self._is_behind)

    def _is_behind(self, step: PlannedStep) -> bool:
        """Whether the interrupted run had completed a step, and it still holds."""
        known = self._run.past.steps.get(step.path) if self._run.past is not None else None
        return (
            known is not None and known.is_done and self._run.past is not None and step.path not in self._run.past.redo
        )

    async def _look_again(self) -> None:
        """Before a FAIL counts: what this run had set may be gone, which fresh frames show. Then nobody is accused.

        What is polled slowly is asked for with them: a restart in the last minute shows nowhere else.
        """
        run = self._run
        if run.external is None or run.context is None:
            return
        coverage = run.context.store.coverage
        due = {name: coverage[name].received + _LOOKS for name in run.external.witnesses}
        for name in due:
            run.devices[name].hasten()
        longest = max((run.devices[name].entry.poll for name in due), default=0.0)
        deadline = run.clock.monotonic() + min(_LOOK_AGAIN_S, (_LOOKS + 1) * longest)
        pending_until = run.clock.monotonic() + _PENDING_S
        while run.summary.stop is None and run.clock.monotonic() < max(
            deadline, pending_until if run.external.is_pending else deadline
        ):
            if all(coverage[name].received >= count for name, count in due.items()) and not run.external.is_pending:
                return
            await run.clock.sleep(0.05)

    async def work(self) -> None:
        """Carry out set-up and steps in order, until one of them must not be followed by the next."""
        setup = [step for step in self._run.project.steps if step.section == "setup"]
        main = [step for step in self._run.project.steps if step.section == "steps"]
        if await self._sequencer.carry_out(setup) and await self._sequencer.carry_out(main):
            await self._look_again()  # what went in the last moment is no part of a PASS either
            await self._run.see_moving(STANDS_POLLS)

    async def _one(self, step: PlannedStep) -> bool:
        """Carry out one step, or set again what it had set before an interruption; False when the run must end."""
        if not self._is_behind(step):
            return await self._repetition.carry_out(step)
        self._remember(step)
        await self._restore(step)
        return True

    def _remember(self, step: PlannedStep) -> None:
        """What the interrupted run went past without its PASS energises nothing in this one either."""
        assert self._run.past is not None
        if not self._run.past.steps[step.path].power:
            self._repetition.go_past(step.title)

    async def _restore(self, step: PlannedStep) -> None:
        """Set again what a completed step had set; its time is not asked for again."""
        past, context = self._run.past, self._run.context
        for device, name, value in past.restore.get(step.path, ()) if past is not None else ():
            assert context is not None
            control = context.devices[device].expansion.controls[name]
            self._run.log.event(
                EventKind.RESTORED, f"{step.title} was completed; {device}.{name} is set to {value} again"
            )
            outcomes = await context.act([(device, control, resolve_setting(control, value))])
            outcome = outcomes[f"{device}.{name}"]
            if not outcome.is_confirmed:
                reason = f"{device}.{name} could not be set to {value} again: {outcome}"
                self._run.stop_with(Stop(Verdict.ERROR, reason, f"check {device}"))
                return

    async def run_step(self, step: PlannedStep, attempt: int = 1, asked_by: str = "") -> Follow:
        """Carry out one attempt of a step and record it; what may follow it."""
        assert self._run.context is not None
        assert self._run.interlocks is not None
        context = StepContext(self._run.context, step.title, step.path, attempt)
        if self._run.past is not None and (known := self._run.past.steps.get(step.path)) is not None and known.is_open:
            context.interruption = Interruption(self._run.past.gap.seconds, known.checkpoint, str(self._run.past.gap))
            known.is_open = False  # an attempt that the operator asks for begins again
        self._run.active[step.path] = Active(step, attempt, self._run.clock.monotonic())
        allowed = self._run.project.attempts_of(step)
        self._run.context.progress = (0.0, "")
        began = iso(self._run.clock.wall_ns())
        self._run.log.event(
            EventKind.STEP,
            f"{step.title}: started",
            step=step.title,
            kind=step.definition.name,
            version=step.definition.version,
            package=step.package,
            section=step.section,
            path=step.path,
            attempt=attempt,
            allowed=allowed,
            asked_by=asked_by,
        )
        fault_point("step-begun")
        self._enter()
        mark = STEP.set(step.path)  # what is commanded from here on is this step's, whatever goes on beside it
        try:
            end = await self._outcome(step, context)
        finally:
            STEP.reset(mark)
        verdict, reason = end.verdict, end.reason
        if verdict is Verdict.FAIL and step.section != "cleanup":
            await self._look_again()
            if (stop := self._run.summary.stop) is not None and stop.verdict is Verdict.ERROR:
                verdict, reason = Verdict.ERROR, stop.reason
        del self._run.active[step.path]
        self._enter()
        after = follow(self._run.project, step, verdict, context.stopping, is_raised=end.is_raised)
        hint = _NOT_PROVED if verdict is Verdict.INCONCLUSIVE and after is Follow.NOTHING else end.hint
        result = StepResult(
            name=step.title,
            path=step.path,
            step=step.definition.name,
            version=step.definition.version,
            package=step.package,
            attempt=context.attempt,
            allowed=allowed,
            asked_by=asked_by,
            verdict=verdict,
            started=began,
            ended=iso(self._run.clock.wall_ns()),
            reason=reason,
            hint=hint,
            measurements=tuple(context.measurements),
        )
        self._run.summary.steps.append(result)
        text = f"{step.title}: {verdict}{f' - {reason}' if reason else ''}"
        goes_on, power = after is not Follow.NOTHING, after is Follow.ALL
        self._run.log.event(EventKind.STEP_END, text, **_dump(result), goes_on=goes_on, power=power)
        fault_point("step-ended")
        return after

    def _enter(self) -> None:
        """Interlocks may be armed by step."""
        assert self._run.interlocks is not None
        self._run.interlocks.enter_steps({name for each in self._run.active.values() for name in each.step.names})

    async def _outcome(self, step: PlannedStep, context: StepContext) -> _End:
        children = Children()
        run = partial(step.definition.run, context, step.params)
        work = asyncio.ensure_future(contained(run, children))
        is_cleanup = step.section == "cleanup"
        cut_off = asyncio.ensure_future(
            self._run.cleanup_cancelled.wait() if is_cleanup else self._run.stop_requested.wait()
        )
        asked = asyncio.ensure_future(self._run.operator.asked.wait())
        limit = _CLEANUP_S if is_cleanup and self._run.stop_requested.is_set() else None
        try:
            is_deaf = is_cleanup or step.is_parallel  # nobody can say which of several is meant
            waits: set[asyncio.Future[Any]] = {work, cut_off} if is_deaf else {work, cut_off, asked}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED, timeout=limit)
        finally:
            cut_off.cancel()
            asked.cancel()
        is_cut = not work.done()
        if is_cut and await end_tasks([work]):
            self._run.log.event(
                EventKind.NOTE, f"{step.title} did not end although it was cancelled: it was broken off"
            )
        error = await self._end_of(step, work, children)
        end = self._cut(step, context) if is_cut else self._judge(step, context, error)
        await settle(self._run, step.title, context.owed)
        context.close()
        return end

    def _cut(self, step: PlannedStep, context: StepContext) -> _End:
        """The verdict of a step that was ended before it came to its end by itself."""
        is_cleanup = step.section == "cleanup"
        stop = self._run.summary.stop
        if stop is None and not is_cleanup:
            bad = [m.reason for m in context.measurements if m.verdict is Verdict.FAIL]
            return _End(*self._run.operator.verdict(bad))
        if is_cleanup or stop is None:
            return _End(Verdict.ERROR, "cut short: the run was stopped")
        return _End(stop.verdict, stop.reason)

    async def _end_of(self, step: PlannedStep, work: asyncio.Task[None], children: Children) -> BaseException | None:
        """How a step ended; None when its coroutine returned. What it left running is ended."""
        error: BaseException | None = None
        if work.cancelled():
            error = StrangeEndError("it was cancelled, though nobody asked for that")
        elif work.done():
            error = work.exception()
        try:
            if left := await children.end():
                self._run.log.event(EventKind.NOTE, f"{step.title} left {left} of its tasks running: they were ended")
        except StrangeEndError as lost:
            error = error or lost
        return error

    def _judge(self, step: PlannedStep, context: StepContext, error: BaseException | None) -> _End:
        """The verdict of a step that came to its end by itself. PASS only if its coroutine returned."""
        measured = [m for m in context.measurements if m.verdict is not Verdict.PASS]
        if error is None:
            verdict = worst([Verdict.PASS, *(m.verdict for m in measured)])
            return self._accused(step, _End(verdict, "; ".join(m.reason for m in measured[:3])))
        if isinstance(error, StepFailedError):
            return self._accused(step, _End(Verdict.FAIL, error.message, error.hint, is_raised=True))
        if isinstance(error, HarnessError):
            stop = Stop(Verdict.ERROR, f"step {step.title!r}: {error.said}", error.advice)
            if self._run.options.hold_on_fail and isinstance(error, _MENDABLE) and step.section != "cleanup":
                self._run.trouble = stop
            else:
                self._run.stop_with(stop)
            return _End(Verdict.ERROR, error.said)
        self._run.log.event(EventKind.BUG, "".join(traceback.format_exception(error)))
        how = "ended as no step may" if isinstance(error, StrangeEndError) else "failed inside"
        reason = f"step {step.title!r} {how}: {shown(error)}"
        self._run.stop_with(Stop(Verdict.ERROR, reason, whose(step.definition.run.__module__)))
        return _End(Verdict.ERROR, shown(error))

    def _accused(self, step: PlannedStep, end: _End) -> _End:
        """FAIL is about the rack: where the step accuses the station, it is an ERROR, and the run ends."""
        if end.verdict is not Verdict.FAIL or step.params.accuses is Accused.PRODUCT:
            return end
        hint = end.hint or "look at the station"
        self._run.stop_with(Stop(Verdict.ERROR, f"step {step.title!r}: {end.reason}", hint))
        return _End(Verdict.ERROR, end.reason, end.hint)


def _dump(result: StepResult) -> dict[str, object]:
    return {
        "step": result.name,
        "path": result.path,
        "kind": result.step,
        "verdict": str(result.verdict),
        "reason": result.reason,
    }
