"""Settings: one value, or a ramp to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from harness.api import (
    Acting,
    BadValueError,
    Catalog,
    ControlPoint,
    ControlRef,
    Duration,
    DurationOrZero,
    LocatedError,
    QuantityField,
    StepContext,
    StrictText,
    parse_quantity,
    resolve_setting,
    step,
)


def possible(control: ControlPoint, to: str | float, *key: str | int) -> None:
    """LocatedError at `key` when the control does not take the value."""
    try:
        resolve_setting(control, to)
    except ValueError as error:
        raise LocatedError(str(error), *key) from None


class Set(Acting):
    """Parameters of `set`."""

    control: ControlRef
    to: StrictText | float
    """A word of the control (`on`, `auto_flow`), or a quantity with its unit."""
    confirm_within: Duration | None = None

    @property
    def switches_off(self) -> bool:
        """Where the word is `off`."""
        return self.to == "off"

    def leaves(self, _catalog: Catalog) -> Mapping[str, str]:
        """The value."""
        return {self.control: str(self.to)}

    def check_against(self, catalog: Catalog, _limits: Mapping[str, Any]) -> None:
        """The value must be one that the control takes."""
        for _, control in catalog.find_controls(self.control)[:1]:
            possible(control, self.to, "to")


@step("set", version=1)
async def set_(ctx: StepContext, p: Set) -> None:
    """Set a control, or a bank of them, and see it confirmed."""
    await ctx.act(p.control, p.to, p.confirm_within)


class Ramp(Acting):
    """Parameters of `ramp`."""

    control: ControlRef
    from_: Annotated[QuantityField | None, Field(alias="from")] = None
    """Where the ramp begins; default: the present value of the signal that confirms the control."""
    to: QuantityField
    over: Duration
    """How long the whole ramp takes."""
    steps: Annotated[int, Field(ge=1, le=1000)] = 10
    dwell: DurationOrZero = 0.0
    """Extra time at each level."""

    def planned_seconds(self, _catalog: Catalog) -> float:
        """The ramp and its dwells."""
        return self.over + self.steps * self.dwell

    def leaves(self, _catalog: Catalog) -> Mapping[str, str]:
        """The end of the ramp."""
        return {self.control: str(self.to)}

    def check_against(self, catalog: Catalog, _limits: Mapping[str, Any]) -> None:
        """Both ends must be values that the control takes."""
        for _, control in catalog.find_controls(self.control)[:1]:
            for key, end in (("to", self.to), ("from", self.from_)):
                if end is not None:
                    possible(control, str(end), key)
            if self.from_ is None and not control.confirm_by:
                raise ValueError(f"{self.control} has no signal that confirms it; give `from:`")


@step("ramp", version=1)
async def ramp(ctx: StepContext, p: Ramp) -> None:
    """Walk a control from where it is to a value in equal steps."""
    device, control = ctx.controls(p.control)[0]
    unit = control.spec.unit
    if p.from_ is not None:
        start = p.from_.to(unit)
    else:
        reading = ctx.observe(f"{device}.{control.confirm_by}")
        if not reading.is_good:
            raise BadValueError(f"cannot begin a ramp: {reading.signal} is {reading}", device=device)
        start = reading.value
    end = parse_quantity(str(p.to)).to(unit)
    for k in range(1, p.steps + 1):
        level = start + (end - start) * k / p.steps
        await ctx.act(p.control, f"{level:.10g} {unit}".strip())
        ctx.progress(k / p.steps, f"{level:.4g} {unit}")
        await ctx.sleep(p.over / p.steps + p.dwell)
