"""The pressure drop of the rack over flow: measured at several flows, fitted, judged at one flow and by its shape."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Annotated, Any

from pydantic import Field

from harness.analysis.power_law import LEAST_POINTS, fit_power_law, viscosity_factor
from harness.api import (
    Bounds,
    Catalog,
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
    convert,
    step,
)
from harness.steps.measuring import check_limit
from harness.steps.setting import possible
from harness.steps.settling import Settle, settle

LEAST_RANGE = 1.5
"""The largest flow over the smallest: closer together the exponent is not known."""
_EXPONENT = SignalInfo(name="exponent", unit="")


class FlowCurve(Params):
    """Parameters of `flow_curve`."""

    control: ControlRef
    """What sets the flow."""
    points: Annotated[tuple[QuantityField, ...], Field(min_length=LEAST_POINTS, max_length=50)]
    """The flows, in the order in which they are set; at the end the last one stays."""
    flow: SignalRef
    pressure_drop: SignalRef
    temperature: SignalRef | None = None
    """Of the coolant: with it pressure drops are brought to 35 degC (propylene glycol 25 %, viscosity to the 0.25)."""
    over: Duration = 6.0
    """How long each point is measured, once the flow has settled."""
    within: Duration = 60.0
    """How long the flow may take to settle."""
    at: QuantityField
    """The flow at which the pressure drop is judged."""
    limit: LimitName | Bounds | None = None
    """Of the fitted pressure drop there."""
    exponent: LimitName | Bounds | None = None
    """Of the exponent n of `a q^n`."""

    @property
    def judges(self) -> bool:
        """Without limits the curve is only recorded."""
        return self.limit is not None or self.exponent is not None

    @property
    def measures(self) -> tuple[str, ...]:
        """The pressure drop, where there is a limit."""
        return (self.pressure_drop,) if self.judges else ()

    def leaves(self, _catalog: Catalog) -> Mapping[str, str]:
        """The last of the points."""
        return {self.control: str(self.points[-1])}

    def planned_seconds(self, _catalog: Catalog) -> float:
        """Each point, and as long again to settle as the window of its slope."""
        return len(self.points) * (self.over + 2 * _SLOPE_S)

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """Flows must be such that the control takes, far enough apart; limits must fit what they judge."""
        for _, control in catalog.find_controls(self.control)[:1]:
            for index, point in enumerate(self.points):
                try:
                    possible(control, f"{point.value:g} {point.unit}")
                except ValueError as error:
                    raise LocatedError(str(error), "points", index) from None
        for name in (self.flow, self.pressure_drop, *((self.temperature,) if self.temperature else ())):
            if name not in catalog.signals:
                return  # said with the other references
        unit = catalog.signals[self.flow].unit
        flows = [_in(point, unit, "points", index) for index, point in enumerate(self.points)]
        if min(flows) <= 0 or max(flows) < LEAST_RANGE * min(flows):
            raise LocatedError(
                f"the largest flow must be {LEAST_RANGE:g} times the smallest, and that above 0", "points"
            )
        if not 0.9 * min(flows) <= _in(self.at, unit, "at") <= 1.1 * max(flows):
            raise LocatedError("the flow to judge at is not among the points: the curve is not known there", "at")
        if self.within <= _SLOPE_S:
            raise LocatedError(f"a flow is known to have settled after {_SLOPE_S:g} s at the earliest", "within")
        if self.temperature is not None and catalog.signals[self.temperature].unit != "degC":
            raise LocatedError(f"{self.temperature} is no temperature", "temperature")
        check_limit(self.limit, limits, catalog.signals[self.pressure_drop], "limit")
        check_limit(self.exponent, limits, _EXPONENT, "exponent")


_SLOPE_S = 5.0
CALM = 0.01
"""Change of the flow in a second, relative, at which it has settled: flow and pressure drop are measured together."""


def _in(quantity: Any, unit: str, *key: str | int) -> float:
    try:
        return float(convert(quantity.value, quantity.unit, unit))
    except ValueError as error:
        raise LocatedError(str(error), *key) from None


@step("flow_curve", version=1)
async def flow_curve(ctx: StepContext, p: FlowCurve) -> None:
    """Measure the pressure drop at several flows, fit `a q^n`, and judge it at one flow and by its exponent."""
    unit = ctx.info(p.flow).unit
    flows, drops = [], []
    for index, point in enumerate(p.points):
        ctx.progress(index / len(p.points), f"{point.value:g} {point.unit}")
        await ctx.act(p.control, f"{point.value:g} {point.unit}")
        slope = f"{CALM * _in(point, unit):g} {unit}/s"
        calm = {"signal": p.flow, "slope": slope, "over": f"{_SLOPE_S:g} s", "within": f"{p.within:g} s"}
        await settle.run(ctx, Settle.model_validate(calm))
        flow, drop = await _point(ctx, p, f"{point.value:g} {point.unit}")
        flows.append(flow)
        drops.append(drop)
    if not all(math.isfinite(each) for each in (*flows, *drops)):
        return  # too little was good: that has been measured, and is no PASS
    try:
        curve = fit_power_law(flows, drops)
    except ValueError as error:
        raise StepFailedError(f"no curve goes through the points: {error}") from error
    at = _in(p.at, unit)
    about = "" if p.temperature is None else ", 35 degC"
    ctx.tell(
        f"n = {curve.exponent:.3f} (u {curve.exponent_u:.3f}), {curve.at(at):.4g} {ctx.info(p.pressure_drop).unit} "
        f"at {at:g} {unit} (u {curve.relative_u(at):.2%}), scatter {curve.scatter:.2%}"
    )
    limit = ctx.resolve(p.limit, p.pressure_drop)
    ctx.measure(f"{ctx.title}: at {at:g} {unit}{about}", p.pressure_drop, curve.at(at), limit)
    ctx.measure(f"{ctx.title}: exponent", "", curve.exponent, ctx.resolve_number(p.exponent))


async def _point(ctx: StepContext, p: FlowCurve, shown: str) -> tuple[float, float]:
    """The mean flow and the mean pressure drop (for 35 degC where the temperature is known); both are recorded."""
    names = [p.flow, p.pressure_drop, *([p.temperature] if p.temperature else [])]
    with ExitStack() as stack:
        windows = [stack.enter_context(ctx.collecting(name)) for name in names]
        await ctx.sleep(p.over)
    values = [window.statistic("mean") for window in windows]
    for name, window, value in zip(names, windows, values, strict=True):
        due = max(1, math.floor(p.over / ctx.period(name) + 1e-6))
        ctx.measure(
            f"{ctx.title}: {name} at {shown}", name, value, ctx.resolve(None, name),
            samples=window.good, coverage=min(1.0, window.good / due), needed=0.5,
        )  # fmt: skip
    return values[0], values[1] / (viscosity_factor(values[2]) if p.temperature else 1.0)
