"""Profiles of instruments that speak SCPI: queries, parsers, setters."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from harness.schema.fields import Model, StrictText
from harness.schema.profile import Control, Idle, Profile, Repeat, Signal, once_each

_LONGEST = 200


def _spoken(text: str) -> str:
    if len(text) > _LONGEST or not text.isascii() or not text.replace("\0", " ").replace("\r\n", " ").isprintable():
        raise ValueError(f"an instrument says at most {_LONGEST} characters of ASCII here")
    return text


Spoken = Annotated[StrictText, AfterValidator(_spoken)]
"""What an instrument says besides its answers; in quotes, where it ends in a blank or holds `\\0` or `\\r\\n`."""


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

    @model_validator(mode="after")
    def _answers_differ(self) -> ScpiSignal:
        once_each("answers", self.answers, "the answer")
        return self

    @property
    def is_text(self) -> bool:
        """Whether the signal is a text instead of a number."""
        return self.parse in ("text", "field")

    @property
    def shows_words(self) -> bool:
        """Whether its numbers stand for words."""
        return bool(self.enum or self.flags or self.answers)

    def idle(self, *, is_row: bool) -> Idle:
        """Keys that the others leave nothing to do."""
        yield from super().idle(is_row=is_row)
        if self.parse not in ("list", "field"):
            yield ("index", "stride"), "the whole answer is taken (see parse)"
        elif not is_row:
            yield ("stride",), "nothing is repeated"
        if self.parse != "word":
            yield ("answers",), "they belong to parse: word"
        if self.parse not in ("number", "list"):
            yield ("suffix",), "it stands behind numbers"


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
        once_each("texts", self.texts, "the command")
        return self

    @property
    def takes(self) -> tuple[str, ...]:
        """The words that it may be set to; () where it takes a quantity."""
        return (*self.commands, *self.texts)

    def idle(self, *, is_row: bool) -> Idle:
        """Keys that the others leave nothing to do."""
        yield from super().idle(is_row=is_row)
        if self.texts:
            yield ("commands",), "its words are those of texts"


class ScpiRepeat(Repeat):
    """Channels of an instrument; {i} is the channel number."""

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
    greeting: tuple[Spoken, ...] | None = None
    """How the lines begin that the instrument says when it is connected to over a socket (`''`: an empty line), where
    `prompt` follows them; `[]`: only its prompt. Left out: it says nothing."""
    prompt: Spoken = ""
    """What the instrument writes behind every answer and every setting, such as `"M1> "`."""
    echo: bool = False
    """Whether the instrument says every line again that it is sent."""
    acknowledge: Spoken | None = None
    """The line that the instrument says to every setting, such as `OK`; `''`: an empty line. Left out: none.

    What is named here is awaited exactly, on sockets and serial lines; anything else that the instrument says unasked
    is refused, and the answer to the next question with it."""


class ScpiProfile(Profile):
    """An instrument that speaks SCPI over VISA."""

    protocol: Literal["scpi"]
    scpi: ScpiOptions = ScpiOptions()
    signals: dict[str, ScpiSignal] = Field(default_factory=dict)
    controls: dict[str, ScpiControl] = Field(default_factory=dict)
    repeat: dict[str, ScpiRepeat] = Field(default_factory=dict)

    @property
    def sent_at_open(self) -> tuple[str, ...]:
        """What a run sends the instrument when it opens it."""
        return self.scpi.at_open

    def without_configuration(self) -> Self:
        """The same profile, telling the instrument nothing when it is opened and clearing none of its errors."""
        return self.model_copy(update={"scpi": self.scpi.model_copy(update={"at_open": (), "error_query": ""})})
