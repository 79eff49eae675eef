"""Power: outlets on one after the other, and off."""

from __future__ import annotations

from collections.abc import Sequence

from harness.engine.context import StepContext
from harness.engine.step import Params, step
from harness.schema.fields import ControlRef, Duration, DurationOrZero


class PowerOn(Params):
    """Parameters of `power_on`."""

    outlets: ControlRef
    """A control, or a bank of them, that puts power on the rack."""
    stagger: DurationOrZero = 2.0
    """Pause between two outlets, so that inrush currents do not add up."""
    confirm_within: Duration = 10.0

    def energises(self) -> Sequence[str]:
        """What this step puts power on."""
        return (self.outlets,)


@step("power_on", version=1)
async def power_on(ctx: StepContext, p: PowerOn) -> None:
    """Switch outlets on, one after the other, each confirmed before the next."""
    controls = ctx.controls(p.outlets)
    for done, (device, control) in enumerate(controls):
        if done:
            await ctx.sleep(p.stagger)
        await ctx.act(f"{device}.{control.name}", "on", p.confirm_within)
        ctx.progress((done + 1) / len(controls), f"{done + 1} of {len(controls)} on")


class PowerOff(Params):
    """Parameters of `power_off`."""

    outlets: ControlRef
    confirm_within: Duration = 10.0


@step("power_off", version=1)
async def power_off(ctx: StepContext, p: PowerOff) -> None:
    """Switch outlets off together, confirmed."""
    await ctx.act(p.outlets, "off", p.confirm_within)
