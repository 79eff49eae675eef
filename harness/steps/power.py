"""Power: outlets on one after the other, and off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from harness.api import Acting, Catalog, ControlRef, Duration, DurationOrZero, LocatedError, StepContext, step

Outlets = ControlRef | Annotated[tuple[ControlRef, ...], Field(min_length=1)]


def listed(outlets: Outlets) -> tuple[str, ...]:
    """The references of outlets, also where there is one only."""
    return (outlets,) if isinstance(outlets, str) else outlets


def check_switches(catalog: Catalog, references: Outlets, key: str = "outlets") -> None:
    """LocatedError at `key` for a control that puts no power on the rack."""
    for reference in listed(references):
        if any(not control.spec.energises for _, control in catalog.find_controls(reference)):
            raise LocatedError(f"{reference} puts no power on the rack; use the step set", key)


class PowerOn(Acting):
    """Parameters of `power_on`."""

    outlets: Outlets
    """What puts power on the rack: one, a bank, rows of it (`pdu.outlet[1-4,8]`), or a list of these."""
    stagger: DurationOrZero = 2.0
    """Pause between two outlets, so that inrush currents do not add up."""
    confirm_within: Duration = 10.0

    def planned_seconds(self, catalog: Catalog) -> float:
        """The pauses between the outlets."""
        return self.stagger * sum(len(catalog.find_controls(each)) for each in listed(self.outlets))

    def leaves(self, _catalog: Catalog) -> Mapping[str, str]:
        """On."""
        return dict.fromkeys(listed(self.outlets), "on")

    def check_against(self, catalog: Catalog, _limits: Mapping[str, Any]) -> None:
        """Only what puts power on the rack is switched on by this step."""
        check_switches(catalog, self.outlets)


@step("power_on", version=1)
async def power_on(ctx: StepContext, p: PowerOn) -> None:
    """Switch outlets on, one after the other, each confirmed before the next."""
    found = [f"{device}.{control.name}" for each in listed(p.outlets) for device, control in ctx.controls(each)]
    controls = list(dict.fromkeys(found))
    for done, name in enumerate(controls):
        if done:
            await ctx.sleep(p.stagger)
        await ctx.act(name, "on", p.confirm_within)
        ctx.progress((done + 1) / len(controls), f"{done + 1} of {len(controls)} on")


class PowerOff(Acting):
    """Parameters of `power_off`."""

    outlets: Outlets
    """One, a bank, rows of it, or a list of these."""
    confirm_within: Duration = 10.0

    @property
    def switches_off(self) -> bool:
        """All that it does."""
        return True

    def leaves(self, _catalog: Catalog) -> Mapping[str, str]:
        """Off."""
        return dict.fromkeys(listed(self.outlets), "off")

    def check_against(self, catalog: Catalog, _limits: Mapping[str, Any]) -> None:
        """Only what puts power on the rack is switched off by this step."""
        check_switches(catalog, self.outlets)


@step("power_off", version=1)
async def power_off(ctx: StepContext, p: PowerOff) -> None:
    """Switch outlets off together, confirmed."""
    await ctx.act(listed(p.outlets), "off", p.confirm_within)
