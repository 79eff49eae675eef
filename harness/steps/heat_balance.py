"""The heat that the coolant carries against the power, judged with its uncertainty, and only where it is a balance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from harness.analysis.heat import Balance, Known, heat_balance
from harness.analysis.trend import fit_trend
from harness.analysis.zero import LEAST_SAMPLES, steady_mean
from harness.api import (
    Bounds,
    Catalog,
    Duration,
    LimitName,
    LocatedError,
    Params,
    Quantity,
    QuantityField,
    Rate,
    SignalRef,
    StepContext,
    Window,
    convert,
    step,
)
from harness.steps.conditions import (
    check_accuracies,
    check_number,
    check_units,
    collect,
    coverage_of,
    guarded,
    in_unit,
    known_mean,
)
from harness.steps.settling import in_words


class HeatBalance(Params):
    """Parameters of `heat_balance`. Each instrument needs an `accuracy` in the station file."""

    flow: SignalRef
    supply: SignalRef
    return_: Annotated[SignalRef, Field(alias="return")]
    power: SignalRef
    over: Duration = 60.0
    """How long is measured."""
    least_rise: QuantityField = Field(default="8 K", validate_default=True)
    """With less rise the thermometers say too little: INCONCLUSIVE."""
    steady: Rate = Field(default="0.1 K/min", validate_default=True)
    """Supply and return must change more slowly: what the loop stores is no heat that it carries. Else INCONCLUSIVE."""
    limit: LimitName | Bounds | None = None
    """Of the share of the power that is found in the coolant, %. Its expanded uncertainty (k = 2) is the guard band."""

    @property
    def judges(self) -> bool:
        """Without a limit the share is only recorded."""
        return self.limit is not None

    @property
    def measures(self) -> tuple[str, ...]:
        """What goes into the balance, where there is a limit."""
        return (self.flow, self.supply, self.return_, self.power) if self.judges else ()

    def planned_seconds(self, _catalog: Catalog) -> float:
        """As long as it measures."""
        return self.over

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """Units and accuracies, and a limit that the instruments can judge."""
        signals = {"flow": self.flow, "supply": self.supply, "return": self.return_, "power": self.power}
        units = dict.fromkeys(signals, "degC") | {"flow": "L/min"}
        if not check_units(catalog, {key: (signals[key], units[key]) for key in ("flow", "supply", "return")}):
            return
        if self.power in catalog.signals:
            in_unit(Quantity(1.0, catalog.signals[self.power].unit), "kW", "power")
            check_accuracies(catalog, signals)
        in_unit(self.least_rise, "K", "least_rise")
        in_unit(self.steady[0], "K", "steady")
        if self.over / max(catalog.period(each) for each in signals.values()) < LEAST_SAMPLES:
            raise LocatedError(f"{LEAST_SAMPLES} samples of each are needed", "over")
        check_number(self.limit, limits, "%", "limit")


@step("heat_balance", version=1)
async def heat_balance_(ctx: StepContext, p: HeatBalance) -> None:
    """Find how much of the electrical power the coolant carries away, and judge it with its uncertainty."""
    names = (p.flow, p.supply, p.return_, p.power)
    windows = await collect(ctx, names, p.over, "heat balance")
    limit = ctx.resolve_number(p.limit, "%")
    balance, why = _balance(ctx, p, windows)
    if balance is None:
        ctx.measure(ctx.title, "", math.nan, limit, why=why)
        return
    ctx.tell(f"{balance.heat:.1f} kW in the coolant at a rise of {balance.rise:.2f} K", heat=balance.heat)
    expanded = 2 * balance.u
    ctx.measure(
        ctx.title, "", balance.share, guarded(limit, expanded),
        samples=min(window.good for window in windows.values()),
        coverage=coverage_of(ctx, windows, p.over), needed=ctx.coverage_needed, uncertainty=expanded,
    )  # fmt: skip


def _balance(ctx: StepContext, p: HeatBalance, windows: Mapping[str, Window]) -> tuple[Balance | None, str]:
    try:
        known = {name: known_mean(ctx, name, window) for name, window in windows.items()}
        rise = known[p.return_].value - known[p.supply].value
        least = in_unit(p.least_rise, "K")
        if rise < least:
            return None, f"the coolant rises by {rise:.2f} K, {least:g} K are needed for a balance"
        limit = abs(in_unit(p.steady[0], "K")) / p.steady[1]
        for name in (p.supply, p.return_):
            slope = fit_trend(windows[name].times, windows[name].values).slope
            if abs(slope) > limit:
                return None, f"{name} changes by {in_words(slope, 'degC')}: no balance before it has settled"
        rise_u = ctx.corrections.uncertainty_of_difference(p.return_, p.supply)
        assert rise_u is not None, "known_mean has asked for both"
        scatter = math.hypot(*(steady_mean(windows[name].values).u for name in (p.supply, p.return_)))
        scale = convert(1.0, ctx.info(p.power).unit, "kW")
        in_kw = Known(known[p.power].value * scale, known[p.power].u * scale)
        supply, return_ = known[p.supply].value, known[p.return_].value
        return heat_balance(known[p.flow], supply, return_, math.hypot(rise_u, scatter), in_kw), ""
    except ValueError as error:
        return None, str(error)
