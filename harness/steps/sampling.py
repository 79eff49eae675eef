"""Several signals measured over the same time: what the steps that evaluate more than one signal begin with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from harness.api import Catalog, LocatedError, StepContext, Window


async def sampled(ctx: StepContext, names: Sequence[str], seconds: float) -> dict[str, Window]:
    """The samples of signals over a time, by their names."""
    with ExitStack() as stack:
        windows = {name: stack.enter_context(ctx.collecting(name)) for name in names}
        await ctx.sleep(seconds)
    return windows


def coverage(ctx: StepContext, windows: Mapping[str, Window], seconds: float) -> dict[str, Any]:
    """What `measure` is told of how much there was to judge by: the worst of the windows."""
    shares = [window.good / max(1, math.floor(seconds / ctx.period(name) + 1e-6)) for name, window in windows.items()]
    fewest = min((window.good for window in windows.values()), default=0)
    return {"samples": fewest, "coverage": min(1.0, *shares) if shares else 0.0, "needed": 0.5}


def check_window(catalog: Catalog, names: Sequence[str], seconds: float, key: str) -> None:
    """LocatedError at `key` when a time is too short to see a signal twice."""
    for name in names:
        for each in catalog.find_signals(name)[:1]:
            if seconds < 2 * catalog.period(each):
                every = f"{each} is read every {catalog.period(each):g} s"
                raise LocatedError(f"{seconds:g} s are too short: {every}, two readings are needed", key)


def check_unit(catalog: Catalog, names: Sequence[str], like: str, *key: str) -> None:
    """LocatedError at `key` when signals are not all of the kind of quantity that `like` is."""
    wanted = [catalog.signals[name].unit for name in catalog.find_signals(like)[:1]]
    for name in names:
        for each in catalog.find_signals(name):
            if wanted and catalog.signals[each].unit != wanted[0]:
                has, has_not = catalog.signals[each].unit or "no unit", wanted[0] or "no unit"
                raise LocatedError(f"{each} is in {has}, {like} in {has_not}", *key)
