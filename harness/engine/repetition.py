"""One step, again as often as people ask for it; and what a step without its PASS keeps from being done after it.

```
 attempt ends --FAIL or INCONCLUSIVE that stops--> held:  retry     another attempt; a FAIL counts all the same, unless
              --ERROR that people can mend------->                  the plan allows more attempts
                with hold_on_fail                         skip      on with the next steps, nothing is energised
                                                          continue  the run ends
```
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from harness.engine.state import RunState
from harness.events import EventKind
from harness.limits.verdict import Verdict
from harness.project.gates import Follow, no_power_after, puts_power_on
from harness.project.model import PlannedStep
from harness.record.attempts import tried_of

BY_PLAN = "the plan"
"""Who asks for an attempt of `retry`."""
Attempt = Callable[[PlannedStep, int, str], Awaitable[Follow]]
"""Carries out one attempt of a step, asked for by somebody, and records it."""


class Repetition:
    """Carries steps out, again when people ask for it."""

    def __init__(self, run: RunState, attempt: Attempt) -> None:
        self._run = run
        self._attempt = attempt

    def go_past(self, title: str) -> None:
        """The run goes on after a step that it has no PASS of: nothing is energised after that."""
        assert self._run.context is not None
        self._run.context.unproved = self._run.context.unproved or title

    async def carry_out(self, step: PlannedStep) -> bool:
        """One step with its attempts, which are recorded side by side; False when the steps after it must not run."""
        run, operator = self._run, self._run.operator
        assert run.context is not None
        if run.context.unproved and puts_power_on(run.project, step):
            run.log.event(EventKind.NOTE, f"{step.title} is not carried out: {no_power_after(run.context.unproved)}")
            return False
        known = run.past.steps.get(step.path) if run.past is not None else None
        attempt = 1 + (known.attempts[-1].attempt if known is not None and known.attempts else 0)
        asked_by = ""
        followed: dict[int, Follow] = {}
        while True:
            last = followed[attempt] = await self._attempt(step, attempt, asked_by)
            if await self._tries_again(step):
                attempt, asked_by = attempt + 1, BY_PLAN
                continue
            await self._wait_for_people(step, goes_on=last is not Follow.NOTHING)
            request = operator.hear()
            if run.stop_requested.is_set():
                return False
            if request != "retry":
                break
            run.trouble = None
            attempt, asked_by = attempt + 1, operator.who
        if run.trouble is not None:  # nobody has mended it
            run.stop_with(run.trouble)
            return False
        if last is Follow.NOTHING and request != "skip":
            return False
        counted = tried_of(step.path, run.summary.steps).counted.attempt
        if {last, followed.get(counted, Follow.NOTHING)} != {Follow.ALL}:
            self.go_past(step.title)
        return True

    async def _tries_again(self, step: PlannedStep) -> bool:
        """Whether the plan itself has the attempt that just ended done again; after the time to wait."""
        run, retry = self._run, step.entry.retry
        if retry is None or run.trouble is not None or run.halted.intersection(each.path for each in step.groups):
            return False
        attempts = tried_of(step.path, run.summary.steps).attempts
        again = sum(each.asked_by == BY_PLAN for each in attempts)
        if str(attempts[-1].verdict) not in retry.on or again >= retry.times or run.stop_requested.is_set():
            return False
        text = f"{step.title} is done again, as the plan says ({again + 1} of {retry.times})"
        run.log.event(EventKind.NOTE, text, path=step.path, is_done_again=True)
        waiting = asyncio.ensure_future(run.operator.step_clock.sleep(retry.wait))
        stopping = asyncio.ensure_future(run.stop_requested.wait())
        await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        stopping.cancel()
        return not run.stop_requested.is_set() and not run.halted.intersection(each.path for each in step.groups)

    async def _wait_for_people(self, step: PlannedStep, *, goes_on: bool) -> None:
        """Wait while the run is held; it is held after a step that would end it when the caller wants that."""
        run = self._run
        is_answered = run.operator.asked.is_set()  # what they asked for has ended the attempt
        if not goes_on and not is_answered and run.options.hold_on_fail and not run.stop_requested.is_set():
            run.operator.hold("", step.title)
            run.log.event(EventKind.OPERATOR, f"held: {step.title} {self._asked(step)}", step=step.title)
        run.held_after = step
        await run.operator.wait_for_pause(run.stop_requested)
        run.held_after = None

    def _asked(self, step: PlannedStep) -> str:
        """What people are asked about the attempt that just ended."""
        if self._run.trouble is not None:
            return "could not be judged; retry or continue?"
        is_bad = tried_of(step.path, self._run.summary.steps).attempts[-1].verdict is Verdict.FAIL
        return f"{'failed' if is_bad else 'was not proved'}; retry, skip or continue?"
