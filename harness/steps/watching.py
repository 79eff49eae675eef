"""Limits watched while a step goes on: every sample counts, and so do the missing ones."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from harness.api import (
    Catalog,
    Check,
    Debounce,
    Excused,
    LocatedError,
    ResolvedLimit,
    StepContext,
    StepFailedError,
    Watch,
)

_TICK_S = 0.5

Tick = Callable[[float], Awaitable[float]]
"""Called with the step's time twice a second; may return a new start time, else 0."""


class _Watched:
    """One watched limit: the worst value seen, how many samples were good, whether it failed."""

    def __init__(
        self, ctx: StepContext, spec: Watch, signal: str, limit: ResolvedLimit, period: float, now: float
    ) -> None:
        self._ctx = ctx
        self.spec = spec
        self.signal = signal
        self.limit = limit
        self.name = spec.name or f"{signal} {limit.check}"
        self.period = period
        self.started = now
        self.debounce = Debounce(spec.for_)
        self.worst = math.nan
        self.extreme = math.nan
        """The worst of all good samples, the excused ones included."""
        self.judged = 0
        self.outside = 0
        """Good samples, also those of a pause, and how many of them were outside of the limit."""
        self.good = 0
        self.failed = False

    def sample(self, mono: float, value: float, quality: int) -> None:
        """Take a sample of the signal. In a pause it is judged too, but does not make up for missing ones."""
        if quality:
            return
        self.good += not self._ctx.is_paused
        check = self.limit.check
        excused = False
        is_bad = not check.holds(value)
        self.judged += 1
        self.outside += is_bad
        if self.extreme != self.extreme or check.margin(value) < check.margin(self.extreme):
            self.extreme = value
        if self.debounce.update(mono, is_bad=is_bad):
            self.failed = True
        elif is_bad:
            excused = True  # shorter than `for` so far: not the worst value until it counts
        if not excused and (self.worst != self.worst or check.margin(value) < check.margin(self.worst)):
            self.worst = value

    def expected(self, now: float) -> int:
        """Samples due so far: as many as fall into the time for certain, wherever in a period it begins and ends."""
        return max(1, math.ceil((now - self.started) / self.period - 1e-6) - 1)

    def restart(self, now: float) -> None:
        """Forget what was: the clock of the step starts again."""
        self.started, self.good, self.worst, self.failed = now, 0, math.nan, False
        self.extreme, self.judged, self.outside = math.nan, 0, 0
        self.debounce.reset()


class Watching:
    """Watches limits from `with` to its end; `wait` waits, `report` records the measurements."""

    def __init__(self, ctx: StepContext, watches: Sequence[Watch], coverage: float | None = None) -> None:
        self._ctx = ctx
        self._needed = ctx.coverage_needed if coverage is None else coverage
        self._stack = ExitStack()
        now = ctx.clock.monotonic()
        self.watched = [
            _Watched(ctx, spec, signal, ctx.resolve(spec, signal), ctx.period(signal), now)
            for spec in watches
            for signal in ctx.signals(spec.signal)
        ]
        self._ended = now

    def __enter__(self) -> Self:
        checks: dict[str, tuple[Check, str]] = {}
        for each in self.watched:
            self._stack.enter_context(self._ctx.listening(each.signal, each.sample, while_paused=True))
            checks[each.signal] = (each.limit.check, each.name)
        self._stack.enter_context(self._ctx.showing(checks))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ended = self._ctx.clock.monotonic()
        self._stack.close()
        if kind is asyncio.CancelledError:  # cut short: what was bad by then is measured all the same
            self._report([each for each in self.watched if each.failed])

    async def wait(self, seconds: float, each_tick: Tick | None = None, text: str = "", credited: float = 0.0) -> None:
        """Wait, ending early with a FAIL when a limit with `on_fail: stop` fails.

        `each_tick` lets a soak begin again; `credited` seconds are behind already.
        """
        clock = self._ctx.clock
        started = clock.monotonic() - credited
        while (now := clock.monotonic()) < started + seconds:
            for each in self.watched:
                if each.failed and each.spec.on_fail == "stop":
                    self._ended = now
                    self.report()
                    word = self._ctx.info(each.signal).word(each.worst)
                    reached = word or f"{each.worst:.6g} {each.limit.check.unit}".rstrip()
                    raise StepFailedError(
                        f"{each.name}: {each.signal} reached {reached}, limit {each.limit.check}"
                        + (f" for {each.spec.for_:g} s" if each.spec.for_ else "")
                    )
            if each_tick is not None:
                again = await each_tick(now)
                if again and again > started:
                    started = again
                    for each in self.watched:
                        each.restart(again)
            self._ctx.progress((now - started) / seconds, text)
            await self._ctx.sleep(min(_TICK_S, started + seconds - now))
        self._ended = clock.monotonic()

    def state(self) -> dict[str, list[Any]]:
        """What has been seen so far, as JSON values, for a checkpoint."""
        now = self._ctx.clock.monotonic()
        return {
            f"{each.name} {each.signal}": [
                each.good,
                each.expected(now),
                each.worst,
                each.failed,
                each.extreme,
                each.judged,
                each.outside,
            ]
            for each in self.watched
        }

    def restore(self, credited: float, state: Mapping[str, Sequence[Any]]) -> None:
        """Go on from a checkpoint, `credited` seconds after the begin."""
        for each in self.watched:
            each.started -= credited
            if (known := state.get(f"{each.name} {each.signal}")) is not None:
                each.good += int(known[0])
                each.worst = math.nan if known[2] is None else float(known[2])
                each.failed = bool(known[3])
                each.extreme = math.nan if known[4] is None else float(known[4])
                each.judged, each.outside = int(known[5]), int(known[6])

    def report(self) -> None:
        """Record one measurement for each watched limit: its worst value."""
        self._report(self.watched)

    def _report(self, watched: Sequence[_Watched]) -> None:
        for each in watched:
            share = min(1.0, each.good / each.expected(self._ended))
            worst = each.worst if each.good else math.nan
            self._ctx.measure(
                each.name,
                each.signal,
                worst,
                each.limit,
                samples=each.good,
                coverage=share,
                needed=self._needed,
                excused=Excused(each.extreme, round(each.outside / each.judged, 6)) if each.judged else None,
            )


def check_watches(watches: Sequence[Watch], lasts: float, catalog: Catalog) -> None:
    """LocatedError when a watch may be bad for longer than its step lasts: nothing could fail it."""
    for index, watch in enumerate(watches):
        for signal in catalog.find_signals(watch.signal)[:1]:
            sees = lasts - 2 * catalog.period(signal)
            if watch.for_ and watch.for_ > sees:
                message = f"the step lasts {lasts:g} s and reads {signal} every {catalog.period(signal):g} s"
                raise LocatedError(f"{message}: it could never be seen for {watch.for_:g} s", "watch", index, "for")
