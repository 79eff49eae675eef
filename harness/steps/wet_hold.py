"""Wet static hold: the filled rack under pressure, nothing flows, nothing leaks, and the pressure stays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.analysis.pressure_hold import evaluate
from harness.api import (
    Bounds,
    Catalog,
    Duration,
    DurationOrZero,
    LimitName,
    LocatedError,
    Params,
    Percent,
    QuantityField,
    SignalInfo,
    SignalRef,
    StepContext,
    StepFailedError,
    Watch,
    convert,
    step,
)
from harness.steps.measuring import check_limit
from harness.steps.watching import Watching, check_watches

UNIT = "kPa"
_DROP = SignalInfo(name="drop", unit=UNIT)


class WetHold(Params):
    """Parameters of `wet_hold`. All uncertainties are expanded ones (k = 2)."""

    pressure: SignalRef
    temperature: SignalRef
    """Of the liquid, or of what it lies in."""
    per_kelvin: QuantityField
    """By how much the pressure of the closed rack rises with each K."""
    per_kelvin_uncertainty: Percent
    """Of that: hoses and air make it uncertain."""
    pressure_walk: QuantityField
    """How far the transducer may walk during the hold."""
    at_least: QuantityField
    """The pressure that the rack must be under at the begin, or nothing is proved."""
    stabilise: DurationOrZero = 60.0
    """Time before the hold, for hoses to give and air to go into solution."""
    over: Duration
    limit: LimitName | Bounds
    """Of the drop over the hold, compensated for the temperature."""
    watch: tuple[Watch, ...] = ()
    """What must hold all the time, stabilisation included: leak detectors dry, pumps at rest."""

    @property
    def measures(self) -> tuple[str, ...]:
        """The pressure, and what is watched."""
        return (self.pressure, *(each.signal for each in self.watch))

    @property
    def watches(self) -> tuple[Watch, ...]:
        """As it says."""
        return self.watch

    def planned_seconds(self, _catalog: Catalog) -> float:
        """Stabilisation and hold."""
        return self.stabilise + self.over

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """Units must fit; the hold must tell more than the transducer walks."""
        for key in ("per_kelvin", "pressure_walk", "at_least"):
            _in(getattr(self, key), UNIT, key)
        for key, name, unit in (("pressure", self.pressure, UNIT), ("temperature", self.temperature, "degC")):
            if name in catalog.signals and catalog.signals[name].unit != unit:
                raise LocatedError(f"{name} is in {catalog.signals[name].unit or 'no unit'}, {unit} is needed", key)
        check_limit(self.limit, limits, _DROP, "limit")
        named = limits.get(self.limit) if isinstance(self.limit, str) else None
        bounds = named.limit if named is not None else self.limit
        if isinstance(bounds, Bounds) and bounds.max is not None:
            walk, limit = _in(self.pressure_walk, UNIT, "pressure_walk"), _in(bounds.max, UNIT, "limit")
            if walk >= limit:
                message = f"the transducer may walk {walk:g} kPa: that does not decide a drop of {limit:g} kPa"
                raise LocatedError(message, "pressure_walk")
        check_watches(self.watch, self.over, catalog)


def _in(quantity: Any, unit: str, *key: str) -> float:
    try:
        return float(convert(quantity.value, quantity.unit, unit))
    except ValueError as error:
        raise LocatedError(str(error), *key) from None


@step("wet_hold", version=1)
async def wet_hold(ctx: StepContext, p: WetHold) -> None:
    """Hold the rack under pressure and judge the drop; FAIL at once when what is watched does not hold.

    Formula and uncertainty: `harness.analysis.pressure_hold`. The plan fills, pressurises and stops the pumps.
    """
    with ctx.collecting(p.pressure) as pressures, ctx.collecting(p.temperature) as celsius:
        with Watching(ctx, p.watch) as watching:
            await watching.wait(p.stabilise, text="stabilising")
            before = ctx.observe(p.pressure)
            least = _in(p.at_least, UNIT)
            if before.is_good and before.value < least:
                watching.report()
                raise StepFailedError(
                    f"{p.pressure} is {before} when the hold begins, must be {p.at_least} at least",
                    hint="it leaks, or it was not pressurised",
                )
            began = ctx.clock.monotonic()
            await watching.wait(p.over, text="holding")
        watching.report()
    kept = [k for k, mono in enumerate(pressures.times) if mono >= began]
    times = [pressures.times[k] for k in kept]
    due = max(1, math.floor(p.over / ctx.period(p.pressure) + 1e-6))
    given = ctx.resolve_number(p.limit, UNIT)
    try:
        held = evaluate(
            times, [pressures.values[k] for k in kept],
            np.interp(times, celsius.times, celsius.values) if celsius.good > 1 else [math.nan] * len(times),
            _in(p.per_kelvin, UNIT), p.per_kelvin_uncertainty / 100.0, _in(p.pressure_walk, UNIT),
        )  # fmt: skip
    except ValueError as error:
        ctx.tell(str(error))
        ctx.measure(f"{ctx.title}: drop", "", math.nan, given, samples=len(kept))
        return
    ctx.tell(f"drop {held.drop:+.3g} kPa +- {held.expanded:.2g} (k = 2), compensated by {held.compensated:+.2g} kPa")
    ctx.measure(
        f"{ctx.title}: drop", "", held.drop, given, samples=len(kept), coverage=min(1.0, len(kept) / due),
        needed=ctx.coverage_needed, guarded_by=held.expanded,
    )  # fmt: skip
