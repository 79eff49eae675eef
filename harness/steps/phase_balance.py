"""Phase balance: how equal the currents of the phases are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from harness.analysis.unbalance import unbalance
from harness.api import (
    Bounds,
    Catalog,
    Duration,
    LimitName,
    LocatedError,
    Params,
    QuantityField,
    SignalInfo,
    SignalRef,
    StepContext,
    step,
)
from harness.steps.measuring import check_limit
from harness.steps.sampling import check_unit, check_window, coverage, sampled

_RESULT = SignalInfo(name="unbalance", unit="%")


class PhaseBalance(Params):
    """Parameters of `phase_balance`."""

    currents: Annotated[tuple[SignalRef, ...], Field(min_length=1)]
    """The currents of the phases, or one column of them (`pdu.phase.current`)."""
    least: QuantityField
    """The mean current from which on it is judged: below, meters show more of themselves than of the rack."""
    over: Duration = 10.0
    limit: LimitName | Bounds | None = None
    """Of the largest deviation from the mean, in %."""

    @property
    def judges(self) -> bool:
        """Without a limit it is only recorded."""
        return self.limit is not None

    @property
    def measures(self) -> tuple[str, ...]:
        """The currents, where there is a limit."""
        return self.currents if self.judges else ()

    def planned_seconds(self, _catalog: Catalog) -> float:
        """As long as the window."""
        return self.over

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """Two currents at least, all in one unit; a limit in %."""
        found = [name for each in self.currents for name in catalog.find_signals(each)]
        if found and len(found) < 2:
            raise LocatedError("there is nothing to balance: give the currents of all phases", "currents")
        check_unit(catalog, self.currents, self.currents[0], "currents")
        check_window(catalog, self.currents, self.over, "over")
        for name in found[:1]:
            try:
                self.least.to(catalog.signals[name].unit)
            except ValueError as error:
                raise LocatedError(str(error), "least") from None
        check_limit(self.limit, limits, _RESULT, "limit")


@step("phase_balance", version=1)
async def phase_balance(ctx: StepContext, p: PhaseBalance) -> None:
    """Measure how far the current of a phase is from the mean of all, in %.

    max |I_i - I_mean| / I_mean (definition of NEMA MG 1). Its uncertainty is told, by the scatter of the samples.
    """
    names = [name for each in p.currents for name in ctx.signals(each)]
    windows = await sampled(ctx, names, p.over)
    means = [windows[name].statistic("mean") for name in names]
    value, data = math.nan, coverage(ctx, windows, p.over)
    unit = ctx.info(names[0]).unit
    if all(map(math.isfinite, means)) and math.fsum(means) / len(means) >= p.least.to(unit):
        us = [_u(windows[name].statistic("std"), windows[name].good) for name in names]
        found = unbalance(means, us)
        value = found.percent
        shown = ", ".join(f"{mean:.4g}" for mean in means)
        ctx.tell(f"{shown} {unit}: {value:.2f} % (u {found.percent_u:.2f} %), most at {names[found.worst]}")
    elif all(map(math.isfinite, means)):
        ctx.tell(f"the mean current is below {p.least}: nothing is judged")
    ctx.measure(f"{ctx.title}: unbalance", "", value, ctx.resolve_number(p.limit, "%"), **data)


def _u(deviation: float, samples: int) -> float:
    return deviation / math.sqrt(samples) if samples > 1 else 0.0
