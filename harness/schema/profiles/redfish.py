"""The profile of a device with a Redfish service: properties of resources, read only."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from harness.schema.fields import Duration, Model, StrictText
from harness.schema.profile import Control, Profile, Repeat, Signal, once_each

_NONE: Mapping[str, Control] = MappingProxyType({})


class RedfishSignal(Signal):
    """A property of a Redfish resource. Signals of the same resource share one GET."""

    path: str = ""
    """The resource. `{name}` stands for what `find` found or for a parameter; in a repetition `{i}` is the path of the
    row's own resource, which is meant when `path` is left out."""
    pointer: str = ""
    """Where the value stands in the resource, as a JSON pointer (RFC 6901): `/FlowLitersPerMinute/Reading`."""
    type: Literal["number", "text"] = "number"
    """A number that the service writes as a text is no measurement."""
    answers: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    """word: the text or texts the service says for it (`true` and `false` for truth values). Any other text is BAD."""
    sum_of: str = ""
    """Instead of `pointer`: the sum over all rows of a repetition's column (`outlet.power`); BAD when one is."""
    max_of: str = ""
    """Instead of `pointer`: the greatest of all rows of a column. Of words, the one with the greatest raw value that
    `enum` names here; the smallest of those only when every row says it, else BAD."""
    optional: bool = False
    """The model may lack it; then it is left out instead of BAD."""
    states: tuple[StrictText, ...] | Literal["any"] = ("Enabled",)
    """Status.State of the resource, or of what the value stands in, while the value counts; in any other it is BAD
    (missing). A text, and what stands in a Status itself, counts always."""

    @model_validator(mode="after")
    def _has_one_source(self) -> RedfishSignal:
        if sum(map(bool, (self.pointer, self.sum_of, self.max_of))) != 1:
            raise ValueError("give exactly one of pointer, sum_of, max_of")
        if self.pointer and not self.pointer.startswith("/"):
            raise ValueError("a pointer begins with /")
        if not self.pointer and (self.path or self.answers or self.type == "text" or self.scale != 1.0 or self.offset):
            raise ValueError("a sum or maximum takes path, answers and scale from its column: give none here")
        if self.answers and (self.type == "text" or (self.enum and set(self.enum) != set(self.answers))):
            raise ValueError("with answers, enum gives numbers to the very same words, and type stays number")
        if self.enum and self.pointer and not self.answers:
            raise ValueError("a service answers with texts: give answers, not enum")
        once_each("answers", self.answers, "the answer")
        return self

    @property
    def is_text(self) -> bool:
        """Whether the signal is a text instead of a number."""
        return self.type == "text"

    @property
    def shows_words(self) -> bool:
        """Whether its numbers stand for words."""
        return bool(self.enum or self.flags or self.answers)

    def words(self) -> dict[float, str]:
        """Raw value -> word; without `enum` the words of `answers` are numbered from 0."""
        return super().words() or {float(n): word for n, word in enumerate(self.answers)}

    def codes(self) -> dict[str, float]:
        """Text of the service -> raw value."""
        numbers = {word: code for code, word in self.words().items()}
        table: dict[str, float] = {}
        for word, texts in self.answers.items():
            for text in texts if isinstance(texts, tuple) else (texts,):
                table[text] = numbers[word]
        return table


class RedfishFind(Model):
    """One member of a collection, so that no profile has to guess what a service calls it."""

    collection: StrictText
    """Path; may use `{name}` of what stands before it in `find`."""
    member: int | str = 1
    """Which member, counted from 1 in the service's order; or `{name}` of a parameter."""


class RedfishWhere(Model):
    """A rule for members of a collection: what one of their texts says. It is asked once, at open."""

    pointer: Annotated[StrictText, Field(pattern="^/")]
    """Where the text stands in the member, as a JSON pointer: `/ReadingType`."""
    one_of: Annotated[tuple[StrictText, ...], Field(min_length=1)]


class RedfishRepeat(Repeat):
    """The members of a collection: `pump[1].speed` ..."""

    walk: StrictText
    """Path of the collection, asked for at open. Rows are counted from 1 in the service's order."""
    where: RedfishWhere | None = None
    """Only members for which this holds (a collection of sensors of every kind)."""
    signals: dict[str, RedfishSignal] = Field(default_factory=dict)
    sim_rows: Annotated[int, Field(ge=0, le=512)] = 0
    """Rows that the simulated twin has; 0: as many as the plant."""

    controls: ClassVar[Mapping[str, Control]] = _NONE  # type: ignore[misc]
    control: ClassVar[Control | None] = None  # type: ignore[misc]


class RedfishOptions(Model):
    """How the resources of the device are found."""

    find: dict[str, RedfishFind] = Field(default_factory=dict)
    """name: a member of a collection; `{name}` in paths is its path."""


class RedfishProfile(Profile):
    """A device with a Redfish service. It is read, never written: there are no controls."""

    is_read_only: ClassVar[bool] = True
    protocol: Literal["redfish"]
    timeout: Duration = 2.0
    redfish: RedfishOptions = RedfishOptions()
    signals: dict[str, RedfishSignal] = Field(default_factory=dict)
    repeat: dict[str, RedfishRepeat] = Field(default_factory=dict)

    controls: ClassVar[Mapping[str, Control]] = _NONE  # type: ignore[misc]

    @model_validator(mode="after")
    def _rows_exist(self) -> RedfishProfile:
        for name, spec in self.signals.items():
            if spec.pointer and not spec.path:
                raise ValueError(f"{name} needs a path")
            group, _, column = (spec.sum_of or spec.max_of).partition(".")
            if group and (group not in self.repeat or column not in self.repeat[group].signals):
                raise ValueError(f"{name}: {spec.sum_of or spec.max_of!r} is no column of a repetition here")
            if group and not self.repeat[group].signals[column].pointer:
                raise ValueError(f"{name}: {spec.sum_of or spec.max_of!r} is a sum itself")
            if group and self.repeat[group].signals[column].unit != spec.unit:
                raise ValueError(f"{name}: {spec.sum_of or spec.max_of!r} is in another unit")
        return self
