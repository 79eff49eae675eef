"""Inrush: the peak that an instrument holds while an outlet is switched on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from harness.analysis.inrush import let_through, worst_case
from harness.api import (
    BadValueError,
    Bounds,
    Catalog,
    ControlRef,
    Duration,
    LimitName,
    LocatedError,
    Params,
    SignalInfo,
    SignalRef,
    StepContext,
    step,
)
from harness.steps.measuring import check_limit
from harness.steps.power import check_switches
from harness.steps.sampling import check_unit, check_window, sampled

PHASES = 3
_I2T = SignalInfo(name="i2t", unit="")


class Inrush(Params):
    """Parameters of `inrush`."""

    outlet: ControlRef
    """The control that puts power on what is tested; it is off before and after."""
    hold: ControlRef
    """The control of the instrument that holds peaks; `on` begins anew."""
    peaks: Annotated[tuple[SignalRef, ...], Field(min_length=1)]
    """The held peak currents of the three phases, or a column of them."""
    closings: Annotated[int, Field(ge=1, le=20)] = 3
    """How often it is switched on: each time at another moment of the wave."""
    rest: Duration = 10.0
    """With the outlet off before each time, so that capacitors discharge and limiters cool."""
    over: Duration = 4.0
    """From the switching until the peaks are read."""
    limit: LimitName | Bounds | None = None
    """Of the highest peak, at the worst moment of switching on."""
    decay: Duration | None = None
    """In which the inrush falls to 37 %, as the data sheet says: with it the let-through (I2t) is known."""
    let_through: LimitName | Bounds | None = None
    """Of the I2t, in A2 s (a number without a unit)."""

    @property
    def judges(self) -> bool:
        """Without limits it is only recorded."""
        return self.limit is not None or self.let_through is not None

    @property
    def measures(self) -> tuple[str, ...]:
        """The peaks, where there is a limit."""
        return self.peaks if self.judges else ()

    def planned_seconds(self, _catalog: Catalog) -> float:
        """All closings."""
        return self.closings * (self.rest + self.over)

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """One outlet, an instrument that holds, three phases."""
        check_switches(catalog, self.outlet, "outlet")
        if len(catalog.find_controls(self.outlet)) > 1:
            raise LocatedError("one outlet is tested at a time", "outlet")
        if self.let_through is not None and self.decay is None:
            raise LocatedError("the let-through of a peak is known with its `decay` only", "let_through")
        places = [name for each in self.peaks for name in catalog.find_signals(each)]
        if places and len(places) != PHASES:
            raise LocatedError(f"the peaks of {PHASES} phases are needed, there are {len(places)}", "peaks")
        for _, control in catalog.find_controls(self.hold):
            if not {"on", "off"} <= set(control.spec.takes):
                raise LocatedError(f"{self.hold} is not switched on and off", "hold")
        check_unit(catalog, self.peaks, self.peaks[0], "peaks")
        check_window(catalog, self.peaks, self.over, "over")
        for name in places[:1]:
            check_limit(self.limit, limits, catalog.signals[name], "limit")
        check_limit(self.let_through, limits, _I2T, "let_through")


@step("inrush", version=1)
async def inrush(ctx: StepContext, p: Inrush) -> None:
    """Switch an outlet on a few times and judge the highest peak current that an instrument held.

    A PDU that is read once a second sees no inrush: what holds the peak does. The moment within the wave is not known;
    the highest of three phases is at least 87 % of the crest, so the judged value is the highest peak over that at
    most. I2t = peak^2 decay / 2 of a current that falls exponentially.
    """
    names = [name for each in p.peaks for name in ctx.signals(each)]
    found: list[list[float]] = []
    for k in range(p.closings):
        ctx.progress(k / p.closings, f"{k + 1} of {p.closings}")
        await ctx.act(p.outlet, "off")
        await ctx.sleep(p.rest)
        async with ctx.provoking(partial(_let_go, ctx, p)):
            await ctx.act(p.hold, "on")
            await ctx.act(p.outlet, "on")
            windows = await sampled(ctx, names, p.over)
            found.append([windows[name].statistic("max") for name in names])
    limit = ctx.resolve(p.limit, names[0])
    if not all(math.isfinite(peak) for phases in found for peak in phases):
        ctx.measure(f"{ctx.title}: peak", names[0], math.nan, limit, samples=0)
        return
    seen, worst = worst_case(found)
    if not seen > 0.0:
        raise BadValueError(
            "the instrument held no peak at all", operation="inrush", hint="is it in the right circuit?"
        )
    unit = ctx.info(names[0]).unit
    ctx.tell(f"highest peak {seen:.4g} {unit} of {p.closings} closings, up to {worst:.4g} {unit} at the crest")
    ctx.measure(f"{ctx.title}: peak", names[0], worst, limit, samples=p.closings)
    if p.decay is not None:
        value = let_through(worst, p.decay)
        ctx.measure(f"{ctx.title}: let-through", "", value, ctx.resolve_number(p.let_through), samples=p.closings)


async def _let_go(ctx: StepContext, p: Inrush) -> None:
    await ctx.act(p.outlet, "off")
    await ctx.act(p.hold, "off")
