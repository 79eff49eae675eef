"""One pump stops under load: how far the flow dips, when it is back, what the coolant does, when it is reported."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from harness.analysis.response import Dip, dip
from harness.analysis.zero import LEAST_SAMPLES
from harness.api import (
    Bounds,
    Catalog,
    Condition,
    DeviceError,
    Duration,
    LimitName,
    LocatedError,
    Model,
    Params,
    Percent,
    SignalRef,
    StepContext,
    StepFailedError,
    Title,
    Window,
    statistic_info,
    step,
)
from harness.steps.conditions import check_number, collect, coverage_of, unmet
from harness.steps.measuring import check_limit
from harness.steps.provoking import (
    Cause,
    Expected,
    Looking,
    carry_out,
    carry_out_all,
    check_cause,
    check_expected,
    judge_time,
    taken_back,
)


class StoppedPump(Model):
    """One pump: how it is stopped and started again, and what shows that it has stopped."""

    name: Title
    stop: Cause
    start: tuple[Cause, ...]
    stopped: Expected
    """That it really stands still: else nothing was proved, which is the station's fault."""
    alarm: Expected | None = None
    """How soon its loss must be reported."""


class PumpFailover(Params):
    """Parameters of `pump_failover`."""

    pumps: Annotated[tuple[StoppedPump, ...], Field(min_length=1, max_length=8)]
    """Each is stopped in turn, and started again before the next."""
    flow: SignalRef
    supply: SignalRef
    """Temperature of the coolant to the rack."""
    while_: Annotated[tuple[Condition, ...], Field(alias="while")] = ()
    """What must hold before each is stopped, e.g. the power of full load; else none is, and the step fails."""
    before: Duration = 15.0
    """How long flow and temperature are looked at before."""
    over: Duration = 60.0
    """How long each stands still."""
    rest: Duration = 60.0
    """How long the flow may take to be back, and is waited, when it runs again."""
    share: Percent = 95.0
    """Share of the flow before that counts as recovered."""
    dip: LimitName | Bounds | None = None
    """Of the flow lost, % of what it was."""
    recovery: LimitName | Bounds | None = None
    """Of the time until the flow is back to `share` for good, s."""
    overshoot: LimitName | Bounds | None = None
    """Of the rise of the supply temperature above what it was."""

    @property
    def measures(self) -> tuple[str, ...]:
        """Flow and supply."""
        return (self.flow, self.supply)

    def planned_seconds(self, _catalog: Catalog) -> float:
        """Each pump, and its rest."""
        return len(self.pumps) * (self.before + self.over + self.rest)

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """Causes must be possible, words such that signals show them, limits must fit."""
        if not 0 < self.share < 100:
            raise LocatedError("more than 0 and less than 100 %", "share")
        for index, pump in enumerate(self.pumps):
            check_cause(pump.stop, catalog, "pumps", index, "stop")
            for number, cause in enumerate(pump.start):
                check_cause(cause, catalog, "pumps", index, "start", number)
            check_expected(pump.stopped, catalog, "pumps", index, "stopped")
            check_expected(pump.alarm, catalog, "pumps", index, "alarm")
            if pump.stopped.within >= self.over:
                raise LocatedError(
                    "it would be started again before it has stopped", "pumps", index, "stopped", "within"
                )
        if self.flow not in catalog.signals or self.supply not in catalog.signals:
            return  # said with the other references
        for name in (self.flow, self.supply):
            if self.before / catalog.period(name) < LEAST_SAMPLES:
                raise LocatedError(f"{LEAST_SAMPLES} samples of {name} are needed", "before")
        check_number(self.dip, limits, "%", "dip")
        check_number(self.recovery, limits, "s", "recovery")
        check_limit(self.overshoot, limits, statistic_info(catalog.signals[self.supply], "delta"), "overshoot")


@step("pump_failover", version=1)
async def pump_failover(ctx: StepContext, p: PumpFailover) -> None:
    """Stop each pump in turn under load; the others must bring the flow back. It runs again whatever was found."""
    for number, pump in enumerate(p.pumps):
        ctx.progress(number / len(p.pumps), pump.name)
        if why := unmet(ctx, p.while_):
            raise StepFailedError(f"{pump.name} is not stopped: {why}", hint="bring the station into that state first")
        await _fail_over(ctx, p, pump)


async def _fail_over(ctx: StepContext, p: PumpFailover, pump: StoppedPump) -> None:
    before = await collect(ctx, (p.flow, p.supply), p.before, f"before {pump.name} stops")
    looked = {"stopped": pump.stopped, **({"alarm": pump.alarm} if pump.alarm is not None else {})}

    async def back() -> None:
        await carry_out_all(ctx, pump.start)

    async with taken_back(ctx, back):
        with Looking(ctx, looked) as looking, ctx.collecting(p.flow) as flow, ctx.collecting(p.supply) as supply:
            since = await carry_out(ctx, pump.stop)
            while (now := ctx.clock.monotonic()) < since + p.over:
                ctx.progress((now - since) / p.over, f"{pump.name} stands: {ctx.observe(p.flow)}")
                await ctx.sleep(min(1.0, since + p.over - now))
    took = {name: looking.seen.get(name, math.inf) - since for name in looked}
    if took["stopped"] > pump.stopped.within:
        raise DeviceError(
            f"{pump.name} was to stop, but {pump.stopped.signal} is {ctx.observe(pump.stopped.signal)}",
            operation="pump_failover",
            hint="look at the pump and how it is stopped",
        )
    _judge(ctx, p, pump, before, {p.flow: flow, p.supply: supply}, since)
    if pump.alarm is not None:
        judge_time(ctx, f"{ctx.title}: {pump.name}: reported after", pump.alarm, max(0.0, took["alarm"]))
    await _rest(ctx, p, pump, before[p.flow].statistic("mean"))


def _judge(
    ctx: StepContext,
    p: PumpFailover,
    pump: StoppedPump,
    before: Mapping[str, Window],
    after: Mapping[str, Window],
    since: float,
) -> None:
    flow, supply = after[p.flow], after[p.supply]
    share, needed = coverage_of(ctx, after, p.over), ctx.coverage_needed
    title = f"{ctx.title}: {pump.name}"
    found, why = _dip(p, before[p.flow], flow, since)
    lost, back = (found.lost, min(found.recovered_after, p.over)) if found is not None else (math.nan, math.nan)
    rise = supply.statistic("max") - before[p.supply].statistic("mean")
    for name, signal, value, limit in (
        ("flow lost", "", lost, ctx.resolve_number(p.dip, "%")),
        ("flow back after", "", back, ctx.resolve_number(p.recovery, "s")),
        ("rise of the supply", p.supply, rise, ctx.resolve(p.overshoot, p.supply, "delta")),
    ):
        good = (supply if signal else flow).good
        ctx.measure(f"{title}: {name}", signal, value, limit, samples=good, coverage=share, needed=needed, why=why)


def _dip(p: PumpFailover, before: Window, after: Window, since: float) -> tuple[Dip | None, str]:
    try:
        times = [time - since for time in after.times]
        return dip(before.statistic("mean"), times, after.values, p.share / 100), ""
    except ValueError as error:
        return None, str(error)


async def _rest(ctx: StepContext, p: PumpFailover, pump: StoppedPump, before: float) -> None:
    """Wait until the flow is back with the pump running, and the rest of the time."""
    since = ctx.clock.monotonic()
    is_back = False
    while (now := ctx.clock.monotonic()) < since + p.rest:
        reading = ctx.observe(p.flow)
        is_back = is_back or (reading.is_good and reading.value >= p.share / 100 * before)
        ctx.progress((now - since) / p.rest, f"{pump.name} runs again: {reading}")
        await ctx.sleep(min(1.0, since + p.rest - now))
    if not is_back:
        raise StepFailedError(f"{pump.name} runs again, but the flow is {ctx.observe(p.flow)}, it was {before:.4g}")
