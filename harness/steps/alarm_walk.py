"""A walk through a device's alarms: each provoked, seen in time, and gone in time when its cause is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from harness.api import (
    Catalog,
    Condition,
    Duration,
    LocatedError,
    Model,
    Params,
    StepContext,
    StepFailedError,
    Title,
    step,
)
from harness.steps.conditions import unmet
from harness.steps.provoking import (
    Cause,
    Expected,
    Looking,
    carry_out,
    carry_out_all,
    check_cause,
    check_expected,
    judge_others,
    judge_time,
    taken_back,
)


class Alarm(Model):
    """One alarm: what provokes it, what must be seen, and how it is taken back."""

    name: Title
    cause: Cause
    expect: Expected
    back: tuple[Cause, ...]
    """Takes the cause away, in this order; a reset of a latched alarm last."""
    clears_within: Duration | None = None
    """How soon after that it must be gone."""
    alone: bool = False
    """Whether the signal may show no other word that it did not show before."""


class AlarmWalk(Params):
    """Parameters of `alarm_walk`."""

    alarms: Annotated[tuple[Alarm, ...], Field(min_length=1, max_length=100)]
    while_: Annotated[tuple[Condition, ...], Field(alias="while")] = ()
    """What must hold before each is provoked, e.g. no power on the rack; else nothing is, and the step fails."""

    @property
    def measures(self) -> tuple[str, ...]:
        """What must be seen."""
        return tuple(each.expect.signal for each in self.alarms)

    def planned_seconds(self, _catalog: Catalog) -> None:
        """Devices, or persons, decide."""

    def check_against(self, catalog: Catalog, _limits: Mapping[str, Any]) -> None:
        """Causes must be such that controls take them, words such that signals show them."""
        names = [each.name for each in self.alarms]
        for index, each in enumerate(self.alarms):
            if each.name in names[:index]:
                raise LocatedError(f"two alarms are named {each.name!r}", "alarms", index, "name")
            check_cause(each.cause, catalog, "alarms", index, "cause")
            for number, cause in enumerate(each.back):
                check_cause(cause, catalog, "alarms", index, "back", number)
            check_expected(each.expect, catalog, "alarms", index, "expect")


@step("alarm_walk", version=1)
async def alarm_walk(ctx: StepContext, p: AlarmWalk) -> None:
    """Provoke one alarm after another; each must come in time, and go in time when its cause is taken away."""
    for number, alarm in enumerate(p.alarms):
        ctx.progress(number / len(p.alarms), alarm.name)
        if why := unmet(ctx, p.while_):
            raise StepFailedError(
                f"{alarm.name} is not provoked: {why}", hint="bring the station into that state first"
            )
        await _walk(ctx, alarm)


async def _walk(ctx: StepContext, alarm: Alarm) -> None:
    expected = {"it": alarm.expect}
    before = set(ctx.info(alarm.expect.signal).word(ctx.observe(alarm.expect.signal).value).split("+"))
    if alarm.expect.shows is not None and alarm.expect.shows in before:
        raise StepFailedError(f"{alarm.expect.signal} shows {alarm.expect.shows} before {alarm.name} is provoked")
    within = alarm.expect.model_copy(update={"within": alarm.clears_within or 0.0})
    cleared = math.nan

    async def back() -> None:
        nonlocal cleared
        with Looking(ctx, {"it": within}, gone=True) as clearing:
            since = await carry_out_all(ctx, alarm.back)
            clearing.seen.clear()  # before its cause was gone it may not have been seen
            if alarm.clears_within is not None:
                cleared = (await clearing.wait(since, f"{alarm.name} clears"))["it"]

    async with taken_back(ctx, back):
        with Looking(ctx, expected) as looking:
            since = await carry_out(ctx, alarm.cause)
            took = (await looking.wait(since, alarm.name))["it"]
        judge_time(ctx, f"{ctx.title}: {alarm.name} is seen after", alarm.expect, took)
    if alarm.clears_within is not None:
        judge_time(ctx, f"{ctx.title}: {alarm.name} is gone after", within, cleared)
    if alarm.alone:
        judge_others(ctx, f"{ctx.title}: {alarm.name}", looking.shown["it"] - before - {alarm.expect.shows or ""})
