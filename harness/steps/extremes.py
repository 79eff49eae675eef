"""What steps share that take something away from a rack that runs, look at the bus, and give it back."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Self

from harness.api import BadValueError, Bounds, Catalog, LocatedError, StepContext
from harness.steps.sampling import sampled


@asynccontextmanager
async def taken(
    ctx: StepContext, control: str, to: str | float, back: str, within: float | None = None
) -> AsyncIterator[None]:
    """Set a control, or all of a bank at once, for as long as the block lasts, and back as `ctx.provoking` says.

    A bank is given back one after the other, so that inrush currents do not add up. `within`: how long each
    confirmation may take, seconds.
    """
    async with ctx.provoking(partial(_give_back, ctx, control, back, within)):
        await ctx.act(control, to, within)
        yield


async def _give_back(ctx: StepContext, reference: str, back: str, within: float | None) -> None:
    for done, (device, control) in enumerate(ctx.controls(reference)):
        if done:
            await ctx.sleep(STAGGER_S)
        await ctx.act(f"{device}.{control.name}", back, within)


STAGGER_S = 0.5


class Extremes:
    """The lowest and the highest voltage of the bus that registers keep, read before and all through a block."""

    def __init__(self, ctx: StepContext, lowest: str, highest: str | None, limit: str | Bounds) -> None:
        self._ctx = ctx
        self._limit = limit
        self._signals = [(lowest, "lowest bus voltage", "min")]
        if highest is not None:
            self._signals.append((highest, "highest bus voltage", "max"))
        self._stack = ExitStack()

    async def are_clear(self) -> bool:
        """Whether what happens now will be told from them; else they are measured as INCONCLUSIVE, and nothing is done.

        BadValueError where they cannot be read.
        """
        beyond = []
        for signal, name, _ in self._signals:
            window = (await sampled(self._ctx, (signal,), 1.2 * self._ctx.period(signal)))[signal]
            if not window.good:
                raise BadValueError(f"{signal} gave no good sample", operation="provoke")
            limit = self._ctx.resolve(self._limit, signal)
            if not limit.check.holds(window.statistic("last")):
                shown = f"{window.statistic('last'):.5g} {limit.check.unit}"
                self._ctx.tell(f"{signal} is {shown} before anything is done: its own period must be over first")
                beyond.append((signal, name, limit))
        for signal, name, limit in beyond:
            self._ctx.measure(f"{self._ctx.title}: {name}", signal, math.nan, limit, samples=0)
        return not beyond

    def __enter__(self) -> Self:
        self._windows = {s: self._stack.enter_context(self._ctx.collecting(s)) for s, _, _ in self._signals}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stack.close()

    async def look_after(self) -> None:
        """Wait until each was read once more."""
        await self._ctx.sleep(1.2 * max(self._ctx.period(signal) for signal, _, _ in self._signals))

    def judge(self) -> None:
        """Judge them."""
        ctx = self._ctx
        for signal, name, statistic in self._signals:
            resolved, window = ctx.resolve(self._limit, signal), self._windows[signal]
            value = window.statistic("min" if statistic == "min" else "max") if window.good else math.nan
            ctx.measure(f"{ctx.title}: {name}", signal, value, resolved, samples=window.good)


def check_words(catalog: Catalog, reference: str, words: Sequence[tuple[str, str]]) -> None:
    """LocatedError at the key for a word that a control does not take; (key, word)."""
    for _, control in catalog.find_controls(reference)[:1]:
        for key, word in words:
            if word not in control.spec.takes:
                has = ", ".join(sorted(control.spec.takes)) or "no words"
                raise LocatedError(f"{reference} does not take {word!r}: it takes {has}", key)
