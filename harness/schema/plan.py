"""The plan: an ordered list of steps with parameters.

The parameters of a step are checked against the model that the step itself declares; this module knows only what all
steps have in common.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from harness.schema.fields import Coverage, Model, SignalRef, StrictText
from harness.schema.station import Derived, Interlock


class Parameter(Model):
    """A named value that the plan uses as `${name}`, and that `--set` may replace."""

    default: Any
    description: str = ""


class StepEntry(Model):
    """What every step has; its own parameters stand beside these keys."""

    model_config = ConfigDict(extra="allow")

    step: StrictText
    name: str = ""
    on_fail: Literal["continue", "stop"] | None = None
    """What a FAIL of this step means for the steps after it. Default: what the failed limit says, else stop."""

    @property
    def title(self) -> str:
        """The name shown and recorded."""
        return self.name or self.step.replace("_", " ")


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
    derived: dict[SignalRef, Derived] = Field(default_factory=dict)
    interlocks: tuple[Interlock, ...] = ()
    show: tuple[SignalRef, ...] = ()
    setup: tuple[StepEntry, ...] = ()
    steps: tuple[StepEntry, ...]
    cleanup: tuple[StepEntry, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Plan:
        seen: set[str] = set()
        for entry in (*self.setup, *self.steps, *self.cleanup):
            if entry.name and entry.name in seen:
                raise ValueError(f"two steps bear the name {entry.name!r}; the record needs different names")
            seen.add(entry.name)
        if not self.steps:
            raise ValueError("a plan needs at least one step")
        return self

    @property
    def limit_files(self) -> tuple[str, ...]:
        """The limit sets, as named."""
        return (self.limits,) if isinstance(self.limits, str) and self.limits else tuple(self.limits or ())
