"""The plan: an ordered list of steps with parameters.

The parameters of a step are checked against the model that the step itself declares; what all steps have in common, and
what holds steps of its own, stands in `sequence`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from harness.quantity import canonical
from harness.schema.fields import Coverage, LocatedError, Model, QuantityField, SignalRef, StrictText
from harness.schema.sequence import Attempts, Entry
from harness.schema.station import Bypass, Derived, Interlock


def _bound(value: Any) -> str | float:
    canonical(value)
    assert isinstance(value, str | int | float)
    return value


Bound = Annotated[
    str | float,
    PlainValidator(_bound),
    WithJsonSchema({"type": ["string", "number"], "examples": ["24 h", "100 %"]}),
]
"""A quantity or a duration as it is written in the file."""


class Parameter(Model):
    """A named value that the plan uses as `${name}`, and that `--set` may replace."""

    default: Any
    min: Bound | None = None
    """With less than this the run is an engineering run: it never has the certificate of this plan."""
    max: Bound | None = None
    """With more than this the run is an engineering run."""
    one_of: tuple[Any, ...] = ()
    """With another value the run is an engineering run; in the place of min and max."""
    description: str = ""

    @model_validator(mode="after")
    def _bounds_fit(self) -> Parameter:
        bounds = {key: bound for key in ("min", "max") if (bound := getattr(self, key)) is not None}
        if self.one_of and (bounds or self.default not in self.one_of):
            raise LocatedError("give either bounds, or the values that the default is one of", "one_of")
        for key, bound in bounds.items():
            try:
                kind, _ = canonical(self.default)
            except ValueError as error:
                raise LocatedError(f"the default has no bounds: {error}", "default") from None
            if canonical(bound)[0] != kind:
                raise LocatedError(f"{bound} is a {canonical(bound)[0]}, the default {self.default} a {kind}", key)
        if self.min is not None and self.max is not None and canonical(self.min)[1] > canonical(self.max)[1]:
            raise LocatedError(f"the bounds cross: {self.min} is more than {self.max}", "max")
        if bounds and (outside := self.outside(self.default)):
            raise LocatedError(f"the default is out of bounds: {outside}", "default")
        return self

    def outside(self, value: Any) -> str:
        """How a value is out of bounds, in words; '' when it is not. ValueError when they cannot be compared."""
        if self.one_of and value not in self.one_of:
            return f"{value}, one of {', '.join(map(str, self.one_of))} is needed"
        for bound, is_least in ((self.min, True), (self.max, False)):
            if bound is None:
                continue
            (kind, found), (needed, edge) = canonical(value), canonical(bound)
            if kind != needed:
                raise ValueError(f"{value} is a {kind}, a {needed} like {bound} is needed")
            if found < edge if is_least else found > edge:
                return f"{value}, {'at least' if is_least else 'at most'} {bound} is needed"
        return ""


class UnitUnderTest(Model):
    """What the forecast of energy and power knows of the rack."""

    power: QuantityField
    """What it draws at 100 % workload."""
    idle_power: QuantityField
    """What it draws when it is on, without workload."""


class Plan(Model):
    """What is done with a rack."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    plan: StrictText
    title: str = ""
    version: str = ""
    limits: str | tuple[str, ...] = ()
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    coverage: Coverage = 99.0
    """Share of the expected samples that must have arrived GOOD for a PASS, per device, %."""
    attempts: Attempts = 1
    """How often a step may be done before its FAIL counts. An operator asks for each attempt after the first, and an
    attempt that judged nothing (the station was at fault, data were missing) uses none up."""
    uut: UnitUnderTest | None = None
    """For `harness plan show`; nothing is judged by it."""
    derived: dict[SignalRef, Derived] = Field(default_factory=dict)
    interlocks: tuple[Interlock, ...] = ()
    bypass: tuple[Bypass, ...] = ()
    """Interlocks of the station or the plan that this plan leaves out for a while."""
    show: tuple[SignalRef, ...] = ()
    setup: tuple[Entry, ...] = ()
    steps: tuple[Entry, ...]
    cleanup: tuple[Entry, ...] = ()

    @model_validator(mode="after")
    def _has_steps(self) -> Plan:
        if not self.steps:
            raise LocatedError("a plan needs at least one step", "steps")
        return self
