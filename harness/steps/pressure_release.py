"""Letting the pressure out, by the valves that the plan names, and seeing that it is gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from harness.api import (
    Accused,
    Bounds,
    Catalog,
    ControlRef,
    Duration,
    LocatedError,
    Model,
    Params,
    QuantityField,
    SignalRef,
    StepContext,
    StepFailedError,
    StrictText,
    convert,
    step,
)
from harness.steps.measuring import check_limit
from harness.steps.setting import possible


class Valve(Model):
    """A control and what it is set to."""

    control: ControlRef
    to: StrictText


class PressureRelease(Params):
    """Parameters of `pressure_release`."""

    accuses: ClassVar[Accused] = Accused.STATION
    valves: Annotated[tuple[Valve, ...], Field(min_length=1, max_length=20)]
    """What is set, in this order: the supply shut, then the way out opened."""
    pressure: SignalRef
    below: QuantityField
    """What counts as released, in the unit of the signal (absolute or gauge)."""
    within: Duration
    room: SignalRef | None = None
    """The pressure of the room, where `pressure` is absolute: once released, both transducers must show the same."""
    room_within: QuantityField | None = None
    """How far they may be apart."""

    @property
    def measures(self) -> tuple[str, ...]:
        """The pressure."""
        return (self.pressure,)

    def planned_seconds(self, _catalog: Catalog) -> float:
        """At most as long as it may take."""
        return self.within

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """Valves must take their words and put no power on anything; the pressure must be able to tell."""
        for index, valve in enumerate(self.valves):
            for _, control in catalog.find_controls(valve.control):
                if control.spec.energises:
                    raise LocatedError(f"{valve.control} puts power on the rack", "valves", index, "control")
                try:
                    possible(control, valve.to)
                except LocatedError as error:
                    raise LocatedError(str(error), "valves", index, "to") from None
        if (self.room is None) != (self.room_within is None):
            raise LocatedError("room and room_within belong together", "room")
        if self.room is not None and self.room_within is not None and self.room in catalog.signals:
            unit = catalog.signals[self.room].unit
            if self.pressure in catalog.signals and catalog.signals[self.pressure].unit != unit:
                raise LocatedError(f"{self.room} is in another unit than {self.pressure}", "room")
            try:
                convert(self.room_within.value, self.room_within.unit, unit)
            except ValueError as error:
                raise LocatedError(str(error), "room_within") from None
        if self.pressure in catalog.signals:
            check_limit(Bounds(max=self.below), limits, catalog.signals[self.pressure], "below")


@step("pressure_release", version=1)
async def pressure_release(ctx: StepContext, p: PressureRelease) -> None:
    """Set the valves and wait until the pressure is out; ERROR of the station when it is not in time."""
    for valve in p.valves:
        await ctx.act(valve.control, valve.to)
    limit = ctx.resolve(Bounds(max=p.below), p.pressure)
    apart = None
    began = ctx.clock.monotonic()
    while (now := ctx.clock.monotonic()) < began + p.within:
        reading = ctx.observe(p.pressure)
        is_out = reading.is_good and limit.check.holds(reading.value, reading.quality)
        if is_out and p.room is not None and p.room_within is not None:
            room = ctx.observe(p.room)
            apart = abs(reading.value - room.value) if room.is_good else None
            is_out = apart is not None and apart <= p.room_within.to(ctx.info(p.room).unit)
        if is_out:
            ctx.tell(f"released after {now - began:.0f} s" + (f", {apart:.2g} kPa from the room" if apart else ""))
            ctx.measure(f"{ctx.title}: pressure", p.pressure, reading.value, limit)
            return
        ctx.progress((now - began) / p.within, str(reading))
        await ctx.sleep(min(ctx.period(p.pressure), began + p.within - now))
    if p.room is not None:
        room = ctx.observe(p.room)
        raise StepFailedError(
            f"{p.pressure} is {ctx.observe(p.pressure)} after {p.within:g} s, {p.room} {room}: must be "
            f"{limit.check}, and {p.room_within} apart at most",
            hint="pressure is left, or one of the transducers is out: have them calibrated",
        )
    raise StepFailedError(
        f"{p.pressure} is {ctx.observe(p.pressure)} after {p.within:g} s, must be {limit.check}",
        hint="the rack still has pressure; release it by hand before anybody opens a coupling",
    )
