"""Which attempt of a step counts, and what is reported of the others.

A step that was done again has not passed as if nothing had been: a FAIL of any attempt counts unless the plan allows
another one after it (`allowed`) and that one passed. Attempts that judged nothing (the station was at fault, data were
missing, the operator began them again) use none of the allowed ones up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.limits.verdict import Verdict
from harness.record.result import Intervention, Result, StepResult


@dataclass(frozen=True, slots=True)
class Tried:
    """The attempts of one step, in their order."""

    attempts: tuple[StepResult, ...]

    @property
    def failed(self) -> list[StepResult]:
        """The attempts in which something was found to be bad, however they ended."""
        return [each for each in self.attempts if is_failed(each)]

    @property
    def counted(self) -> StepResult:
        """The attempt that counts; one in which a limit was violated is a FAIL, also when it was cut short."""
        last, failed = self.attempts[-1], self.failed
        if not failed or last.allowed is None:
            return last
        if last.verdict is Verdict.PASS and len(failed) < last.allowed:
            return last
        return _as_fail(failed[min(len(failed), last.allowed) - 1])

    @property
    def reported(self) -> str:
        """What a reader of the verdict must know of a step that was done more than once; '' of any other."""
        last, counted = self.attempts[-1], self.counted
        if len(self.attempts) == 1:
            return ""
        names = list(dict.fromkeys(each.asked_by for each in self.attempts if each.asked_by))
        who = f"asked for by {', '.join(names)}" if names else "after an interruption"
        if counted.attempt == last.attempt:
            free = len(self.attempts) - len(self.failed) - (not is_failed(last))
            return f"{last.name} at attempt {last.attempt} of {free + (last.allowed or last.attempt)}, {who}"
        after = sum(each.attempt > counted.attempt for each in self.attempts)
        times = "once" if after == 1 else f"{after} times"
        return f"{last.name} was done again {times}, {who}: the {counted.verdict} of attempt {counted.attempt} counts"


def is_failed(attempt: StepResult) -> bool:
    """Whether an attempt found the rack to be bad."""
    return attempt.verdict is Verdict.FAIL or any(one.verdict is Verdict.FAIL for one in attempt.measurements)


def _as_fail(attempt: StepResult) -> StepResult:
    if attempt.verdict is Verdict.FAIL:
        return attempt
    bad = [one.reason or one.name for one in attempt.measurements if one.verdict is Verdict.FAIL]
    ended = f" ({attempt.reason})" if attempt.reason else ""
    return attempt.model_copy(update={"verdict": Verdict.FAIL, "reason": "; ".join(bad[:3]) + ended})


def tried(steps: Sequence[StepResult]) -> list[Tried]:
    """The steps in the order in which they were first carried out, each with its attempts."""
    groups: list[list[StepResult]] = []
    latest_of: dict[str, list[StepResult]] = {}
    for step in steps:
        group = latest_of.get(_key(step))
        if step.attempt > 1 and group is not None:
            group.append(step)
        else:
            group = latest_of[_key(step)] = [step]
            groups.append(group)
    return [Tried(tuple(each)) for each in groups]


def _key(step: StepResult) -> str:
    """What tells a step from the others of its run; older records have no paths."""
    return step.path or f"{step.step} {step.name}"


def tried_of(path: str, steps: Sequence[StepResult]) -> Tried:
    """The attempts of one step: no others of `steps` are looked at."""
    found = []
    for step in reversed(steps):
        if step.path == path:
            found.append(step)
            if step.attempt <= 1:
                break
    return Tried(tuple(reversed(found)))


def latest(steps: Sequence[StepResult]) -> list[StepResult]:
    """The attempts that count, one of each step."""
    return [each.counted for each in tried(steps)]


def reported(steps: Sequence[StepResult]) -> list[str]:
    """A line for each step that was done more than once."""
    return [each.reported for each in tried(steps) if each.reported]


def reported_of(result: Result) -> list[str]:
    """What people changed of a run, a line each: another run of its serial, parameters, attempts, skips, pauses."""
    skipped = [
        f"{step.name} {step.reason}" for step in result.steps if step.verdict is Verdict.SKIPPED and step.started
    ]
    return [
        *result.twins,
        *result.changes,
        *reported(result.steps),
        *skipped,
        *_left_out(result),
        *_pauses(result.people),
    ]


_MOST_LEFT_OUT = 5


def _left_out(result: Result) -> list[str]:
    """What conditions left out, the first of it in words."""
    lines = [f"left out: {path.partition('/')[2]} ({why})" for path, why in result.left_out.items()]
    more = len(lines) - _MOST_LEFT_OUT
    return lines if more <= 1 else [*lines[:_MOST_LEFT_OUT], f"left out: {more} more"]


def _pauses(people: Sequence[Intervention]) -> list[str]:
    """One line a person and step, with the time of all pauses."""
    held: dict[tuple[str, str], float] = {}
    for one in people:
        if one.did == "pause":
            held[one.who, one.step] = held.get((one.who, one.step), 0.0) + (one.held_s or 0.0)
    return [
        f"held for {seconds:.0f} s by {who}{f' in {step}' if step else ''}" for (who, step), seconds in held.items()
    ]


def notes_of(result: Result) -> list[str]:
    """What people wrote into a run: who and what."""
    return [f"{one.who}: {one.text}" for one in result.people if one.did == "note"]
