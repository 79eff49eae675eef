"""Waiting: for a condition, or for a time."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from harness.api import (
    BadValueError,
    Catalog,
    Condition,
    Debounce,
    Duration,
    Params,
    Resume,
    StepContext,
    StepFailedError,
    Watch,
    compile_check,
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
