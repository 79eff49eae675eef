"""What tells a live value from a frozen one: its noise, what it must move with, and what stamps its measurements."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from harness.quantity import Quantity
from harness.schema.conditions import Bounds
from harness.schema.fields import Duration, Model, Percent, QuantityField, SignalRef, StrictText


class Noise(Model):
    """How much live readings of a steady quantity scatter at least (one standard deviation).

    A value that was seen to move, and then repeats itself so often that noise allows it less than once in 10^9 times,
    is STALE. It is judged only where noise is at least the resolution: a thermometer that stands still within its
    resolution is GOOD, and so is a meter that shows 0.
    """

    absolute: Annotated[float, Field(ge=0)] = 0.0
    """In the unit of the signal."""
    relative: Percent = 0.0
    """Of the reading."""
    resolution: Annotated[float, Field(ge=0)] = 0.0
    """The smallest step that the device shows, in the unit of the signal. Default: one raw step."""
    source: StrictText
    """Who says so: a datasheet, a measurement on the unit. Too much noise claimed calls live values frozen."""

    @model_validator(mode="after")
    def _is_some(self) -> Noise:
        if self.absolute <= 0.0 and self.relative <= 0.0:
            raise ValueError("give absolute or relative noise: how much live readings scatter")
        return self

    @field_validator("relative")
    @classmethod
    def _is_share(cls, value: float) -> float:
        if not 0.0 <= value <= 100.0:
            raise ValueError(f"{value:g} % is no share of a reading; 0 % to 100 %")
        return value


class _Movement(Model):
    """How far something has to move, and how soon what moves with it must have moved too."""

    by: QuantityField
    """Standing still counts while the other signal is this far from where it was when this one had moved last."""
    within: Duration
    """So long it may stay there before this signal, still without any change, is STALE; and so long this signal may
    lag behind the other."""

    @field_validator("by")
    @classmethod
    def _is_positive(cls, value: Quantity) -> Quantity:
        if value.value <= 0:
            raise ValueError(f"{value} is not more than nothing")
        return value


class Mover(_Movement):
    """A signal of the same device that moves this one."""

    signal: StrictText
    """Its name, or a column of a repetition (`pump.rpm`), each row of which moves this signal."""


class MovesWhile(Bounds):
    """What must hold for a signal to move with another; while it cannot be known, it does not."""

    signal: SignalRef


class StationMover(_Movement):
    """A signal of any device that moves this one: the load that warms it, a second sensor of the same thing."""

    signal: SignalRef
    while_: Annotated[MovesWhile | None, Field(alias="while")] = None
    """Only while this holds: load warms the coolant while there is flow."""


class Stamp(Model):
    """A signal that the device changes with every new measurement: a counter of samples, a time stamp."""

    signal: StrictText
    """Its name, or that of a column of the same row."""
    within: Duration
    """When it has stood still for so long, the value is STALE."""
