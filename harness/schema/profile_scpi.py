"""Profiles of instruments that speak SCPI: queries, parsers, setters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.schema.fields import Model, StrictText
from harness.schema.profile_base import Control, ProfileBase, Signal


class ScpiSignal(Signal):
    """A quantity that a query answers. Signals with the same query share one request."""

    query: StrictText
    parse: Literal["number", "list", "word", "text", "field"] = "number"
    """number: the whole answer; list: one number of a comma-separated answer; word: one of `answers`; text: the whole
    answer as it is; field: one text of a comma-separated answer."""
    index: Annotated[int, Field(ge=0, le=999)] = 0
    """Which element of a comma-separated answer, counted from 0."""
    stride: Annotated[int, Field(ge=0, le=99)] = 0
    """In a repetition: elements from one repetition to the next, so that all share one query."""
    answers: dict[str, str] = Field(default_factory=dict)
    """word: the text the instrument answers for it (for parse: word)."""
    suffix: str = ""
    """Unit that the instrument writes behind the number (`12.50 V`); an answer without it is no measurement."""

    @property
    def is_text(self) -> bool:
        """Whether the signal is a text instead of a number."""
        return self.parse in ("text", "field")


class ScpiControl(Control):
    """A quantity that a command sets; `{value}` stands for the number, `commands` map words to whole commands."""

    set: str = ""
    texts: dict[str, str] = Field(default_factory=dict)
    """word: the whole command."""

    @model_validator(mode="after")
    def _has_target(self) -> ScpiControl:
        if bool(self.set) == bool(self.texts):
            raise ValueError("give set (with {value}), or texts with one command a word")
        if self.set and "{value}" not in self.set:
            raise ValueError("set needs {value} where the number goes")
        return self


class ScpiRepeat(Model):
    """Channels of an instrument; {i} is the channel number."""

    count: Annotated[int, Field(ge=1, le=512)]
    first: int = 1
    signals: dict[str, ScpiSignal] = Field(default_factory=dict)
    controls: dict[str, ScpiControl] = Field(default_factory=dict)
    control: ScpiControl | None = None


class ScpiOptions(Model):
    """How the instrument wants to be talked to."""

    at_open: tuple[str, ...] = ("*CLS",)
    """Sent at every open, and again after a loss. A configuration that is refused here fails the open."""
    error_query: str = "SYST:ERR?"
    """'': the instrument has no error queue; then only the read-back tells that a setting was refused."""


class ScpiProfile(ProfileBase):
    """An instrument that speaks SCPI over VISA."""

    protocol: Literal["scpi"]
    scpi: ScpiOptions = ScpiOptions()
    signals: dict[str, ScpiSignal] = Field(default_factory=dict)
    controls: dict[str, ScpiControl] = Field(default_factory=dict)
    repeat: dict[str, ScpiRepeat] = Field(default_factory=dict)
