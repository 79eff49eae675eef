"""One step, again as often as people ask for it; and what a step without its PASS keeps from being done after it.

```
 attempt ends --FAIL or INCONCLUSIVE that stops--> held:  retry     another attempt; a FAIL counts all the same, unless
              --ERROR that people can mend------->                  the plan allows more attempts
                with hold_on_fail                         skip      on with the next steps, nothing is energised
                                                          continue  the run ends
```
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from harness.engine.resume.replay import key_of
from harness.engine.state import RunState
from harness.events import EventKind
from harness.limits.verdict import Verdict
from harness.project.gates import Follow, no_power_after, puts_power_on
from harness.project.model import PlannedStep
from harness.record.attempts import last_tried

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
        known = run.past.steps.get(key_of(step)) if run.past is not None else None
        attempt = 1 + (known.attempts[-1].attempt if known is not None and known.attempts else 0)
        asked_by = ""
        followed: dict[int, Follow] = {}
        while True:
            last = followed[attempt] = await self._attempt(step, attempt, asked_by)
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
        counted = last_tried(run.summary.steps).counted.attempt
        if {last, followed.get(counted, Follow.NOTHING)} != {Follow.ALL}:
            self.go_past(step.title)
        return True

    async def _wait_for_people(self, step: PlannedStep, *, goes_on: bool) -> None:
        """Wait while the run is held; it is held after a step that would end it when the caller wants that."""
        run = self._run
        if not goes_on and run.options.hold_on_fail and not run.stop_requested.is_set():
            run.operator.hold("", step.title)
            run.log.event(EventKind.OPERATOR, f"held: {step.title} {self._asked()}", step=step.title)
        run.held_after = step
        await run.operator.wait_for_pause(run.stop_requested)
        run.held_after = None

    def _asked(self) -> str:
        """What people are asked about the attempt that just ended."""
        if self._run.trouble is not None:
            return "could not be judged; retry or continue?"
        is_bad = self._run.summary.steps[-1].verdict is Verdict.FAIL
        return f"{'failed' if is_bad else 'was not proved'}; retry, skip or continue?"
