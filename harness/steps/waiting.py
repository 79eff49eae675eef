"""Waiting: for a condition, for a signal to settle, or for a time."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from harness.api import (
    BadValueError,
    Catalog,
    Condition,
    Debounce,
    Duration,
    LocatedError,
    Params,
    Rate,
    Resume,
    SignalRef,
    StepContext,
    StepFailedError,
    Watch,
    Window,
    compile_check,
    convert,
    difference_unit,
    step,
)
from harness.steps.watching import Watching, check_watches


class WaitUntil(Condition, Params):
    """Parameters of `wait_until`: a condition, how long it must hold (`for`), and the deadline."""

    within: Duration
    after_resume: ClassVar[Resume] = Resume.WAIT

    @property
    def measures(self) -> tuple[str, ...]:
        """Nothing: it only waits, and FAILs where it waits for nothing."""
        return ()

    def planned_seconds(self, _catalog: Catalog) -> None:
        """The rack decides."""

    @model_validator(mode="after")
    def _possible(self) -> WaitUntil:
        if self.for_ >= self.within:
            raise ValueError("`for` is as long as `within`: that could never be reached in time")
        return self


@step("wait_until", version=1)
async def wait_until(ctx: StepContext, p: WaitUntil) -> None:
    """Wait until a signal is what it must be; FAIL when it is not in time."""
    check = compile_check(p, ctx.info(p.signal))
    holding = Debounce(p.for_)
    started = ctx.clock.monotonic()
    deadline = started + p.within
    seen = -1.0
    with ctx.showing({p.signal: (check, ctx.title)}):
        while True:
            reading = ctx.observe(p.signal)
            if reading.mono != seen or not reading.is_good:
                seen = reading.mono
                if holding.update(ctx.clock.monotonic(), is_bad=check.holds(reading.value, reading.quality)):
                    return
            now = ctx.clock.monotonic()
            if now >= deadline:
                break
            ctx.progress((now - started) / p.within, f"{reading}, waiting for {check}")
            await ctx.sleep(min(ctx.period(p.signal) / 2, deadline - now))
    reading = ctx.observe(p.signal)
    if not reading.is_good:
        raise BadValueError(f"{p.signal} cannot be read: {reading.quality.word}", operation="wait_until")
    raise StepFailedError(
        f"{p.signal} is {reading} after {p.within:g} s, must be {check}",
        hint=f"look at what drives {p.signal}",
    )


class Settle(Params):
    """Parameters of `settle`."""

    signal: SignalRef
    slope: Rate
    """The signal counts as settled when it changes more slowly than this, e.g. `0.5 K/min`."""
    over: Duration = 30.0
    """Window of the slope."""
    within: Duration
    after_resume: ClassVar[Resume] = Resume.WAIT

    @property
    def measures(self) -> tuple[str, ...]:
        """Nothing: it only waits, and FAILs where it waits for nothing."""
        return ()

    def planned_seconds(self, _catalog: Catalog) -> None:
        """The rack decides."""

    def check_against(self, catalog: Any, _limits: Any) -> None:
        """The slope's unit must fit the signal's, and the window the deadline."""
        for name in catalog.find_signals(self.signal)[:1]:
            try:
                convert(1.0, self.slope[0].unit, difference_unit(catalog.signals[name].unit))
            except ValueError as error:
                raise LocatedError(f"before the /time, {error}", "slope") from None
        if self.over >= self.within:
            raise ValueError("`over` is as long as `within`: that could never be reached in time")


@step("settle", version=1)
async def settle(ctx: StepContext, p: Settle) -> None:
    """Wait until a signal's slope is small; FAIL when it is not in time."""
    info = ctx.info(p.signal)
    change, per = p.slope
    limit = abs(convert(change.value, change.unit, difference_unit(info.unit))) / per
    started = ctx.clock.monotonic()
    recent: list[tuple[float, float]] = []

    def sample(mono: float, value: float, quality: int) -> None:
        if quality == 0:
            recent.append((mono, value))
            while recent and mono - recent[0][0] > p.over:
                recent.pop(0)

    slope = float("nan")
    with ctx.listening(p.signal, sample):
        while (now := ctx.clock.monotonic()) < started + p.within:
            if recent and recent[-1][0] - recent[0][0] >= 0.9 * p.over:
                window = Window()
                for mono, value in recent:
                    window.add(mono, value, is_good=True)
                slope = window.statistic("slope")
                if abs(slope) <= limit:
                    return
            ctx.progress((now - started) / p.within, _slope(slope, info.unit) or f"slope known after {p.over:g} s")
            await ctx.sleep(ctx.period(p.signal))
    if not recent or slope != slope:
        few = "no good sample" if not recent else f"good samples for less than the {p.over:g} s of a slope"
        raise BadValueError(f"{p.signal} gave {few} in {p.within:g} s", operation="settle")
    found, allowed = _slope(slope, info.unit), _slope(limit, info.unit)
    raise StepFailedError(
        f"{p.signal} still changes by {found} after {p.within:g} s, limit {allowed}",
        hint=f"look at what drives {p.signal}",
    )


def _slope(per_second: float, unit: str) -> str:
    """A change in words, `0.5 K/min`; '' while it is not known."""
    return f"{per_second * 60:.3g} {difference_unit(unit)}/min" if per_second == per_second else ""


class Hold(Params):
    """Parameters of `hold`: how long, and what must stay within limits meanwhile."""

    for_: Annotated[Duration, Field(alias="for")]
    watch: tuple[Watch, ...] = ()

    @property
    def judges(self) -> bool:
        """Only what is watched can be bad."""
        return bool(self.watch)

    @property
    def measures(self) -> tuple[str, ...]:
        """What is watched."""
        return tuple(each.signal for each in self.watch)

    @property
    def watches(self) -> tuple[Watch, ...]:
        """As it says."""
        return self.watch

    def planned_seconds(self, _catalog: Catalog) -> float:
        """As long as it says."""
        return self.for_

    def check_against(self, catalog: Catalog, _limits: Any) -> None:
        """A watch must be able to fail before the step is over."""
        check_watches(self.watch, self.for_, catalog)


@step("hold", version=1)
async def hold(ctx: StepContext, p: Hold) -> None:
    """Stay for a time, watching limits."""
    with Watching(ctx, p.watch) as watching:
        await watching.wait(p.for_)
    watching.report()
