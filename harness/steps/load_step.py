"""A step of the load: how far the coolant goes, when it is back, and whether the regulation swings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.analysis.response import LAST, Response, step_response
from harness.analysis.zero import LEAST_SAMPLES
from harness.api import (
    Bounds,
    Catalog,
    ControlRef,
    Duration,
    LimitName,
    LocatedError,
    Params,
    QuantityField,
    ResolvedLimit,
    SignalRef,
    StepContext,
    Window,
    difference_unit,
    statistic_info,
    step,
)
from harness.steps.conditions import check_number, collect, coverage_of, in_unit
from harness.steps.measuring import check_limit
from harness.steps.setting import possible


class LoadStep(Params):
    """Parameters of `load_step`."""

    control: ControlRef
    """The load. It stays at `to`, as after `ramp`."""
    to: QuantityField
    signal: SignalRef
    """What is regulated and must come back, e.g. the supply temperature. Let it settle before."""
    before: Duration = 20.0
    """How long it is looked at before the step."""
    over: Duration = 240.0
    """How long after it. Where it goes to is the mean of the last fifth."""
    aim: QuantityField | None = None
    """Its setpoint, from which excursions are counted; left out: where it goes to."""
    band: QuantityField
    """It is back when it is this near to where it goes to, for good."""
    overshoot: LimitName | Bounds | None = None
    """Of the largest excursion upwards."""
    settling: LimitName | Bounds | None = None
    """Of the time until it is back, s."""
    decay: LimitName | Bounds | None = None
    """Of the second swing to one side over the first: 0.25 and less is no hunting."""

    @property
    def judges(self) -> bool:
        """Without limits values are only recorded."""
        return any(each is not None for each in (self.overshoot, self.settling, self.decay))

    @property
    def measures(self) -> tuple[str, ...]:
        """The signal, where there is a limit."""
        return (self.signal,) if self.judges else ()

    def planned_seconds(self, _catalog: Catalog) -> float:
        """Before and after."""
        return self.before + self.over

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """The control takes it, units fit, and there are enough samples to say something."""
        for _, control in catalog.find_controls(self.control)[:1]:
            possible(control, str(self.to), "to")
        if self.signal not in catalog.signals:
            return  # said with the other references
        info = catalog.signals[self.signal]
        if not in_unit(self.band, difference_unit(info.unit), "band") > 0:
            raise LocatedError("a band has a width", "band")
        if self.aim is not None:
            in_unit(self.aim, info.unit, "aim")
        for key, seconds in (("before", self.before), ("over", LAST * self.over)):
            if seconds / catalog.period(self.signal) < LEAST_SAMPLES:
                which = "the last fifth of it" if key == "over" else "it"
                raise LocatedError(f"{which} has not the {LEAST_SAMPLES} samples that are needed", key)
        check_limit(self.overshoot, limits, statistic_info(info, "delta"), "overshoot")
        check_number(self.settling, limits, "s", "settling")
        check_number(self.decay, limits, "", "decay")


@step("load_step", version=1)
async def load_step(ctx: StepContext, p: LoadStep) -> None:
    """Set the load at once, and judge overshoot, settling time and decay ratio of what is regulated."""
    unit = ctx.info(p.signal).unit
    before = await collect(ctx, (p.signal,), p.before, "before the step")
    with ctx.collecting(p.signal) as window:
        started = ctx.clock.monotonic()
        await ctx.act(p.control, f"{p.to.value:.10g} {p.to.unit}".strip())
        after = {p.signal: window}
        while (now := ctx.clock.monotonic()) < started + p.over:
            ctx.progress((now - started) / p.over, str(ctx.observe(p.signal)))
            await ctx.sleep(min(1.0, started + p.over - now))
    found, why = _response(p, unit, before[p.signal], window, started)
    share = coverage_of(ctx, after, p.over)

    def judge(name: str, signal: str, value: float, limit: ResolvedLimit) -> None:
        title, good, needed = f"{ctx.title}: {name}", window.good, ctx.coverage_needed
        ctx.measure(title, signal, value, limit, samples=good, coverage=share, needed=needed, why=why)

    overshoot = ctx.resolve(p.overshoot, p.signal, "delta")
    if found is None:
        judge("overshoot", p.signal, math.nan, overshoot)
        return
    ctx.tell(f"{p.signal} went from {found.before:.2f} to {found.final:.2f} {unit}")
    judge("overshoot", p.signal, found.overshoot, overshoot)
    settled = min(found.settled_after, p.over)  # not back within the time is at least that long
    judge("settling time", "", settled, ctx.resolve_number(p.settling, "s"))
    judge("decay ratio", "", found.decay_ratio, ctx.resolve_number(p.decay))


def _response(p: LoadStep, unit: str, before: Window, after: Window, started: float) -> tuple[Response | None, str]:
    aim = in_unit(p.aim, unit) if p.aim is not None else None
    try:
        times = [time - started for time in after.times]
        return step_response(before.values, times, after.values, in_unit(p.band, difference_unit(unit)), aim), ""
    except (ValueError, IndexError) as error:
        return None, str(error)
