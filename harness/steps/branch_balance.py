"""The branches of a manifold: each flow against the mean of all, measured or from the heat that each carries."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from harness.analysis.peers import LEAST_PEERS, branch_flow, from_mean
from harness.api import (
    Bounds,
    Catalog,
    Duration,
    LimitName,
    LocatedError,
    Model,
    Params,
    Percent,
    Quantity,
    SignalInfo,
    SignalRef,
    StepContext,
    Title,
    convert,
    step,
)
from harness.steps.conditions import check_number, check_units, collect, coverage_of, in_unit
from harness.steps.measuring import check_limit

_FLOW = "L/min"


class Branch(Model):
    """One branch: its `flow` where it has a meter, else the `power` in it and the temperature of its `outlet`."""

    name: Title
    flow: SignalRef | None = None
    power: SignalRef | None = None
    outlet: SignalRef | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Branch:
        if (self.flow is None) == (self.power is None and self.outlet is None):
            raise ValueError("give either `flow`, or `power` and `outlet`")
        if self.flow is None and (self.power is None or self.outlet is None):
            raise ValueError("`power` and `outlet` belong together")
        return self


class BranchBalance(Params):
    """Parameters of `branch_balance`."""

    branches: Annotated[tuple[Branch, ...], Field(min_length=LEAST_PEERS, max_length=200)]
    inlet: SignalRef | None = None
    """Temperature of the coolant to all branches, for those without a meter."""
    liquid_share: Percent = 100.0
    """Share of a branch's power that its coolant takes. Alike in all, it changes no balance."""
    over: Duration = 30.0
    limit: LimitName | Bounds | None = None
    """Of each branch's flow away from the mean, %."""
    least: LimitName | Bounds | None = None
    """Of each branch's flow itself."""

    @property
    def judges(self) -> bool:
        """Without limits flows are only recorded."""
        return self.limit is not None or self.least is not None

    @property
    def measures(self) -> tuple[str, ...]:
        """What the flows come from, where there is a limit."""
        return tuple(name for each in self.branches for name in _signals(each)) if self.judges else ()

    def planned_seconds(self, _catalog: Catalog) -> float:
        """As long as it measures."""
        return self.over

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """Units fit, and branches without a meter have an inlet."""
        if not 0 < self.liquid_share <= 100:
            raise LocatedError("more than 0, at most 100 %", "liquid_share")
        if self.inlet is None and any(each.flow is None for each in self.branches):
            raise LocatedError("branches without a flow meter need the `inlet`", "branches")
        if self.inlet is not None:
            check_units(catalog, {"inlet": (self.inlet, "degC")})
        names = [each.name for each in self.branches]
        for index, each in enumerate(self.branches):
            if each.name in names[:index]:
                raise LocatedError(f"two branches are named {each.name!r}", "branches", index, "name")
            for key, name, unit in (
                ("flow", each.flow, _FLOW),
                ("power", each.power, "kW"),
                ("outlet", each.outlet, "degC"),
            ):
                if name in catalog.signals:
                    in_unit(Quantity(1.0, catalog.signals[name].unit), unit, "branches", index, key)
        check_number(self.limit, limits, "%", "limit")
        check_limit(self.least, limits, SignalInfo(name="flow", unit=_FLOW), "least")


def _signals(branch: Branch) -> list[str]:
    return [name for name in (branch.flow, branch.power, branch.outlet) if name is not None]


@step("branch_balance", version=1)
async def branch_balance(ctx: StepContext, p: BranchBalance) -> None:
    """Find the flow of each branch, and judge how far it is from the mean of all."""
    names = [name for each in p.branches for name in _signals(each)] + ([p.inlet] if p.inlet is not None else [])
    windows = await collect(ctx, names, p.over, "branches")

    def mean(name: str, unit: str) -> float:
        return convert(windows[name].statistic("mean"), ctx.info(name).unit, unit)

    flows = {}
    for each in p.branches:
        if each.flow is not None:
            flows[each.name] = mean(each.flow, _FLOW)
        elif each.power is not None and each.outlet is not None and p.inlet is not None:
            at = mean(p.inlet, "degC"), mean(each.outlet, "degC")
            flows[each.name] = branch_flow(mean(each.power, "kW"), *at, share=p.liquid_share / 100)
    by_share, by_flow = ctx.resolve_number(p.limit, "%"), ctx.resolve_number(p.least, _FLOW)
    share, needed = coverage_of(ctx, windows, p.over), ctx.coverage_needed
    good = min(window.good for window in windows.values())
    try:
        peers, why = from_mean(flows), ""
    except ValueError as error:
        peers, why = {}, str(error)
    for name, flow in flows.items():
        title = f"{ctx.title}: {name}"
        lacks = why or f"{name} has no value"
        ctx.measure(title, "", flow, by_flow, samples=good, coverage=share, needed=needed, why=lacks)
        away = peers[name].away if name in peers else math.nan
        ctx.measure(
            f"{title} from the mean", "", away, by_share, samples=good, coverage=share, needed=needed, why=lacks
        )
