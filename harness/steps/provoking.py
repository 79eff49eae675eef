"""Things that a step provokes, what must then be seen and how soon, and how all of it is taken back."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from typing import Any, Self

from pydantic import model_validator

from harness.api import (
    Bounds,
    Catalog,
    Check,
    ControlRef,
    Duration,
    HarnessError,
    LocatedError,
    Model,
    QuantityField,
    ResolvedLimit,
    SignalInfo,
    SignalRef,
    StepContext,
    StrictText,
    Title,
    compile_check,
)
from harness.steps.setting import possible


class Setpoint(Model):
    """A control and what it is set to."""

    control: ControlRef
    to: StrictText | float


class Cause(Model):
    """What is done: a control set (`set`), or something that a person does (`prompt`), who answers when it is done."""

    set: Setpoint | None = None
    prompt: Title | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.set is None) == (self.prompt is None):
            raise ValueError("give either `set` or `prompt`")
        return self


class Expected(Model):
    """What must be seen: a word that the signal shows (of flags: among others), or a band; and how soon."""

    signal: SignalRef
    shows: StrictText | None = None
    min: QuantityField | None = None
    max: QuantityField | None = None
    within: Duration

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if (self.shows is None) == (self.min is None and self.max is None):
            raise ValueError("give either a word (`shows`) or a band (`min`, `max`)")
        return self

    def compiled(self, info: SignalInfo) -> Check:
        """What is asked of each value. ValueError where it does not fit the signal."""
        if self.shows is None:
            return compile_check(Bounds(min=self.min, max=self.max), info)
        known = info.labels or {float(bit): word for bit, word in info.flags.items()}
        if self.shows not in known.values():
            words = ", ".join(dict.fromkeys(known.values())) or "no words"
            raise LocatedError(f"{info.name} never shows {self.shows!r}; it shows {words}", "shows")
        return Check(shown=self.shows)

    def is_seen(self, info: SignalInfo, check: Check, value: float, quality: int) -> bool:
        """Whether a sample is what is expected."""
        if quality or value != value:
            return False
        return self.shows in info.word(value).split("+") if self.shows is not None else check.holds(value)


def check_cause(cause: Cause | None, catalog: Catalog, *key: str | int) -> None:
    """The control takes the value."""
    command = cause.set if cause is not None else None
    if command is None:
        return
    for _, control in catalog.find_controls(command.control)[:1]:
        try:
            possible(control, command.to)
        except ValueError as error:
            raise LocatedError(str(error), *key, "set", "to") from None


def check_expected(expected: Expected | None, catalog: Catalog, *key: str | int) -> None:
    """The words or the band fit the signal."""
    if expected is None or expected.signal not in catalog.signals:
        return
    try:
        expected.compiled(catalog.signals[expected.signal])
    except ValueError as error:
        inner = error.loc if isinstance(error, LocatedError) else ()
        raise LocatedError(str(error), *key, *inner) from None


async def carry_out(ctx: StepContext, cause: Cause) -> float:
    """Do it, or have it done; returns when it was done, or begun to be commanded."""
    if cause.set is not None:
        began = ctx.clock.monotonic()
        await ctx.act(cause.set.control, cause.set.to)
        return began
    await ctx.ask(str(cause.prompt), ("done",))
    return ctx.clock.monotonic()


class Looking:
    """Looks out for several things from `with` on, and knows when each was first seen, for good or at all."""

    def __init__(self, ctx: StepContext, expected: Mapping[str, Expected], *, gone: bool = False) -> None:
        """`gone`: looks out for when they are not seen any more."""
        self._ctx = ctx
        self._expected = expected
        self._gone = gone
        self._stack = ExitStack()
        self.seen: dict[str, float] = {}
        """name -> when it was first seen."""
        self.shown: dict[str, set[str]] = {name: set() for name in expected}
        """name -> all words that its signal has shown."""

    def __enter__(self) -> Self:
        for name, each in self._expected.items():
            info = self._ctx.info(each.signal)
            self._stack.enter_context(self._ctx.listening(each.signal, self._listener(name, each, info)))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _listener(self, name: str, expected: Expected, info: SignalInfo) -> Any:
        check = expected.compiled(info)

        def listen(mono: float, value: float, quality: int) -> None:
            if not quality:
                self.shown[name].update(word for word in info.word(value).split("+") if word)
            is_it = not quality and expected.is_seen(info, check, value, quality) is not self._gone
            if name not in self.seen and is_it:
                self.seen[name] = mono

        return listen

    async def wait(self, since: float, text: str) -> dict[str, float]:
        """Wait until all are seen, or the time of each is over; returns the seconds each took, infinite for never."""
        last = max((each.within + 2 * self._ctx.period(each.signal) for each in self._expected.values()), default=0.0)
        while len(self.seen) < len(self._expected) and (left := since + last - self._ctx.clock.monotonic()) > 0:
            self._ctx.progress(1 - left / last, text)
            await self._ctx.sleep(min(0.5, left))
        await self._ctx.sleep(0)
        return {name: max(0.0, self.seen.get(name, math.inf) - since) for name in self._expected}


def judge_time(ctx: StepContext, title: str, expected: Expected, seconds: float) -> None:
    """Measure how long it took; never is longer than allowed."""
    limit = ResolvedLimit(
        Check(high=expected.within, unit="s", shown=f"<= {expected.within:g} s"), provenance="plan", on_fail="stop"
    )
    if math.isinf(seconds):
        ctx.tell(f"{title}: {expected.signal} did not show it, it is {ctx.observe(expected.signal)}")
        seconds = math.nextafter(expected.within, math.inf) + ctx.period(expected.signal)
    ctx.measure(title, "", seconds, limit)


def judge_others(ctx: StepContext, title: str, others: set[str]) -> None:
    """Measure how many words came that nobody provoked: none may."""
    if others:
        ctx.tell(f"{title} brought {', '.join(sorted(others))} as well")
    none = ResolvedLimit(Check(high=0.0, shown="<= 0"), provenance="plan")
    ctx.measure(f"{title} brings others", "", float(len(others)), none)


async def carry_out_all(ctx: StepContext, causes: Sequence[Cause]) -> float:
    """All of them in order; returns when the last was done or begun to be commanded."""
    done = ctx.clock.monotonic()
    for cause in causes:
        done = await carry_out(ctx, cause)
    return done


@asynccontextmanager
async def taken_back(ctx: StepContext, back: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Have `back` done after the block, also where that fails.

    Where both fail, the first error is the cause and stays the step's; the other one is told.
    """
    try:
        yield
    except asyncio.CancelledError:
        raise  # the run is at its end: what it had set is set back by it, and nothing here delays that
    except Exception:
        try:
            await back()
        except HarnessError as error:
            ctx.tell(f"nor could it be taken back: {error.message}")
        raise
    await back()
