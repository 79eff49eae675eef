"""What a soak does beside its load: setpoints that leave their place, and how long signals are where they belong."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Annotated, Any, Self

from pydantic import Field

from harness.api import (
    Bounds,
    Catalog,
    Condition,
    ControlRef,
    Duration,
    DurationOrZero,
    LocatedError,
    Model,
    Percent,
    StepContext,
    StrictText,
    check_binds,
    compile_check,
)
from harness.steps.setting import possible


class Excursion(Model):
    """A setpoint that is another one for a while: warmer coolant, less flow."""

    control: ControlRef
    to: StrictText | float
    """The value of the excursion."""
    back: StrictText | float
    """The value before and after it."""
    at: DurationOrZero
    """When it begins, from the begin of the soak; a soak that starts again has it again."""
    for_: Annotated[Duration, Field(alias="for")]


class InProfile(Condition):
    """A band in which a signal must be for a share of the soak's time, not all of it."""

    share: Percent = 95.0
    """Share of its good samples that must be inside, %."""


def check_excursions(excursions: Sequence[Excursion], lasts: float, catalog: Catalog) -> None:
    """Each must end before the soak does, and set what its control takes; no two may set one control at once."""
    for index, one in enumerate(excursions):
        if one.at + one.for_ > lasts:
            raise LocatedError(f"it ends after the soak of {lasts:g} s", "excursions", index, "for")
        for _, control in catalog.find_controls(one.control)[:1]:
            possible(control, one.to, "excursions", index, "to")
            possible(control, one.back, "excursions", index, "back")
        for other in excursions[:index]:
            if other.control == one.control and one.at < other.at + other.for_ and other.at < one.at + one.for_:
                raise LocatedError(f"two excursions of {one.control} overlap", "excursions", index, "at")


class Excursions:
    """Carries them out as the time of the soak goes on."""

    def __init__(self, ctx: StepContext, specs: Sequence[Excursion]) -> None:
        self._ctx = ctx
        self._specs = specs
        self._is_away = [False] * len(specs)

    async def follow(self, spent: float) -> None:
        """Set what must be set now, `spent` seconds after the soak began."""
        for index, one in enumerate(self._specs):
            must = one.at <= spent < one.at + one.for_
            if must != self._is_away[index]:
                self._is_away[index] = must
                to = one.to if must else one.back
                self._ctx.tell(f"excursion{'' if must else ' over'}: {one.control} to {to}")
                await self._ctx.act(one.control, to)

    async def give_back(self) -> None:
        """End those that are under way: the soak is over, or was cut short."""
        for index, one in enumerate(self._specs):
            if self._is_away[index]:
                self._ctx.tell(f"excursion over: {one.control} to {one.back}")
                await self._ctx.act(one.control, one.back)
                self._is_away[index] = False


class Profile:
    """Counts the samples of signals inside and outside of their bands; used as a context manager."""

    def __init__(self, ctx: StepContext, specs: Sequence[InProfile]) -> None:
        self._ctx = ctx
        self._bands = [(spec, name) for spec in specs for name in ctx.signals(spec.signal)]
        self._counts: dict[str, list[int]] = {}
        self._stack = ExitStack()
        self._began = math.nan
        self.begin(ctx.clock.monotonic())

    def begin(self, now: float) -> None:
        """Count from here on, also when the soak starts again."""
        self._counts = {name: [0, 0] for _, name in self._bands}
        self._began = now

    def __enter__(self) -> Self:
        for spec, name in self._bands:
            check = compile_check(spec, self._ctx.info(name))

            def count(_mono: float, value: float, quality: int, name: str = name, check: Any = check) -> None:
                if quality == 0:
                    self._counts[name][0] += 1
                    self._counts[name][1] += check.holds(value, quality)

            self._stack.enter_context(self._ctx.listening(name, count))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def state(self) -> dict[str, list[int]]:
        """The counts, for a checkpoint."""
        return {name: list(counts) for name, counts in self._counts.items()}

    def restore(self, counts: Mapping[str, Sequence[int]], credited: float) -> None:
        """The counts of a checkpoint, `credited` seconds after the begin."""
        self._counts.update({name: list(map(int, each)) for name, each in counts.items() if name in self._counts})
        self._began = self._ctx.clock.monotonic() - credited

    def report(self) -> None:
        """Record the share of each signal, judged; too few samples are INCONCLUSIVE."""
        lasted = self._ctx.clock.monotonic() - self._began
        for spec, name in self._bands:
            good, inside = self._counts[name]
            due = max(1.0, lasted / self._ctx.period(name))
            limit = self._ctx.resolve_number(Bounds.model_validate({"min": f"{spec.share:g} %"}), "%")
            value = 100 * inside / good if good else math.nan
            self._ctx.measure(
                f"time of {name} inside its profile", "", value, limit,
                samples=good, coverage=min(1.0, good / due), needed=self._ctx.coverage_needed,
            )  # fmt: skip


def check_profile(specs: Sequence[InProfile], catalog: Catalog) -> None:
    """Bands must bind; a time inside knows no `for`."""
    for index, spec in enumerate(specs):
        if spec.for_:
            raise LocatedError("a share of the time knows no `for`", "profile", index, "for")
        for name in catalog.find_signals(spec.signal)[:1]:
            try:
                check_binds(spec, catalog.signals[name])
            except ValueError as error:
                raise LocatedError(str(error), "profile", index) from None
