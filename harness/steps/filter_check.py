"""The filter: its pressure drop brought to one flow, and by how much it has loaded up since an earlier step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.analysis.filter import at_flow, change
from harness.analysis.heat import Known
from harness.analysis.zero import LEAST_SAMPLES, steady_mean
from harness.api import (
    Bounds,
    Catalog,
    Duration,
    LimitName,
    LocatedError,
    Params,
    QuantityField,
    SignalRef,
    StepContext,
    Title,
    Window,
    step,
)
from harness.steps.conditions import check_number, check_units, collect, coverage_of, guarded, in_unit
from harness.steps.measuring import check_limit


class FilterCheck(Params):
    """Parameters of `filter_check`."""

    pressure_drop: SignalRef
    flow: SignalRef
    at: QuantityField
    """The flow that the pressure drop is brought to, by the square of the flow."""
    over: Duration = 20.0
    limit: LimitName | Bounds | None = None
    """Of the pressure drop at that flow. Where the station declares how accurate the sensors are, the expanded
    uncertainty (k = 2) is the guard band."""
    compare_with: Title | None = None
    """The name of an earlier `filter_check` of the same flow: the change since then is measured too."""
    change: LimitName | Bounds | None = None
    """Of the change, % of what it was."""

    @property
    def judges(self) -> bool:
        """Without limits values are only recorded."""
        return self.limit is not None or self.change is not None

    @property
    def measures(self) -> tuple[str, ...]:
        """The pressure drop, where there is a limit."""
        return (self.pressure_drop,) if self.judges else ()

    def planned_seconds(self, _catalog: Catalog) -> float:
        """As long as it measures."""
        return self.over

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """Units, enough samples, and something to compare with where a change is judged."""
        if self.change is not None and self.compare_with is None:
            raise LocatedError("a change needs `compare_with`: since when?", "change")
        in_unit(self.at, "L/min", "at")
        wanted = {"pressure_drop": (self.pressure_drop, "kPa"), "flow": (self.flow, "L/min")}
        if not check_units(catalog, wanted):
            return
        if self.over / max(catalog.period(self.flow), catalog.period(self.pressure_drop)) < LEAST_SAMPLES:
            raise LocatedError(f"{LEAST_SAMPLES} samples of each are needed", "over")
        check_limit(self.limit, limits, catalog.signals[self.pressure_drop], "limit")
        check_number(self.change, limits, "%", "change")


@step("filter_check", version=1)
async def filter_check(ctx: StepContext, p: FilterCheck) -> None:
    """Measure the filter's pressure drop at one flow, and its change since an earlier step."""
    windows = await collect(ctx, (p.pressure_drop, p.flow), p.over, "filter")
    at = in_unit(p.at, "L/min")
    title = f"{ctx.title}: at {at:g} L/min"
    limit, by_change = ctx.resolve(p.limit, p.pressure_drop), ctx.resolve_number(p.change, "%")
    try:
        scatter = at_flow(_mean(windows[p.pressure_drop]), _mean(windows[p.flow]), at)
        whole = at_flow(_whole(ctx, p.pressure_drop, windows), _whole(ctx, p.flow, windows), at)
    except ValueError as error:
        ctx.measure(title, p.pressure_drop, math.nan, limit, samples=0, why=str(error))
        return
    is_known = all(ctx.corrections.uncertainty(name) is not None for name in windows)
    expanded = 2 * whole.u if is_known else None
    ctx.measure(
        title, p.pressure_drop, scatter.value, guarded(limit, expanded or 0.0),
        samples=min(window.good for window in windows.values()),
        coverage=coverage_of(ctx, windows, p.over), needed=ctx.coverage_needed, uncertainty=expanded,
    )  # fmt: skip
    if p.compare_with is not None:
        before = ctx.earlier(f"{p.compare_with}: at {at:g} L/min")
        if before is None or before.value is None:
            why = f"no step {p.compare_with!r} has measured it at {at:g} L/min before"
            ctx.measure(f"{ctx.title}: change", "", math.nan, by_change, why=why)
            return
        found = change(Known(before.value, scatter.u), scatter)  # classes are the same at both times
        ctx.measure(f"{ctx.title}: change", "", found.value, by_change, uncertainty=2 * found.u)


def _mean(window: Window) -> Known:
    mean = steady_mean(window.values)
    return Known(mean.value, mean.u)


def _whole(ctx: StepContext, name: str, windows: Mapping[str, Window]) -> Known:
    mean = _mean(windows[name])
    return Known(mean.value, math.hypot(mean.u, ctx.corrections.uncertainty(name) or 0.0))
