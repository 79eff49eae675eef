"""Meter truth: a device's own meter against the reference of the station."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from harness.analysis.comparison import Series, difference
from harness.api import (
    BadValueError,
    Bounds,
    Catalog,
    Duration,
    LimitName,
    LocatedError,
    Params,
    SignalInfo,
    SignalRef,
    StepContext,
    Window,
    convert,
    step,
)
from harness.steps.measuring import check_limit
from harness.steps.sampling import check_window, coverage, sampled

_RESULT = SignalInfo(name="difference", unit="%")


class MeterTruth(Params):
    """Parameters of `meter_truth`."""

    meter: SignalRef
    """What the device says of itself. Where the device is one of the station, the station is at fault."""
    reference: SignalRef
    """What the station's reference says of the same quantity."""
    uncertainty: Annotated[float, Field(ge=0, le=100)]
    """Expanded uncertainty (k = 2) of the reference, in % of its reading, as its calibration certificate says."""
    over: Duration = 20.0
    limit: LimitName | Bounds | None = None
    """Of meter less reference, in % of the reference. It is kept by as much as the uncertainty of the difference."""

    @property
    def judges(self) -> bool:
        """Without a limit it is only recorded."""
        return self.limit is not None

    @property
    def measures(self) -> tuple[str, ...]:
        """Both meters, where there is a limit."""
        return (self.meter, self.reference) if self.judges else ()

    def planned_seconds(self, _catalog: Catalog) -> float:
        """As long as the window."""
        return self.over

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """Both must be of one kind and another thing; the limit must leave something beside the uncertainty."""
        if self.meter == self.reference:
            raise LocatedError("a meter is compared with another one", "reference")
        for name in (self.meter, self.reference):
            if name not in catalog.signals:
                return  # said with the other references
        try:
            convert(1.0, catalog.signals[self.reference].unit, catalog.signals[self.meter].unit)
        except ValueError as error:
            raise LocatedError(str(error), "reference") from None
        check_window(catalog, (self.meter, self.reference), self.over, "over")
        check_limit(self.limit, limits, _RESULT, "limit")
        named = limits.get(self.limit) if isinstance(self.limit, str) else None
        bounds = named.limit if named is not None else self.limit
        ends = [bounds.min, bounds.max] if isinstance(bounds, Bounds) else []
        if all(end is not None for end in ends) and ends:
            low, high = (float(end.to("%")) for end in ends if end is not None)
            if high - low <= 2 * self.uncertainty:
                message = f"a reference of {self.uncertainty:g} % cannot judge a band of {high - low:g} %"
                raise LocatedError(message, "uncertainty")


@step("meter_truth", version=1)
async def meter_truth(ctx: StepContext, p: MeterTruth) -> None:
    """Measure by how much a device's own meter differs from the station's reference, with the uncertainty of that.

    100 (meter / reference - 1); U = 2 sqrt((U_reference / 2)^2 + u_meter^2 + u_reference^2), the latter two by scatter
    (JCGM 100). U is the guard band of the limit (JCGM 106).
    """
    windows = await sampled(ctx, (p.meter, p.reference), p.over)
    limit = ctx.resolve_number(p.limit, "%")
    value, data = math.nan, coverage(ctx, windows, p.over)
    meter, reference = (_series(windows[name]) for name in (p.meter, p.reference))
    if math.isfinite(meter.mean) and math.isfinite(reference.mean) and reference.mean:
        factor = convert(1.0, ctx.info(p.reference).unit, ctx.info(p.meter).unit)
        scaled = Series(reference.mean * factor, reference.deviation * factor, reference.samples)
        found = difference(meter, scaled, p.uncertainty)
        value = found.percent
        limit = replace(limit, guard_band=max(limit.guard_band, found.expanded_u))
        unit = ctx.info(p.meter).unit
        told = f"{p.meter} {meter.mean:.6g}, {p.reference} {scaled.mean:.6g} {unit}"
        ctx.tell(f"{told}: {value:+.2f} % (U {found.expanded_u:.2f} %)")
    elif reference.mean == 0.0:
        ctx.tell(f"{p.reference} shows 0: nothing is compared")
    owner = p.meter.partition(".")[0]
    if ctx.devices[owner].role == "station" and value == value and not limit.check.holds(value):
        raise BadValueError(
            f"{p.meter} differs from {p.reference} by {value:+.2f} %, must be {limit.check}",
            device=owner,
            operation="meter_truth",
            hint="one of the station's two meters is wrong",
        )
    ctx.measure(f"{ctx.title}: difference", "", value, limit, **data)


def _series(window: Window) -> Series:
    deviation = window.statistic("std")
    return Series(window.statistic("mean"), deviation if math.isfinite(deviation) else 0.0, window.good)
