"""Waiting until signals have settled: all of them at the same time, by slopes that are known well enough."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from harness.analysis.trend import LEAST_POINTS, Trend, fit_trend, slope_uncertainty
from harness.api import (
    BadValueError,
    Catalog,
    Duration,
    LocatedError,
    Params,
    Rate,
    Resume,
    SignalRef,
    StepContext,
    StepFailedError,
    convert,
    difference_unit,
    step,
)

KNOWN = 1 / 3
"""The standard uncertainty of a slope must be less than this share of what it is held against."""
_FILLED = 0.9
"""Share of its window from which on a slope counts."""


class Settle(Params):
    """Parameters of `settle`: one `signal` or several `signals`, which must all be settled at the same time."""

    signal: SignalRef | None = None
    signals: Annotated[tuple[SignalRef, ...], Field(max_length=100)] = ()
    """Several, e.g. return and supply: one alone is also slow where it turns round."""
    slope: Rate
    """A signal counts as settled when it changes more slowly than this, e.g. `0.3 K/min`."""
    over: Duration = 30.0
    """Window of the slope, a straight line by least squares. Take it longer than what is waited for takes to come."""
    within: Duration
    after_resume: ClassVar[Resume] = Resume.WAIT

    @property
    def measures(self) -> tuple[str, ...]:
        """Nothing: it only waits, and FAILs where it waits for nothing."""
        return ()

    @property
    def names(self) -> tuple[str, ...]:
        """What has to settle."""
        return (self.signal,) if self.signal is not None else self.signals

    def planned_seconds(self, _catalog: Catalog) -> None:
        """The rack decides."""

    @model_validator(mode="after")
    def _names_some(self) -> Settle:
        if (self.signal is None) != bool(self.signals):
            raise ValueError("give either `signal` or `signals`")
        return self

    def check_against(self, catalog: Catalog, _limits: Mapping[str, Any]) -> None:
        """The slope's unit must fit the signals', the window the deadline and the noise of the signals."""
        if self.over >= self.within:
            raise ValueError("`over` is as long as `within`: that could never be reached in time")
        for reference in self.names:
            for name in catalog.find_signals(reference)[:1]:
                self._check_one(catalog, name)

    def _check_one(self, catalog: Catalog, name: str) -> None:
        unit = catalog.signals[name].unit
        try:
            limit = abs(convert(self.slope[0].value, self.slope[0].unit, difference_unit(unit))) / self.slope[1]
        except ValueError as error:
            raise LocatedError(f"before the /time, {error}", "slope") from None
        known = slope_uncertainty(least_scatter(catalog, name), self.over, catalog.period(name))
        if math.isinf(known):
            every = f"{name} comes every {catalog.period(name):g} s"
            raise LocatedError(
                f"{every}: in {self.over:g} s there are not the {LEAST_POINTS} samples of a slope", "over"
            )
        if known > KNOWN * limit:
            found, allowed = in_words(known, unit), in_words(limit, unit)
            raise LocatedError(
                f"over {self.over:g} s the slope of {name} is known to {found} by its noise and resolution, a third of "
                f"{allowed} is needed: take a longer window",
                "over" if "over" in self.model_fields_set else "slope",
            )


def least_scatter(catalog: Catalog, name: str) -> float:
    """What samples of a steady signal scatter by at least: its declared noise, or its resolution. 0: nothing known."""
    device = catalog.owner[name]
    if device not in catalog.expansions:
        return 0.0
    point = catalog.expansions[device].signals.get(name.removeprefix(f"{device}."))
    if point is None or point.spec.is_text or point.spec.shows_words:
        return 0.0
    noise = point.spec.noise.absolute if point.spec.noise is not None else 0.0
    return max(noise, point.spec.resolution / math.sqrt(12))


class _Slope:
    """The slope of one signal over the window that ends now."""

    def __init__(self, ctx: StepContext, name: str, p: Settle) -> None:
        self.name = name
        self.unit = ctx.info(name).unit
        change, per = p.slope
        self.limit = abs(convert(change.value, change.unit, difference_unit(self.unit))) / per
        self._over = p.over
        self._recent: deque[tuple[float, float]] = deque()
        self.came = 0
        self.trend: Trend | None = None

    def sample(self, mono: float, value: float, quality: int) -> None:
        """Take a sample."""
        if quality == 0 and math.isfinite(value):
            self.came += 1
            self._recent.append((mono, value))
            while mono - self._recent[0][0] > self._over:
                self._recent.popleft()

    @property
    def is_settled(self) -> bool:
        """Whether it changes slowly enough, and that is known."""
        self.trend = None
        recent = self._recent
        if len(recent) < LEAST_POINTS or recent[-1][0] - recent[0][0] < _FILLED * self._over:
            return False
        times, values = zip(*recent, strict=True)
        self.trend = trend = fit_trend(times, values)
        return abs(trend.slope) <= self.limit and trend.slope_u <= KNOWN * self.limit


@step("settle", version=2)
async def settle(ctx: StepContext, p: Settle) -> None:
    """Wait until the slopes of signals are small, all at the same time; FAIL when they are not in time."""
    slopes = [_Slope(ctx, name, p) for reference in p.names for name in ctx.signals(reference)]
    started = ctx.clock.monotonic()
    with ExitStack() as stack:
        for each in slopes:
            stack.enter_context(ctx.listening(each.name, each.sample))
        pace = min((ctx.period(each.name) for each in slopes), default=1.0)
        while (now := ctx.clock.monotonic()) < started + p.within:
            open_ = [each for each in slopes if not each.is_settled]
            if not open_:
                return
            shown = ", ".join(_shown(each) for each in open_ if each.trend is not None)
            ctx.progress((now - started) / p.within, shown or f"slope known after {p.over:g} s")
            await ctx.sleep(pace)
    for each in open_:
        if each.trend is None:
            few = "no good sample" if not each.came else f"good samples for less than the {p.over:g} s of a slope"
            raise BadValueError(f"{each.name} gave {few} in {p.within:g} s", operation="settle")
    raise StepFailedError(
        f"{'; '.join(map(_shown, open_))} after {p.within:g} s, limit {in_words(open_[0].limit, open_[0].unit)}",
        hint=f"look at what drives {open_[0].name}",
    )


def _shown(each: _Slope) -> str:
    assert each.trend is not None
    found = in_words(each.trend.slope, each.unit)
    if abs(each.trend.slope) <= each.limit:
        return f"{each.name} is too noisy to say: {found}, known to {in_words(each.trend.slope_u, each.unit)}"
    return f"{each.name} still changes by {found}"


def in_words(per_second: float, unit: str) -> str:
    """A change in words, `0.5 K/min`."""
    return f"{per_second * 60:.3g} {difference_unit(unit)}/min"
