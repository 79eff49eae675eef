"""The leak interlock of a station proved with water or a test plug: detection, isolation and a broken sensor apart."""

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

_PARTS = {
    "detected": "detected after",
    "fault": "reported as broken after",
    "liquid": "liquid isolated after",
    "electrical": "electrically isolated after",
}


class LeakSensor(Model):
    """One sensor: how it is made wet (or its cable open), and what must follow, each by itself and in its own time."""

    name: Title
    cause: Cause
    """Water on it, a test plug (wet); or its cable pulled, for `fault`."""
    detected: Expected | None = None
    """That it is wet is seen, by its zone."""
    fault: Expected | None = None
    """That the sensor itself is broken is seen: not the same as wet."""
    liquid: Expected | None = None
    """Liquid isolation: valves shut, pumps stopped."""
    electrical: Expected | None = None
    """Electrical isolation: what feeds the rack is off."""
    alone: bool = False
    """Whether its signal may show no other word, e.g. another zone, that it did not show before."""
    back: tuple[Cause, ...]
    """Dries the sensor and resets what latches, in this order."""
    clears_within: Duration | None = None
    """How soon after that the sensor must read as before."""

    @property
    def expected(self) -> dict[str, Expected]:
        """What must follow, by its part."""
        return {part: each for part in _PARTS if (each := getattr(self, part)) is not None}


class LeakInterlockProof(Params):
    """Parameters of `leak_interlock_proof`."""

    sensors: Annotated[tuple[LeakSensor, ...], Field(min_length=1, max_length=100)]
    no_power: Annotated[tuple[Condition, ...], Field(min_length=1)]
    """What shows that the rack has no power. It must hold before each sensor is made wet: else nothing is, and the step
    fails."""

    @property
    def measures(self) -> tuple[str, ...]:
        """What must be seen."""
        return tuple(each.signal for sensor in self.sensors for each in sensor.expected.values())

    def planned_seconds(self, _catalog: Catalog) -> None:
        """Persons and devices decide."""

    def check_against(self, catalog: Catalog, _limits: Mapping[str, Any]) -> None:
        """Something must follow, causes must be possible, and words such that signals show them."""
        for index, sensor in enumerate(self.sensors):
            if sensor.detected is None and sensor.fault is None:
                message = "give `detected` or `fault`: isolation alone does not say why"
                raise LocatedError(message, "sensors", index)
            check_cause(sensor.cause, catalog, "sensors", index, "cause")
            for number, cause in enumerate(sensor.back):
                check_cause(cause, catalog, "sensors", index, "back", number)
            for part, each in sensor.expected.items():
                check_expected(each, catalog, "sensors", index, part)


@step("leak_interlock_proof", version=1)
async def leak_interlock_proof(ctx: StepContext, p: LeakInterlockProof) -> None:
    """Make each leak sensor wet, or break it, without power on the rack: what must follow is judged, each with a time.

    The run's own interlock on leaks goes on: a station on which it is armed without power trips, as it must. Arm it by
    power for this (`armed_when`).
    """
    for number, sensor in enumerate(p.sensors):
        ctx.progress(number / len(p.sensors), sensor.name)
        if why := unmet(ctx, p.no_power):
            raise StepFailedError(f"{sensor.name} is not made wet: {why}", hint="take the power off first")
        await _prove(ctx, sensor)


async def _prove(ctx: StepContext, sensor: LeakSensor) -> None:
    expected = sensor.expected
    main = "detected" if sensor.detected is not None else "fault"
    each = expected[main]
    info, reading = ctx.info(each.signal), ctx.observe(each.signal)
    before = {*info.word(reading.value).split("+"), each.shows or ""}
    if each.is_seen(info, each.compiled(info), reading.value, reading.quality):
        raise StepFailedError(f"{each.signal} is {reading} before {sensor.name} is touched", hint="dry and reset it")
    within = each.model_copy(update={"within": sensor.clears_within or 0.0})
    cleared = math.nan

    async def dry() -> None:
        nonlocal cleared
        with Looking(ctx, {main: within}, gone=True) as clearing:
            since = await carry_out_all(ctx, sensor.back)
            clearing.seen.clear()
            if sensor.clears_within is not None:
                cleared = (await clearing.wait(since, f"{sensor.name} clears"))[main]

    async with taken_back(ctx, dry):
        with Looking(ctx, expected) as looking:
            since = await carry_out(ctx, sensor.cause)
            took = await looking.wait(since, sensor.name)
        for part, seconds in took.items():
            judge_time(ctx, f"{ctx.title}: {sensor.name}: {_PARTS[part]}", expected[part], seconds)
        if sensor.alone:
            judge_others(ctx, f"{ctx.title}: {sensor.name}", looking.shown[main] - before)
    if sensor.clears_within is not None:
        judge_time(ctx, f"{ctx.title}: {sensor.name}: clear after", within, cleared)
