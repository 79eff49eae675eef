"""Outlet map: each outlet switched by itself, and found where it belongs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from harness.analysis.mapping import wrong_switches
from harness.api import (
    BadValueError,
    Bounds,
    Catalog,
    ControlRef,
    Duration,
    LocatedError,
    Params,
    QuantityField,
    SignalRef,
    StepContext,
    StepFailedError,
    step,
)
from harness.steps.power import check_switches
from harness.steps.sampling import check_unit, check_window, sampled

_NONE = Bounds.model_validate({"max": 0})


class OutletMap(Params):
    """Parameters of `outlet_map`."""

    outlets: ControlRef
    """A bank of controls that put power on the rack; all are off before and after."""
    seen_at: Annotated[tuple[SignalRef, ...], Field(min_length=1)]
    """Where each is seen, in their order: the input current of the shelf that hangs on it, or a column."""
    least: QuantityField
    """From this value on a place has power."""
    wait: Duration = 6.0
    """From the confirmed switching until it is looked at: shelves start, meters follow."""
    over: Duration = 4.0
    """How long it is looked at."""
    confirm_within: Duration = 10.0

    @property
    def measures(self) -> tuple[str, ...]:
        """Where the outlets are seen."""
        return self.seen_at

    def planned_seconds(self, catalog: Catalog) -> float:
        """One look at each outlet, and one before."""
        return (len(catalog.find_controls(self.outlets)) + 1) * (self.wait + self.over)

    def check_against(self, catalog: Catalog, _limits: Mapping[str, Any]) -> None:
        """As many places as outlets, all in one unit."""
        check_switches(catalog, self.outlets)
        controls = catalog.find_controls(self.outlets)
        places = [name for each in self.seen_at for name in catalog.find_signals(each)]
        if places and controls and len(places) != len(controls):
            raise LocatedError(f"{len(controls)} outlets are seen at {len(places)} places: give one each", "seen_at")
        check_unit(catalog, self.seen_at, self.seen_at[0], "seen_at")
        check_window(catalog, self.seen_at, self.over, "over")
        for name in places[:1]:
            try:
                self.least.to(catalog.signals[name].unit)
            except ValueError as error:
                raise LocatedError(str(error), "least") from None


@step("outlet_map", version=1)
async def outlet_map(ctx: StepContext, p: OutletMap) -> None:
    """Switch each outlet on by itself and see which place has power then; swapped, missing and shared cords are found.

    Everything must be dead before, and is off after. The value is the number of outlets that are not seen at their own
    place, and there alone; the limit is 0.
    """
    await ctx.act(p.outlets, "off", p.confirm_within)
    places = [name for each in p.seen_at for name in ctx.signals(each)]
    before = await _seen(ctx, p, places)
    if before:
        shown = ", ".join(places[k] for k in sorted(before))
        raise BadValueError(f"with all outlets off there is power at {shown}", operation="outlet_map")
    seen = []
    controls = ctx.controls(p.outlets)
    for done, (device, control) in enumerate(controls):
        ctx.progress(done / len(controls), control.name)
        outlet = f"{device}.{control.name}"
        async with ctx.provoking(partial(ctx.act, outlet, "off", p.confirm_within)):
            await ctx.act(outlet, "on", p.confirm_within)
            seen.append(await _seen(ctx, p, places))
    wrong = wrong_switches(seen)
    lines = [f"{controls[k][0]}.{controls[k][1].name} (for {places[k]}) {what}" for k, what in wrong.items()]
    for line in lines:
        ctx.tell(line)
    count = float(len(wrong))
    ctx.measure(f"{ctx.title}: wrong outlets", "", count, ctx.resolve_number(_NONE), samples=len(seen))
    if lines:
        raise StepFailedError("; ".join(lines[:3]) + (f" and {len(lines) - 3} more" if len(lines) > 3 else ""))


async def _seen(ctx: StepContext, p: OutletMap, places: list[str]) -> frozenset[int]:
    """Where there is power now."""
    await ctx.sleep(p.wait)
    windows = await sampled(ctx, places, p.over)
    unread = [name for name, window in windows.items() if not window.good]
    if unread:
        raise BadValueError(f"{', '.join(unread[:3])} gave no good sample", operation="outlet_map")
    least = p.least.to(ctx.info(places[0]).unit)
    return frozenset(k for k, name in enumerate(places) if windows[name].statistic("median") >= least)
