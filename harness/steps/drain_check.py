"""Whether a drained rack is dry: the dew point of the gas that leaves it, and the pressure at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.analysis.drying import vapour_mass
from harness.api import (
    BadValueError,
    Bounds,
    Catalog,
    Debounce,
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

_MASS = SignalInfo(name="mass of vapour", unit="g")


class DrainCheck(Params):
    """Parameters of `drain_check`."""

    dew_point: SignalRef
    """Of the gas that leaves the rack."""
    limit: LimitName | Bounds
    """Of that dew point: reached, and kept for `over`."""
    over: Duration = 60.0
    """How long the dew point must stay within its limit: liquid in a corner makes it rise again."""
    within: Duration
    """How long drying may take."""
    temperature: SignalRef
    """Of the gas in the rack."""
    volume: QuantityField
    """Of the rack, for the mass of vapour that is left in it."""
    mass_limit: LimitName | Bounds | None = None
    """Of that mass (in g)."""
    pressure: SignalRef | None = None
    """Of the rack at the end."""
    pressure_limit: LimitName | Bounds | None = None
    """Of that: released, or the blanket that it is sent away with."""

    @property
    def measures(self) -> tuple[str, ...]:
        """Dew point, and pressure where it is judged."""
        return (self.dew_point, *((self.pressure,) if self.pressure is not None and self.pressure_limit else ()))

    def planned_seconds(self, _catalog: Catalog) -> float:
        """At most as long as drying may take."""
        return self.within

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """Units and limits must fit, and there must be time to keep the dew point."""
        if self.over >= self.within:
            raise LocatedError("as long as `within`: that could never be reached in time", "over")
        for key, name in (("dew_point", self.dew_point), ("temperature", self.temperature)):
            if name in catalog.signals and catalog.signals[name].unit != "degC":
                raise LocatedError(f"{name} is no temperature", key)
        try:
            litres = convert(self.volume.value, self.volume.unit, "L")
        except ValueError as error:
            raise LocatedError(str(error), "volume") from None
        if litres <= 0.0:
            raise LocatedError("there is nothing to dry in no volume", "volume")
        if self.dew_point in catalog.signals:
            check_limit(self.limit, limits, catalog.signals[self.dew_point], "limit")
        check_limit(self.mass_limit, limits, _MASS, "mass_limit")
        if self.pressure_limit is not None and self.pressure is None:
            raise LocatedError("there is no `pressure` to judge", "pressure_limit")
        if self.pressure is not None and self.pressure in catalog.signals:
            check_limit(self.pressure_limit, limits, catalog.signals[self.pressure], "pressure_limit")


@step("drain_check", version=1)
async def drain_check(ctx: StepContext, p: DrainCheck) -> None:
    """Wait until the dew point is within its limit and stays there, and tell what vapour is left.

    Formula and source: `harness.analysis.drying`. The plan opens the way of the gas before it, and closes it after it.
    """
    limit = ctx.resolve(p.limit, p.dew_point)
    began = ctx.clock.monotonic()
    holding, is_dry = Debounce(p.over), False
    while not is_dry and (now := ctx.clock.monotonic()) < began + p.within:
        reading = ctx.observe(p.dew_point)
        is_dry = holding.update(now, is_bad=reading.is_good and limit.check.holds(reading.value, reading.quality))
        ctx.progress((now - began) / p.within, f"{reading}, waiting for {limit.check}")
        await ctx.sleep(min(ctx.period(p.dew_point), began + p.within - now))
    last = ctx.observe(p.dew_point)
    if not last.is_good:
        raise BadValueError(f"{p.dew_point} cannot be read: {last.quality.word}", operation="drain_check")
    ctx.measure(f"{ctx.title}: dew point", p.dew_point, last.value, limit)
    warm = ctx.observe(p.temperature)
    mass = vapour_mass(last.value, warm.value, convert(p.volume.value, p.volume.unit, "L")) if warm.is_good else None
    ctx.measure(
        f"{ctx.title}: vapour left", "", float("nan") if mass is None else mass, ctx.resolve_number(p.mass_limit, "g"),
        samples=0 if mass is None else 1,
    )  # fmt: skip
    if p.pressure is not None:
        reading = ctx.observe(p.pressure)
        pressure = reading.value if reading.is_good else float("nan")
        ctx.measure(f"{ctx.title}: pressure", p.pressure, pressure, ctx.resolve(p.pressure_limit, p.pressure))
    if not is_dry:
        raise StepFailedError(
            f"{p.dew_point} was not {limit.check} for {p.over:g} s within {p.within:g} s, it is {last}",
            hint="liquid is left in the rack: blow it out again, and look for what does not drain",
        )
