"""expected.yaml: what the harness must make of what the device answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.schema.fields import Model, StrictText, Title

Word = Literal["nan", "sentinel", "range", "refused", "missing", "timeout", "violation", "decode"]
"""Why a value is none: a quality of docs/reference, without its BAD."""


class Expected(Model):
    """What comes out of a case."""

    what: Title
    """What went wrong, or what the device said, in one line."""
    source: Title
    """Who says that it must be so: a manual, a MIB, a public map, the display of the device. Not the profile."""
    counts: dict[str, Annotated[int, Field(ge=0, le=512)]] = Field(default_factory=dict)
    """As in a station file."""
    parameters: dict[str, int] = Field(default_factory=dict)
    """As in a station file."""
    identity: dict[Literal["model", "serial", "firmware"], StrictText] = Field(default_factory=dict)
    """What the device is known as, once it is let in."""
    reads: dict[str, StrictText | int | float] = Field(default_factory=dict)
    """Signal: value with its unit (`1.25 kW`), a number where it has no unit, its word, its flags or its text."""
    bad: dict[str, Word] = Field(default_factory=dict)
    """Signal: why it has no value."""
    absent: tuple[StrictText, ...] = ()
    """Signals of the profile that this device does not have."""
    refused: StrictText = ""
    """A part of what the refusal says, when this is no device of the profile."""

    @model_validator(mode="after")
    def _says_something(self) -> Expected:
        found = bool(self.identity or self.reads or self.bad or self.absent)
        if found == bool(self.refused):
            raise ValueError("give what comes out (identity, reads, bad, absent), or `refused` when nothing may")
        sections = {"reads": self.reads, "bad": self.bad, "absent": self.absent}
        for one, other in (("reads", "bad"), ("reads", "absent"), ("bad", "absent")):
            if twice := sorted(set(sections[one]) & set(sections[other])):
                raise ValueError(f"{twice[0]} stands under {one} and {other}")
        return self
