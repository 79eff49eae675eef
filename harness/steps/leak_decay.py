"""Leak test with gas: stabilised, closed off, the loss of gas fitted and judged with its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from harness.analysis.leak_decay import Decay, Instruments, disagreement, evaluate, seconds_needed, stated
from harness.api import (
    BadValueError,
    Bounds,
    Catalog,
    DeviceError,
    Duration,
    LimitName,
    LocatedError,
    Params,
    Percent,
    QuantityField,
    Rate,
    SignalInfo,
    SignalRef,
    StepContext,
    StepFailedError,
    Window,
    convert,
    step,
)
from harness.steps.measuring import check_limit

UNIT = "sccm"
_RATE = SignalInfo(name="leak rate", unit=UNIT)
LEAST_SAMPLES = 60
"""Of a test: fewer tell nothing of the noise."""
LOW = 0.9
"""Share of the test pressure that the rack must have, and does not lose by cooling."""
APART = 3.0
"""Two thermometers, or two transducers, disagree from so many times what each may be out."""


class LeakDecay(Params):
    """Parameters of `leak_decay`. All uncertainties are expanded ones (k = 2)."""

    pressure: SignalRef
    """Of the rack, absolute."""
    temperatures: Annotated[tuple[SignalRef, ...], Field(min_length=1, max_length=16)]
    """Of the gas; their mean counts. With two or more, one that does not follow is told."""
    pressure_check: SignalRef | None = None
    """The same pressure by a second transducer: with it one that lies is told."""
    line_pressure: SignalRef | None = None
    """Between the closed valves: where it moves, a valve leaks by."""
    line_change: QuantityField | None = None
    """How far that pressure may move."""
    volume: QuantityField
    """Of everything that is closed off."""
    volume_uncertainty: Percent
    tracking: Percent
    """Share of a change of the gas temperature that the thermometers may miss."""
    pressure_walk: QuantityField
    """How far the transducer may walk during the test."""
    temperature_walk: QuantityField
    """How far the thermometers may walk during the test [K]."""
    at: QuantityField
    """The test pressure (absolute)."""
    stable: Rate
    """The gas counts as stable when its temperature changes more slowly than this, e.g. `0.05 K/min`."""
    stable_over: Duration = 120.0
    """Window of that slope."""
    stable_within: Duration
    """Longest wait for it; then the test begins all the same, and is as uncertain as it is."""
    over: Duration
    """How long the test lasts, once the gas is stable."""
    ratio: Annotated[float, Field(ge=1, le=100)] = 4.0
    """The limit must be so many times the uncertainty that the test is known to have, or the plan is refused."""
    limit: LimitName | Bounds
    """Of the leak rate, in sccm (of 0 degC and 101.325 kPa) or another unit of a leak rate."""

    @property
    def measures(self) -> tuple[str, ...]:
        """The pressure."""
        return (self.pressure,)

    def planned_seconds(self, _catalog: Catalog) -> float:
        """The test and the longest stabilisation."""
        return self.stable_within + self.over

    @property
    def signals(self) -> tuple[str, ...]:
        """All that it reads."""
        more = [name for name in (self.pressure_check, self.line_pressure) if name is not None]
        return (self.pressure, *self.temperatures, *more)

    @property
    def instruments(self) -> Instruments:
        """What the evaluation is told."""
        return Instruments(
            volume=_in(self.volume, "L", "volume"),
            volume_share=self.volume_uncertainty / 100.0,
            tracking_share=self.tracking / 100.0,
            pressure_walk=_in(self.pressure_walk, "kPa", "pressure_walk"),
            temperature_walk=_in(self.temperature_walk, "K", "temperature_walk"),
        )

    @property
    def slope(self) -> float:
        """K/s that count as stable."""
        change, per = self.stable
        return abs(_in(change, "K", "stable")) / per

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """Units must fit, samples be enough, and the test must be able to decide its limit."""
        by, slope, at = self.instruments, self.slope, _in(self.at, "kPa", "at")
        if by.volume <= 0.0:
            raise LocatedError("there is no gas in no volume", "volume")
        if (self.line_pressure is None) != (self.line_change is None):
            raise LocatedError("line_pressure and line_change belong together", "line_pressure")
        if self.line_change is not None:
            _in(self.line_change, "kPa", "line_change")
        if self.stable_over >= self.stable_within:
            raise LocatedError("as long as `stable_within`: that could never be reached in time", "stable_over")
        for key, names, unit in (
            ("pressure", (self.pressure,), "kPa"), ("temperatures", self.temperatures, "degC"),
            ("pressure_check", (self.pressure_check,), "kPa"), ("line_pressure", (self.line_pressure,), "kPa"),
        ):  # fmt: skip
            for name in names:
                info = catalog.signals.get(name) if name is not None else None
                if info is not None and info.unit != unit:
                    raise LocatedError(f"{name} is in {info.unit or 'no unit'}, {unit} is needed", key)
        if len(set(self.temperatures)) < len(self.temperatures):
            raise LocatedError("one thermometer is named twice", "temperatures")
        check_limit(self.limit, limits, _RATE, "limit")
        named = limits.get(self.limit) if isinstance(self.limit, str) else None
        bounds = named.limit if named is not None else self.limit
        if not isinstance(bounds, Bounds):
            return  # said with the other references
        if bounds.max is None or bounds.min is not None:
            raise LocatedError("a leak rate has a max, and nothing else", "limit")
        self._check_decides(by, slope, at, _in(bounds.max, UNIT, "limit"))
        for name in (self.pressure, *self.temperatures):
            if name in catalog.signals and self.over / catalog.period(name) < LEAST_SAMPLES:
                few = f"{self.over:g} s give {self.over / catalog.period(name):.0f} samples of {name}"
                raise LocatedError(f"{LEAST_SAMPLES} samples are needed; {few}", "over")

    def _check_decides(self, by: Instruments, slope: float, at: float, limit: float) -> None:
        wanted = limit / self.ratio
        if wanted <= 0.0:
            raise LocatedError("a leak rate of 0 can not be proved", "limit")
        found = stated(by, at, slope, self.over, limit)
        if found <= wanted:
            return
        needed = seconds_needed(by, at, slope, limit, wanted)
        said = (
            f"an uncertainty of {found:.3g} sccm does not decide {limit:.3g} sccm ({wanted:.3g} at most, ratio "
            f"{self.ratio:g})"
        )
        if math.isinf(needed):
            raise LocatedError(f"{said}: no time is enough, let the gas become more stable", "stable")
        raise LocatedError(f"{said}: {math.ceil(needed / 60.0)} min are needed", "over")


def _in(quantity: Any, unit: str, *key: str | int) -> float:
    try:
        return float(convert(quantity.value, quantity.unit, unit))
    except ValueError as error:
        raise LocatedError(str(error), *key) from None


@step("leak_decay", version=1)
async def leak_decay(ctx: StepContext, p: LeakDecay) -> None:
    """Wait until the gas is stable, record it for a time, and judge what is lost, compensated for its temperature.

    Formula, source and uncertainty: `harness.analysis.leak_decay`. PASS when the rate plus its uncertainty is within
    the limit, FAIL when the rate less it is beyond, else INCONCLUSIVE. A step is no leak rate: FAIL. A sensor that
    contradicts a second one, a valve that leaks by, and gas that comes in are the station's: ERROR.
    """
    with ExitStack() as stack:
        transient = {name: stack.enter_context(ctx.collecting(name)) for name in p.signals}
        await _stabilise(ctx, p, transient)
    with ExitStack() as stack:
        windows = {name: stack.enter_context(ctx.collecting(name)) for name in p.signals}
        began = ctx.clock.monotonic()
        while (now := ctx.clock.monotonic()) < began + p.over:
            ctx.progress((p.stable_within + now - began) / (p.stable_within + p.over), str(ctx.observe(p.pressure)))
            await ctx.sleep(min(5.0, began + p.over - now))
    _judge(ctx, p, transient, windows)


async def _stabilise(ctx: StepContext, p: LeakDecay, windows: Mapping[str, Window]) -> None:
    """Until the mean temperature is stable, or the time is over."""
    began = ctx.clock.monotonic()
    slope, least = math.nan, LOW * _in(p.at, "kPa")
    before = ctx.observe(p.pressure)
    if before.is_good and before.value < least:
        raise DeviceError(
            f"{p.pressure} is {before}, the test is one at {p.at}", operation="leak_decay", hint="fill the rack first"
        )
    while (now := ctx.clock.monotonic()) < began + p.stable_within:
        slopes = [_slope(windows[name], now - p.stable_over) for name in p.temperatures]
        slope = math.fsum(slopes) / len(slopes)
        present = ctx.observe(p.pressure)
        if present.is_good and present.value < least:  # more than cooling takes away
            raise StepFailedError(
                f"{p.pressure} fell from {before} to {present} in {now - began:.0f} s",
                hint="a large leak, or a coupling that is open: listen for it",
            )
        if now - began >= p.stable_over and abs(slope) <= p.slope:
            ctx.tell(f"stable after {now - began:.0f} s: {60.0 * slope:+.3f} K/min")
            return
        shown = f"{60.0 * slope:+.3f} K/min" if slope == slope else ""
        ctx.progress((now - began) / (p.stable_within + p.over), shown)
        await ctx.sleep(5.0)
    if slope != slope:
        raise BadValueError(f"{', '.join(p.temperatures)}: too few good samples", operation="leak_decay")
    ctx.tell(f"not stable after {p.stable_within:g} s: {60.0 * slope:+.3f} K/min; the test is the more uncertain")


def _slope(window: Window, since: float) -> float:
    """K/s of what came since a time; NaN while that is too little."""
    recent = Window()
    for mono, value in zip(window.times, window.values, strict=True):
        if mono >= since:
            recent.add(mono, value, is_good=True)
    return recent.statistic("slope") if recent.good >= 10 else math.nan


def _judge(ctx: StepContext, p: LeakDecay, transient: Mapping[str, Window], windows: Mapping[str, Window]) -> None:
    by = p.instruments
    pressure, title = windows[p.pressure], ctx.title
    due = max(1, math.floor(p.over / ctx.period(p.pressure) + 1e-6))
    coverage = min(1.0, min(windows[name].good for name in (p.pressure, *p.temperatures)) / due)
    limit = ctx.resolve_number(p.limit, UNIT)
    celsius = np.mean([_at(windows[name], pressure.times) for name in p.temperatures], axis=0)
    try:
        decay = evaluate(pressure.times, pressure.values, celsius, by)
    except ValueError as error:
        ctx.tell(str(error))
        ctx.measure(title, "", math.nan, limit, samples=pressure.good, coverage=coverage, needed=ctx.coverage_needed)
        return
    if said := _of_the_station(p, decay, transient, windows):
        raise DeviceError(
            "; ".join(said), operation="leak_decay", hint="nothing is known of the rack: mend the station"
        )
    ctx.tell(
        f"{decay.rate:.3g} sccm +- {decay.expanded:.2g} (k = 2: noise {decay.noise:.2g}, "
        f"tracking {decay.tracking:.2g}, walk {decay.walk:.2g}, volume {decay.volume:.2g}) at "
        f"{decay.pressure:.1f} kPa, {60.0 * decay.temperature_slope:+.3f} K/min"
    )
    if decay.step:
        raise StepFailedError(
            f"{p.pressure} went by {decay.step:+.2g} kPa in a step {decay.step_at:.0f} s into the test: no leak rate",
            hint="look for a coupling that let go, and test again",
        )
    if decay.other is not None:
        ctx.tell(
            f"the rate changed {decay.bent_at:.0f} s into the test; it was {decay.other.rate:.3g} sccm "
            f"+- {decay.other.expanded:.2g} on the other side: the greater one is judged"
        )
    ctx.measure(
        f"{ctx.title}: expanded uncertainty", "", decay.expanded, ctx.resolve_number(None, UNIT), samples=pressure.good
    )
    ctx.measure(
        title, "", decay.rate, limit, samples=pressure.good, coverage=coverage, needed=ctx.coverage_needed,
        guarded_by=decay.expanded,
    )  # fmt: skip


def _at(window: Window, times: list[float]) -> Any:
    """A series at the times of another; NaN where there is none."""
    return np.interp(times, window.times, window.values) if window.good > 1 else np.full(len(times), math.nan)


def _of_the_station(
    p: LeakDecay, decay: Decay, transient: Mapping[str, Window], windows: Mapping[str, Window]
) -> list[str]:
    """What contradicts itself, in words: nothing that follows from it is the rack's."""
    said = []
    by = p.instruments
    first = p.temperatures[0]
    for name in p.temperatures[1:]:  # from the filling on: the more the gas has cooled, the plainer
        times = [*transient[first].times, *windows[first].times]
        one = _joined(transient, windows, first)
        apart, moved, jump = disagreement(one.values, _at(_joined(transient, windows, name), times))
        if abs(apart) > APART * math.hypot(by.tracking_share * moved, by.temperature_walk):
            said.append(f"{first} and {name} disagree: {apart:+.2g} K apart in a change of {moved:+.2g} K")
        elif abs(jump) > APART * by.temperature_walk:
            said.append(f"{first} and {name} disagree: one of them jumped by {abs(jump):.2g} K")
    if p.pressure_check is not None:
        one = windows[p.pressure]
        apart, _, _ = disagreement(one.values, _at(windows[p.pressure_check], one.times))
        if abs(apart) > APART * by.pressure_walk:
            said.append(f"{p.pressure} and {p.pressure_check} disagree: {apart:+.2g} kPa apart")
    if p.line_pressure is not None and p.line_change is not None and windows[p.line_pressure].good > 1:
        moved = windows[p.line_pressure].statistic("delta")
        if abs(moved) > _in(p.line_change, "kPa"):
            said.append(f"{p.line_pressure} moved by {moved:+.2g} kPa between closed valves: one leaks by")
    least = decay if decay.other is None else decay.other
    if least.rate + least.expanded < 0.0 and decay.step <= 0.0:
        said.append(f"gas comes in, {-least.rate:.2g} sccm: a valve leaks by, or a sensor lies")
    return said


def _joined(transient: Mapping[str, Window], windows: Mapping[str, Window], name: str) -> Window:
    joined = Window()
    for part in (transient[name], windows[name]):
        for mono, value in zip(part.times, part.values, strict=True):
            joined.add(mono, value, is_good=True)
    return joined
