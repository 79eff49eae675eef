"""Which steps of a plan are carried out, in what order, and which of them beside each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby, takewhile

from harness.engine.state import RunState
from harness.events import EventKind
from harness.limits.check import compile_check
from harness.limits.verdict import Verdict, worst
from harness.project.beginning import skipped_by
from harness.project.model import Group, PlannedStep, VerdictOf
from harness.record.attempts import latest
from harness.schema.conditions import Condition

One = Callable[[PlannedStep], Awaitable[bool]]
"""Carries one step out, or goes past one that is done; False when the steps after it must not run."""
LEFT_OUT = "LEFT OUT"


class Sequencer:
    """Goes through the steps of one section."""

    def __init__(self, run: RunState, one: One, is_behind: Callable[[PlannedStep], bool]) -> None:
        self._run = run
        self._one = one
        self._is_behind = is_behind
        self._before = skipped_by(run.project.begin_at, run.project.steps) if run.project.begin_at else {}
        self._decided: dict[str, str] = {}
        """Path of a group -> why it is left out; '' when it is carried out."""
        self._reached: dict[str, str] = {}
        """Path of a repeat whose `until` holds -> in words."""

    async def carry_out(self, steps: Sequence[PlannedStep], depth: int = 0) -> bool:
        """All of them; False when what follows must not run. `depth`: how many of their groups have been entered."""
        ahead = list(steps)
        while ahead:
            if self._run.stop_requested.is_set() or any(group.path in self._run.halted for group in ahead[0].groups):
                return False
            step = ahead[0]
            inner = next((at for at in range(depth, len(step.groups)) if step.groups[at].kind == "parallel"), None)
            if inner is None:
                del ahead[0]
                if why := self._why_not(step):
                    self._leave_out(step, why)
                elif not await self._one(step):
                    return False
                continue
            path = step.groups[inner].path
            inside = _inside(path, ahead)
            del ahead[: len(inside)]
            if not await self._beside(path, inside, inner + 1):
                return False
        return not self._run.stop_requested.is_set()

    async def _beside(self, path: str, steps: Sequence[PlannedStep], depth: int) -> bool:
        """The branches of a parallel group; where one must not go on, the others begin no other step."""

        async def branch(own: list[PlannedStep]) -> bool:
            goes_on = await self.carry_out(own, depth)
            if not goes_on:
                self._run.halted.add(path)
                if self._run.context is not None:  # what goes on beside it ends, and energises nothing any more
                    self._run.context.unproved = self._run.context.unproved or path.partition("/")[2]
            return goes_on

        branches = [list(own) for _, own in groupby(steps, key=lambda step: step.groups[depth].path)]
        tasks = [asyncio.ensure_future(branch(own)) for own in branches]
        try:
            return all(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    # ---- conditions

    def _why_not(self, step: PlannedStep) -> str:
        """Why a step is left out; '' when it is carried out."""
        if step.path in self._before:
            return self._before[step.path]
        past = self._run.past
        if past is not None and step.path in past.left_out:
            return past.left_out[step.path]
        if self._is_behind(step):
            self._decided.update({group.path: "" for group in step.groups})
            return ""
        for group in step.groups:
            if group.path not in self._decided:
                self._decided[group.path] = "" if self._had_begun(group) else self._why_not_group(group)
            if why := self._decided[group.path]:
                return why
        return self._unmet(step.needs)

    def _had_begun(self, group: Group) -> bool:
        """Whether the interrupted run was in it already: then it is carried out to its end."""
        past, inside = self._run.past, f"{group.path}/"
        return past is not None and any(path.startswith(inside) for path in past.steps)

    def _why_not_group(self, group: Group) -> str:
        if why := self._unmet(group.needs):
            return why
        if group.unless is None:
            return ""
        repeat = group.path.rpartition("/")[0]
        if repeat not in self._reached and (said := self._holds(group.unless)):
            self._reached[repeat] = said
        return self._reached.get(repeat, "")

    def _unmet(self, needs: Sequence[VerdictOf]) -> str:
        return next((f"{need.name} is {self._came_to(need)}" for need in needs if not self._is_met(need)), "")

    def _holds(self, until: Condition | VerdictOf) -> str:
        """What ends a repeat, in words; '' while it does not hold."""
        if isinstance(until, VerdictOf):
            return f"{until.name} is {self._came_to(until)}" if self._is_met(until) else ""
        context = self._run.context
        assert context is not None
        store = context.store
        names = [name for name in self._run.project.catalog.find_signals(until.signal) if store.has(name)]
        checks = [(compile_check(until, store.info(name)), store.latest(name)) for name in names]
        if not checks or not all(check.holds(reading.value, reading.quality) for check, reading in checks):
            return ""
        return f"{until.signal} is {checks[0][1]}" if len(checks) == 1 else f"all of {until.signal} are {checks[0][0]}"

    def _is_met(self, need: VerdictOf) -> bool:
        return self._came_to(need) in need.verdicts

    def _came_to(self, need: VerdictOf) -> str:
        """The worst of what a step, or the steps of a group, came to."""
        inside = f"{need.path}/"
        ended = [each for each in self._run.summary.steps if each.path == need.path or each.path.startswith(inside)]
        verdicts = [step.verdict for step in latest(ended)]
        if set(verdicts) <= {Verdict.SKIPPED}:
            return str(Verdict.SKIPPED) if verdicts else LEFT_OUT
        return str(worst(verdicts))

    def _leave_out(self, step: PlannedStep, why: str) -> None:
        self._run.summary.left_out[step.path] = (step.title, why)
        text = f"{step.title} is left out: {why}"
        self._run.log.event(EventKind.LEFT_OUT, text, path=step.path, step=step.title, reason=why)


def _inside(path: str, steps: Sequence[PlannedStep]) -> list[PlannedStep]:
    """The first of the steps, as far as they stand in a group."""
    return list(takewhile(lambda each: any(group.path == path for group in each.groups), steps))
