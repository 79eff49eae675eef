"""Hold-up: the mains go for a moment, and the bus must not notice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from harness.analysis.lasting import lasted
from harness.api import (
    BadValueError,
    Bounds,
    Catalog,
    Condition,
    ControlRef,
    Duration,
    LimitName,
    LocatedError,
    Params,
    QuantityField,
    SignalRef,
    StepContext,
    StrictText,
    Window,
    compile_check,
    convert,
    resolve_setting,
    step,
)
from harness.steps.conditions import unmet
from harness.steps.extremes import Extremes, check_words, taken
from harness.steps.measuring import check_limit
from harness.steps.sampling import check_window, sampled


class HoldUp(Params):
    """Parameters of `hold_up`."""

    loss: ControlRef
    """What takes the mains away: the supply's own test of a lost input, or a source that drops out for a set time."""
    to: StrictText
    """The word that takes them away (`on` of a test), or the time for which a source drops out (`20 ms`)."""
    back: StrictText = ""
    """The word that gives them back: at the end, after a FAIL, and when the step is skipped. Not when the run ends.
    Left out where the source does it by itself."""
    away: Condition | None = None
    """What shows that the mains are away (`psu.input_voltage` at most 90 V), needed with `back`: what was commanded
    proves nothing."""
    lasts: Duration = 5.0
    """How long they are away where `back` gives them back; after a drop-out, how long until the bus is looked at."""
    time: Bounds
    """Of the time for which they were away: a shorter one proves less. With `away` that between the first and the last
    reading that showed it, which is the least that it can have been."""
    lowest: SignalRef
    """The lowest voltage of the bus, as the supply keeps it."""
    highest: SignalRef | None = None
    bus: LimitName | Bounds
    """Of both."""
    load: SignalRef
    """What is drawn meanwhile."""
    least: QuantityField
    """The load below which hold-up proves nothing."""

    @property
    def measures(self) -> tuple[str, ...]:
        """The bus, and for how long the mains are away."""
        return (
            self.lowest,
            *((self.highest,) if self.highest else ()),
            *((self.away.signal,) if self.away is not None else ()),
        )

    @property
    def restart_within(self) -> Mapping[str, float]:
        """A supply counts the loss that is made on purpose."""
        return {self.lowest: self.lasts}

    def planned_seconds(self, _catalog: Catalog) -> float:
        """As long as it says, and a look before."""
        return 2 * self.lasts

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """A word and its counterpart, or a time; limits that fit."""
        for _, control in catalog.find_controls(self.loss)[:1]:
            try:
                setting = resolve_setting(control, self.to)
            except ValueError as error:
                raise LocatedError(str(error), "to") from None
            if setting.word and not self.back:
                raise LocatedError(f"{self.loss} stays {self.to!r}: say what gives the mains back", "back")
            if self.back:
                check_words(catalog, self.loss, [("back", self.back)])
                self._check_away(catalog)
            elif self.away is not None:
                raise LocatedError("a source that drops out by itself is back before a device shows it", "away")
            if not setting.word:
                try:
                    convert(1.0, control.spec.unit, "s")
                except ValueError:
                    raise LocatedError(f"{self.loss} takes no time for which the mains are away", "to") from None
        for name in (self.lowest, *((self.highest,) if self.highest else ())):
            for each in catalog.find_signals(name)[:1]:
                check_limit(self.bus, limits, catalog.signals[each], "bus")
        check_window(catalog, (self.load,), self.lasts, "lasts")
        for each in catalog.find_signals(self.load)[:1]:
            try:
                self.least.to(catalog.signals[each].unit)
            except ValueError as error:
                raise LocatedError(str(error), "least") from None

    def _check_away(self, catalog: Catalog) -> None:
        """Something shows that the mains are away, often enough for the time that is asked for."""
        if self.away is None:
            why = f"{self.loss} only tells what was commanded: say what shows that the mains are away"
            raise LocatedError(why, "away")
        if self.away.for_:
            raise LocatedError("the time is measured from the first reading on: leave `for` out", "away", "for")
        if self.away.signal not in catalog.signals:
            if catalog.find_signals(self.away.signal):
                raise LocatedError(catalog.signal_problem(self.away.signal), "away", "signal")
            return  # said with the other references
        period = catalog.period(self.away.signal)
        least, _ = self.time.band("s")
        if self.lasts - 2 * period < least:
            seen = f"{self.away.signal} is read every {period:g} s"
            raise LocatedError(f"{seen}: {self.lasts:g} s without mains need not show as {least:g} s", "lasts")


@step("hold_up", version=1)
async def hold_up(ctx: StepContext, p: HoldUp) -> None:
    """Take the mains away for a time under load, and judge that time and the lowest voltage the bus got to.

    The voltage is the extreme that the supply itself keeps; a poll sees nothing of 20 ms. The time of a source is what
    it was set to. Where a command gives the mains back, it is what a device shows: the longest time between two
    readings with `away`, and no other between them. It is INCONCLUSIVE when nothing ever showed that they were away.
    """
    bus = Extremes(ctx, p.lowest, p.highest, p.bus)
    if not await bus.are_clear():
        return
    if p.away is not None and not unmet(ctx, (p.away,)):
        reading = f"{p.away.signal} is {ctx.observe(p.away.signal)} before anything is done"
        raise BadValueError(f"{reading}: it does not show when the mains are away", operation="hold_up")
    windows = await sampled(ctx, (p.load,), p.lasts)
    drawn = windows[p.load].statistic("mean")
    unit = ctx.info(p.load).unit
    with bus, ExitStack() as stack:
        shown = stack.enter_context(ctx.collecting(p.away.signal)) if p.away is not None else None
        set_for = await _without_mains(ctx, p)
        await bus.look_after()
    away = set_for if p.away is None or shown is None else _seen_away(ctx, p.away, shown)
    enough = drawn >= p.least.to(unit)
    if not enough:
        ctx.tell(f"{p.load} was {drawn:.4g} {unit}, {p.least} are needed: what was held up proves nothing")
    ctx.measure(f"{ctx.title}: time without mains", "", away if enough else math.nan, ctx.resolve_number(p.time, "s"))
    bus.judge()


async def _without_mains(ctx: StepContext, p: HoldUp) -> float:
    """Take the mains away and give them back, or wait until they are; the seconds that a source was set to."""
    if p.back:
        async with taken(ctx, p.loss, p.to, p.back):
            await ctx.sleep(p.lasts)
        return math.nan
    _, control = ctx.controls(p.loss)[0]
    await ctx.act(p.loss, p.to)
    await ctx.sleep(p.lasts)
    return convert(resolve_setting(control, p.to).value, control.spec.unit, "s")


def _seen_away(ctx: StepContext, condition: Condition, shown: Window) -> float:
    """Seconds for which readings showed that the mains were away; NaN, and said, when none did."""
    check = compile_check(condition, ctx.info(condition.signal))
    seconds = lasted(shown.times, [check.holds(value) for value in shown.values])
    if math.isnan(seconds):
        ctx.tell(f"{condition.signal} never was {check}: nothing shows that the mains were away")
    return seconds
