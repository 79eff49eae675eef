"""Power: outlets on one after the other, and off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.api import Acting, Catalog, ControlRef, Duration, DurationOrZero, LocatedError, StepContext, step


def _switches(catalog: Catalog, reference: str) -> None:
    if any(not control.spec.energises for _, control in catalog.find_controls(reference)):
        raise LocatedError(f"{reference} puts no power on the rack; use the step set", "outlets")


class PowerOn(Acting):
    """Parameters of `power_on`."""

    outlets: ControlRef
    """A control, or a bank of them, that puts power on the rack."""
    stagger: DurationOrZero = 2.0
    """Pause between two outlets, so that inrush currents do not add up."""
    confirm_within: Duration = 10.0

    def planned_seconds(self, catalog: Catalog) -> float:
        """The pauses between the outlets."""
        return self.stagger * len(catalog.find_controls(self.outlets))

    def check_against(self, catalog: Catalog, _limits: Mapping[str, Any]) -> None:
        """Only what puts power on the rack is switched on by this step."""
        _switches(catalog, self.outlets)


@step("power_on", version=1)
async def power_on(ctx: StepContext, p: PowerOn) -> None:
    """Switch outlets on, one after the other, each confirmed before the next."""
    controls = ctx.controls(p.outlets)
    for done, (device, control) in enumerate(controls):
        if done:
            await ctx.sleep(p.stagger)
        await ctx.act(f"{device}.{control.name}", "on", p.confirm_within)
        ctx.progress((done + 1) / len(controls), f"{done + 1} of {len(controls)} on")


class PowerOff(Acting):
    """Parameters of `power_off`."""

    outlets: ControlRef
    confirm_within: Duration = 10.0

    @property
    def switches_off(self) -> bool:
        """All that it does."""
        return True

    def check_against(self, catalog: Catalog, _limits: Mapping[str, Any]) -> None:
        """Only what puts power on the rack is switched off by this step."""
        _switches(catalog, self.outlets)


@step("power_off", version=1)
async def power_off(ctx: StepContext, p: PowerOff) -> None:
    """Switch outlets off together, confirmed."""
    await ctx.act(p.outlets, "off", p.confirm_within)
