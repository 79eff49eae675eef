"""Conditions are data: a signal and what it must be. There is no expression language."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from harness.quantity import Quantity, difference_unit
from harness.schema.fields import DurationOrZero, Model, QuantityField, SignalRef, StrictText


class Bounds(Model):
    """A band (min, max), or words that an enumerated signal must show."""

    needs_bounds: ClassVar[bool] = True

    min: QuantityField | None = None
    max: QuantityField | None = None
    equals: StrictText | None = None
    one_of: tuple[StrictText, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Bounds:
        band = self.min is not None or self.max is not None
        words = self.equals is not None or bool(self.one_of)
        if not band and not words and type(self).needs_bounds:
            raise ValueError("give min and/or max with a unit, or equals / one_of with a word")
        if band and words:
            raise ValueError("give either a band (min, max) or words (equals, one_of), not both")
        if self.min is not None and self.max is not None and self.min.to(self.max.unit) >= self.max.value:
            raise ValueError(f"min {self.min} is not below max {self.max}: nothing could pass")
        return self

    @property
    def words(self) -> tuple[str, ...]:
        """The allowed words, () for a band."""
        return (self.equals,) if self.equals is not None else self.one_of

    def band(self, unit: str) -> tuple[float, float]:
        """(low, high) in `unit`; infinities where open."""
        low = self.min.to(unit) if self.min is not None else float("-inf")
        high = self.max.to(unit) if self.max is not None else float("inf")
        return low, high

    def quantities(self) -> list[tuple[str, Quantity]]:
        """The bounds that are numbers, by key."""
        return [(key, q) for key, q in (("min", self.min), ("max", self.max)) if q is not None]


class Condition(Bounds):
    """A signal, what it must be, and for how long."""

    signal: SignalRef
    for_: Annotated[DurationOrZero, Field(alias="for")] = 0.0
    """Debounce: the condition must have held (or failed) this long to count."""


class Watch(Condition):
    """A limit that is watched while a step runs: failing for longer than `for` fails the step."""

    name: str = ""
    on_fail: Literal["continue", "stop"] = "stop"
    """stop: the step ends at once, and what follows is not carried out. continue: it goes on, and FAILs at its end.
    Also what it means when the watch is INCONCLUSIVE before power or load."""


class Limit(Bounds):
    """A named limit of a limit set, with where it comes from."""

    uncertainty: QuantityField | None = None
    """Guard band: a value passes only when it is inside by more than this."""
    provenance: StrictText
    """Who says so: the customer's specification, a standard, a datasheet, and how well it is known."""
    on_fail: Literal["continue", "stop"] = "stop"
    """What a FAIL means for the steps after it, and INCONCLUSIVE before power or load; a step's own `on_fail` counts
    before it. In set-up it always stops."""
    description: str = ""

    @model_validator(mode="after")
    def _can_be_met(self) -> Limit:
        if self.uncertainty is None:
            return self
        if self.uncertainty.value < 0:
            raise ValueError(f"uncertainty {self.uncertainty} is below zero")
        if self.min is not None and self.max is not None:
            guard = self.uncertainty.to(difference_unit(self.max.unit))
            if self.min.to(self.max.unit) + guard > self.max.value - guard:
                raise ValueError(f"uncertainty {self.uncertainty} leaves nothing of {self.min} to {self.max}")
        return self


class LimitSet(Model):
    """A versioned file of limits, apart from plans."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    limit_set: StrictText
    version: StrictText
    title: str = ""
    extends: str = ""
    """Another limit set, from the folder of this one, whose limits hold here too unless they are given again."""
    limits: dict[str, Limit]
