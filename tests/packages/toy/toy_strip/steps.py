"""A step of its own."""

from __future__ import annotations

from harness.api import Bounds, Duration, Params, QuantityField, SignalRef, StepContext, StepFailedError, step


class Dip(Params):
    """Parameters of `dip`."""

    signal: SignalRef
    below: QuantityField
    within: Duration = 10.0


@step("dip", version=1)
async def dip(ctx: StepContext, p: Dip) -> None:
    """Wait until a signal has once been below a value."""
    limit = p.below.to(ctx.info(p.signal).unit)
    deadline = ctx.clock.monotonic() + p.within
    while ctx.clock.monotonic() < deadline:
        reading = ctx.observe(p.signal)
        if reading.is_good and reading.value < limit:
            ctx.measure("lowest seen", p.signal, reading.value, ctx.resolve(Bounds(max=p.below), p.signal))
            return
        await ctx.sleep(ctx.period(p.signal))
    raise StepFailedError(f"{p.signal} was never below {p.below}", hint="is the valve open?")
