"""Measuring: a statistic over a window of samples, against a limit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from harness.api import (
    Bounds,
    Catalog,
    Duration,
    LimitName,
    LocatedError,
    Params,
    SignalInfo,
    SignalRef,
    Statistic,
    StepContext,
    check_binds,
    samples_needed,
    statistic_info,
    step,
)


class Measure(Params):
    """Parameters of `measure`."""

    signal: SignalRef
    """A signal, or a column of a repetition (`pdu.outlet.current`): then each is measured."""
    over: Duration = 10.0
    statistic: Statistic = "mean"
    limit: LimitName | Bounds | None = None
    """A name of the plan's limit sets, or a band; without one the value is only recorded."""

    @property
    def judges(self) -> bool:
        """Without a limit the value is only recorded."""
        return self.limit is not None

    @property
    def measures(self) -> tuple[str, ...]:
        """The signal, where there is a limit."""
        return (self.signal,) if self.judges else ()

    def planned_seconds(self, _catalog: Catalog) -> float:
        """As long as the window."""
        return self.over

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """The limit must fit the signal and bind it; the statistic must get the samples that it needs."""
        for name in catalog.find_signals(self.signal)[:1]:
            check_limit(self.limit, limits, statistic_info(catalog.signals[name], self.statistic), "limit")
            due = math.floor(self.over / catalog.period(name) + 1e-6)
            needed = samples_needed(self.statistic)
            if due < needed:
                every = f"one sample every {catalog.period(name):g} s"
                message = f"{self.statistic} needs {needed} samples; {self.over:g} s give {due} of {name}, {every}"
                raise LocatedError(message, "over" if "over" in self.model_fields_set else "statistic")


def check_limit(limit: Any, limits: Mapping[str, Any], info: SignalInfo, *key: str | int) -> None:
    """LocatedError at `key` when a limit, inline or one of the named `limits`, does not fit a signal or cannot bind."""
    named = limits.get(limit) if isinstance(limit, str) else None
    bounds = named.limit if named is not None else limit
    if isinstance(bounds, Bounds):
        try:
            check_binds(bounds, info)
        except ValueError as error:
            inner = error.loc if isinstance(error, LocatedError) and named is None else ()
            raise LocatedError(str(error), *key, *inner) from None


@step("measure", version=1)
async def measure(ctx: StepContext, p: Measure) -> None:
    """Collect samples for a time and judge their statistic."""
    names = ctx.signals(p.signal)
    checks = {name: (ctx.resolve(p.limit, name, p.statistic).check, ctx.title) for name in names}
    with ExitStack() as stack:
        windows = {name: stack.enter_context(ctx.collecting(name)) for name in names}
        stack.enter_context(ctx.showing(checks))
        started = ctx.clock.monotonic()
        while (now := ctx.clock.monotonic()) < started + p.over:
            ctx.progress((now - started) / p.over)
            await ctx.sleep(min(1.0, started + p.over - now))
    for name, window in windows.items():
        due = max(1, math.floor(p.over / ctx.period(name) + 1e-6))
        title = ctx.title if len(names) == 1 else f"{ctx.title}: {name}"
        is_value = statistic_info(ctx.info(name), p.statistic) is ctx.info(name)  # no difference, nor a slope
        ctx.measure(
            title,
            name,
            window.statistic(p.statistic),
            ctx.resolve(p.limit, name, p.statistic),
            samples=window.good,
            coverage=min(1.0, window.good / due),
            needed=ctx.coverage_needed if due >= 20 else 0.5,
            needed_samples=samples_needed(p.statistic),
            uncertainty=ctx.corrections.expanded(name) if is_value else None,
        )
