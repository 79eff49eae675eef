"""What must hold for a step to say anything, and windows of several signals at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from harness.analysis.heat import Known
from harness.analysis.zero import LEAST_SAMPLES, steady_mean
from harness.api import (
    Catalog,
    Condition,
    LocatedError,
    ResolvedLimit,
    SignalInfo,
    StepContext,
    Window,
    compile_check,
    convert,
)
from harness.steps.measuring import check_limit


def unmet(ctx: StepContext, conditions: Sequence[Condition]) -> str:
    """The first condition that does not hold now, in words; '' when all do."""
    for condition in conditions:
        for name in ctx.signals(condition.signal):
            check, reading = compile_check(condition, ctx.info(name)), ctx.observe(name)
            if not check.holds(reading.value, reading.quality):
                return f"{name} is {reading}, must be {check}"
    return ""


async def collect(ctx: StepContext, names: Sequence[str], over: float, text: str = "") -> dict[str, Window]:
    """The samples of signals over a time."""
    with ExitStack() as stack:
        windows = {name: stack.enter_context(ctx.collecting(name)) for name in dict.fromkeys(names)}
        started = ctx.clock.monotonic()
        while (now := ctx.clock.monotonic()) < started + over:
            ctx.progress((now - started) / over, text)
            await ctx.sleep(min(1.0, started + over - now))
    return windows


def known_mean(ctx: StepContext, name: str, window: Window) -> Known:
    """The mean of a window, with what the instrument and the scatter leave uncertain.

    ValueError: too few samples, or nobody declared an accuracy.
    """
    if window.good < LEAST_SAMPLES:
        raise ValueError(f"{name} gave {window.good} good samples, {LEAST_SAMPLES} are needed")
    mean, of_instrument = steady_mean(window.values), ctx.corrections.uncertainty(name)
    if of_instrument is None:
        raise ValueError(f"nobody declared how accurate {name} is")
    return Known(mean.value, math.hypot(mean.u, of_instrument))


def coverage_of(ctx: StepContext, windows: Mapping[str, Window], over: float) -> float:
    """The smallest share of due samples that were good."""
    return min(min(1.0, window.good / max(1, math.floor(over / ctx.period(n) + 1e-6))) for n, window in windows.items())


def guarded(limit: ResolvedLimit, uncertainty: float) -> ResolvedLimit:
    """The limit with the expanded uncertainty found as its guard band: inside by more than it, or no PASS."""
    return replace(limit, guard_band=max(limit.guard_band, uncertainty))


def in_unit(quantity: Any, unit: str, *key: str | int) -> float:
    """A quantity in a unit; LocatedError at `key` when it is none of it."""
    try:
        return float(convert(quantity.value, quantity.unit, unit))
    except ValueError as error:
        raise LocatedError(str(error), *key) from None


def check_number(limit: Any, limits: Mapping[str, Any], unit: str, key: str) -> None:
    """A limit of a number that no signal shows must be in its unit."""
    check_limit(limit, limits, SignalInfo(name=key, unit=unit), key)


def check_units(catalog: Catalog, wanted: Mapping[str, tuple[str, str]]) -> bool:
    """Key -> (signal, unit): LocatedError for a signal in another unit; False when one of them is not there."""
    for key, (name, unit) in wanted.items():
        if name not in catalog.signals:
            return False  # said with the other references
        if catalog.signals[name].unit != unit:
            raise LocatedError(f"{name} is in {catalog.signals[name].unit or 'no unit'}, {unit} is needed", key)
    return True


def check_accuracies(catalog: Catalog, names: Mapping[str, str]) -> None:
    """Key -> signal: LocatedError for one whose accuracy nobody declared."""
    for key, name in names.items():
        if not _is_known(catalog, name):
            raise LocatedError(f"{name} has no `accuracy` in the station file: nothing could be said of it", key)


def _is_known(catalog: Catalog, name: str) -> bool:
    if name in catalog.accuracy:
        return True
    derived = catalog.derived.get(name)
    return derived is not None and all(_is_known(catalog, each) for each in derived.inputs.values())
