"""Redundancy of power supplies: one is taken away under load, the rest must carry on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.analysis.sharing import sharing
from harness.api import (
    BadValueError,
    Bounds,
    Catalog,
    Condition,
    ControlRef,
    Duration,
    LimitName,
    LocatedError,
    Params,
    QuantityField,
    SignalInfo,
    SignalRef,
    StepContext,
    StepFailedError,
    StrictText,
    Watch,
    compile_check,
    step,
)
from harness.steps.extremes import Extremes, check_words, taken
from harness.steps.measuring import check_limit
from harness.steps.sampling import check_unit, check_window, coverage, sampled
from harness.steps.watching import Watching, check_watches

_SHARE, _TIME = SignalInfo(name="share", unit="%"), SignalInfo(name="alarm", unit="s")


class PsuRedundancy(Params):
    """Parameters of `psu_redundancy`."""

    take: ControlRef
    """What takes the supply away: an outlet, a bank of them (a feed), or the supply's own test of a lost input."""
    to: StrictText = "off"
    """The word that takes it away."""
    back: StrictText = "on"
    """The word that gives it back: at the end, after a FAIL, and when the step is skipped. Not when the run ends."""
    lasts: Duration = 30.0
    """How long it is away."""
    recover: Duration = 15.0
    """How long it may take afterwards until the next step begins."""
    lowest: SignalRef
    """The lowest voltage of the bus, as a supply or a battery that goes on keeps it."""
    highest: SignalRef | None = None
    """The highest one."""
    bus: LimitName | Bounds
    """Of both."""
    outputs: tuple[SignalRef, ...] = ()
    """What each of those gives that go on, or a column."""
    rating: QuantityField | None = None
    """What each of these is rated for."""
    share: LimitName | Bounds | None = None
    """Of the largest deviation of one of them from their mean, in % of the rating."""
    healthy: Condition | None = None
    """What is shown as long as nothing is wrong (`alarms` equal `none`); it must cease to be shown."""
    alarm_within: Duration = 10.0
    """How long that may take."""
    watch: tuple[Watch, ...] = ()
    """What must hold while it is away: trays that go on."""

    @property
    def measures(self) -> tuple[str, ...]:
        """The bus, the outputs, and what is watched."""
        return (self.lowest, *((self.highest,) if self.highest else ()), *(each.signal for each in self.watch))

    @property
    def watches(self) -> tuple[Watch, ...]:
        """As it says."""
        return self.watch

    def planned_seconds(self, _catalog: Catalog) -> float:
        """Away and back."""
        return self.lasts + self.recover

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """Words that the control takes, times that signals can be seen in, limits that fit."""
        check_words(catalog, self.take, [("to", self.to), ("back", self.back)])
        if self.share is not None and (not self.outputs or self.rating is None):
            raise LocatedError("a share is one of `outputs` with a `rating`", "share")
        if self.healthy is not None and self.healthy.for_:
            raise LocatedError("the first reading without it counts: leave `for` out", "healthy", "for")
        if self.healthy is not None and self.alarm_within > self.lasts:
            raise LocatedError(f"it is away for {self.lasts:g} s: no alarm is awaited for longer", "alarm_within")
        for name in (self.lowest, *((self.highest,) if self.highest else ())):
            for each in catalog.find_signals(name)[:1]:
                check_limit(self.bus, limits, catalog.signals[each], "bus")
        if self.outputs:
            check_unit(catalog, self.outputs, self.outputs[0], "outputs")
            check_window(catalog, self.outputs, self.lasts / 2, "lasts")
            for each in catalog.find_signals(self.outputs[0])[:1]:
                try:
                    _ = self.rating.to(catalog.signals[each].unit) if self.rating is not None else 0.0
                except ValueError as error:
                    raise LocatedError(str(error), "rating") from None
        check_limit(self.share, limits, _SHARE, "share")
        check_watches(self.watch, self.lasts, catalog)


@step("psu_redundancy", version=1)
async def psu_redundancy(ctx: StepContext, p: PsuRedundancy) -> None:
    """Take a supply, an outlet or a feed away under load: the bus must stay in its band and the rest share the load.

    The bus is judged by the extremes that the supplies themselves keep, which see what no poll does; the sharing by the
    largest deviation from the mean in % of the rating, over the second half of the time; the alarm by when it is first
    read. What was taken is given back however the step ends, unless the run ends with it: then the rack is made safe.
    """
    bus = Extremes(ctx, p.lowest, p.highest, p.bus)
    if not await bus.are_clear():
        return
    if p.healthy is not None and not _shows(ctx, p.healthy, healthy=True):
        reading, device = ctx.observe(p.healthy.signal), p.healthy.signal.partition(".")[0]
        said = f"{p.healthy.signal} is {reading} before anything is taken away"
        if reading.is_good and device in ctx.devices and ctx.devices[device].role == "uut":
            raise StepFailedError(said, hint="something of the rack has failed under the load of the steps before")
        raise BadValueError(said, operation="psu_redundancy")
    with Watching(ctx, p.watch) as watching, bus:
        async with taken(ctx, p.take, p.to, p.back):
            began = ctx.clock.monotonic()
            alarm = await _alarm(ctx, p, began)
            await watching.wait(max(0.1, p.lasts / 2 - (ctx.clock.monotonic() - began)))
            names = [name for each in p.outputs for name in ctx.signals(each)]
            windows = await sampled(ctx, names, p.lasts / 2)
        await bus.look_after()
    watching.report()
    bus.judge()
    if p.rating is not None and names:
        value, data = math.nan, coverage(ctx, windows, p.lasts / 2)
        means = [windows[name].statistic("mean") for name in names]
        if all(map(math.isfinite, means)):
            value, worst = sharing(means, p.rating.to(ctx.info(names[0]).unit))
            ctx.tell(f"{names[worst]} gives {means[worst]:.4g}, the mean is {math.fsum(means) / len(means):.4g}")
        ctx.measure(f"{ctx.title}: sharing", "", value, ctx.resolve_number(p.share, "%"), **data)
    if p.healthy is not None:
        within = Bounds.model_validate({"max": f"{p.alarm_within:g} s"})
        ctx.measure(f"{ctx.title}: alarm after", "", alarm, ctx.resolve_number(within, "s"))
    await ctx.sleep(p.recover)


def _shows(ctx: StepContext, condition: Condition, *, healthy: bool) -> bool:
    """Whether it is read, and shows that all is well, or that it is not."""
    reading = ctx.observe(condition.signal)
    return reading.is_good and compile_check(condition, ctx.info(condition.signal)).holds(reading.value) is healthy


async def _alarm(ctx: StepContext, p: PsuRedundancy, began: float) -> float:
    """Seconds until the alarm was seen; a little more than allowed when it was not."""
    if p.healthy is None:
        return math.nan
    while (passed := ctx.clock.monotonic() - began) <= p.alarm_within:
        if _shows(ctx, p.healthy, healthy=False):
            return passed
        await ctx.sleep(min(0.5, ctx.period(p.healthy.signal)))
    ctx.tell(f"{p.healthy.signal} showed nothing of it within {p.alarm_within:g} s")
    return passed
