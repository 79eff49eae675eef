"""One step, again as often as people ask for it; and what a step that failed keeps from being done after it.

```
 attempt ends --FAIL that stops, hold_on_fail--> held:  retry     another attempt; a FAIL counts all the same, unless
              --ERROR that people can mend,---->                  the plan allows more attempts
                hold_on_fail                            skip      on with the next steps, nothing is energised
                                                        continue  the run ends
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.engine.guard_checks import energised_by
from harness.engine.project import PlannedStep, Project
from harness.engine.references import references
from harness.engine.resume.replay import key_of
from harness.limits.verdict import Verdict
from harness.record.attempts import tried

if TYPE_CHECKING:
    from harness.engine.runner import Runner

LOAD, OFF = "load", "off"


class Repetition:
    """Carries steps out, again when people ask for it."""

    def __init__(self, run: Runner) -> None:
        self._run = run
        self._failed = ""
        """A step that failed and that people went past: nothing is energised after it."""

    async def carry_out(self, step: PlannedStep) -> bool:
        """One step with its attempts, which are recorded side by side; False when the steps after it must not run."""
        run, desk = self._run, self._run.desk
        if self._failed and puts_power_on(run.project, step):
            run.log.tell("note", f"{step.title} is not carried out: {self._failed} failed, nothing is energised now")
            return False
        known = run.past.steps.get(key_of(step)) if run.past is not None else None
        attempt = 1 + (known.attempts[-1].attempt if known is not None and known.attempts else 0)
        asked_by = ""
        went_on: dict[int, bool] = {}
        while True:
            went_on[attempt] = await run.stepping.run_step(step, attempt, asked_by)
            await self._wait_for_people(step, goes_on=went_on[attempt])
            wish = desk.hear()
            if run.stopping.is_set():
                return False
            if wish != "retry":
                break
            run.trouble = None
            attempt, asked_by = attempt + 1, desk.who
        if run.trouble is not None:  # nobody has mended it
            run.halt(run.trouble)
            return False
        counted = tried(run.found.steps)[-1].counted
        if counted.verdict is not Verdict.FAIL or went_on.get(counted.attempt, False):
            return went_on[attempt] or wish == "skip"
        if went_on[attempt] or wish == "skip":
            self._failed = step.title
            return True
        return False

    async def _wait_for_people(self, step: PlannedStep, *, goes_on: bool) -> None:
        """Wait while the run is held; it is held after a step that would end it when the caller wants that."""
        run = self._run
        if not goes_on and run.options.hold_on_fail and not run.stopping.is_set():
            run.desk.hold("", step.title)
            asked = "could not be judged; retry or continue?" if run.trouble else "failed; retry, skip or continue?"
            run.log.tell("operator", f"held: {step.title} {asked}", step=step.title)
        run.held_after = step
        await run.desk.pass_gate(run.stopping)
        run.held_after = None


def puts_power_on(project: Project, step: PlannedStep) -> bool:
    """Whether a step may energise the rack, or sets its load; switching off is no such step."""
    if getattr(step.params, "to", None) == OFF or step.definition.name == "power_off":
        return False
    if getattr(step.params, "load", None) is not None:
        return True
    return bool(next(energised_by(project.source, project.on, step), None)) or any(
        project.catalog.profiles[device].class_ == LOAD
        for _, kind, reference in references(step.definition.params, project.source.data[step.section][step.index])
        if kind == "control"
        for device, _ in project.catalog.find_controls(reference)
    )
