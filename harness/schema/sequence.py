"""What stands in a list of steps: a step, or one of the constructs that hold steps of their own.

```
 step      one step                            group     steps with a name before theirs
 repeat    the same steps several times        sweep     the same steps for each value of a list
 parallel  each entry beside the others        include   the steps of another file, with its parameters
```
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, WithJsonSchema, model_validator

from harness.quantity import UNITS, canonical
from harness.schema.conditions import Condition
from harness.schema.fields import DurationOrZero, LocatedError, Model, Name, StrictText

MAX_STEPS = 2000
"""The most steps that a plan may come to, with every pass and every value counted."""
MAX_DEPTH = 8
"""How deep constructs may stand in each other."""
Judged = Literal["PASS", "FAIL", "INCONCLUSIVE", "SKIPPED", "LEFT OUT"]


class Earlier(Model):
    """What an earlier step, or all of a group of them, came to."""

    step: StrictText
    """Its name; inside groups the names around it come first, `coolant / flow curve`, unless it stands beside."""
    verdict: Judged | Annotated[tuple[Judged, ...], Field(min_length=1)]
    """This one, or one of these. Of a group: its worst."""

    @property
    def verdicts(self) -> tuple[str, ...]:
        """All of them."""
        return (self.verdict,) if isinstance(self.verdict, str) else self.verdict


class OfParameter(Model):
    """What a parameter of the plan (or of the included sequence) is."""

    parameter: Name
    equals: Any = None
    one_of: tuple[Any, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> OfParameter:
        if (self.equals is None) == (not self.one_of):
            raise ValueError("give either equals with a value, or one_of with several")
        return self

    def holds(self, value: Any) -> bool:
        """Whether the parameter has one of the values; `60 s` is `1 min`."""
        return any(_is_same(value, each) for each in (self.one_of or (self.equals,)))


def _is_same(one: Any, other: Any) -> bool:
    if type(one) is type(other) and one == other:
        return True
    try:
        return canonical(one) == canonical(other)
    except ValueError:
        return False


class Conditional(Model):
    """What may be left out."""

    when: Earlier | OfParameter | tuple[Earlier | OfParameter, ...] = ()
    """All of it must hold, else the step (or all that the construct holds) is left out, which the record says."""

    @property
    def conditions(self) -> tuple[Earlier | OfParameter, ...]:
        """All of it."""
        return self.when if isinstance(self.when, tuple) else (self.when,)


class Retry(Model):
    """A step is done again by itself. No attempt is hidden: all stand in the record, and the verdict says it."""

    times: Annotated[int, Field(ge=1, le=9)]
    """How often again, at most."""
    wait: DurationOrZero = 0.0
    """How long before each."""
    on: Annotated[tuple[Literal["FAIL", "INCONCLUSIVE"], ...], Field(min_length=1)] = ("FAIL", "INCONCLUSIVE")
    """After which outcome. An attempt that FAILed and was done again counts as far as the last one does."""


Attempts = Annotated[int, Field(ge=1, le=10)]


class StepEntry(Conditional):
    """What every step has; its own parameters stand beside these keys."""

    model_config = ConfigDict(extra="allow")

    step: StrictText
    name: str = ""
    attempts: Attempts | None = None
    """How often this step may be done before its FAIL counts; default: what the plan says."""
    on_fail: Literal["continue", "stop"] | None = None
    """What it means for the steps after it when this one FAILs, or is INCONCLUSIVE before power or load. Default: what
    every limit of it says that did not pass, else stop. In set-up it always stops."""
    retry: Retry | None = None

    @property
    def title(self) -> str:
        """The name shown and recorded."""
        return self.name or self.step.replace("_", " ")

    @property
    def allowed(self) -> int | None:
        """How many attempts the step itself allows before its FAIL counts."""
        again = 1 + self.retry.times if self.retry is not None and "FAIL" in self.retry.on else None
        return max(self.attempts or 1, again) if again is not None else self.attempts


COMMON = tuple(StepEntry.model_fields)
"""The keys of every step."""


class Entries(Conditional):
    """A construct with steps of its own."""

    steps: Annotated[tuple[Any, ...], Field(min_length=1), WithJsonSchema({"type": "array"})]
    """Steps and constructs, as in the plan."""


class GroupEntry(Entries):
    """Steps that belong together: their names are shown after the group's."""

    group: StrictText
    """Its name."""


class RepeatUntil(Model):
    """Passes until something is so."""

    at_most: Annotated[int, Field(ge=1, le=1000)]
    until: Condition | Earlier
    """Looked at after each pass. A signal that is not so after the last pass is a FAIL; a verdict that never came is
    told by its step."""


class RepeatEntry(Entries):
    """The same steps several times. Each pass stands in the record by its number."""

    repeat: Annotated[int, Field(ge=1, le=1000)] | RepeatUntil
    name: str = ""


class SweepEntry(Entries):
    """The same steps for each value: `${name}` in them is the value. The values stand in the names of the steps."""

    sweep: Annotated[dict[Name, tuple[Any, ...]], Field(min_length=1)]
    """Name -> values. Several names go together, row by row; for each with each put one sweep into another."""
    name: str = ""

    @model_validator(mode="after")
    def _rows(self) -> SweepEntry:
        lengths = {name: len(values) for name, values in self.sweep.items()}
        for name, length in lengths.items():
            if not length:
                raise LocatedError("a sweep needs at least one value", "sweep", name)
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{name} has {length}" for name, length in lengths.items())
            raise LocatedError(f"names that go together need as many values: {said}", "sweep")
        return self


class ParallelEntry(Entries):
    """Its entries are carried out beside each other; what follows waits for all of them.

    A FAIL in one lets the steps of the others end that have begun; no other ones begin, and nothing is energised any
    more. What puts power on the rack is refused beside what may FAIL, and so are two entries that set one control.
    """

    parallel: StrictText
    """Its name."""


class IncludeEntry(Conditional):
    """The steps of a sequence file. It sees its own parameters only, given by `with`."""

    model_config = ConfigDict(populate_by_name=True)

    include: StrictText
    """The file, from the folder of the file that includes it; not outside the plan's folder."""
    with_: Annotated[dict[Name, Any], Field(alias="with")] = Field(default_factory=dict)
    name: str = ""
    """What stands before the names of its steps; default: the title of the sequence, and without one nothing."""


CONSTRUCTS: dict[str, type[Conditional]] = {
    "group": GroupEntry,
    "repeat": RepeatEntry,
    "sweep": SweepEntry,
    "parallel": ParallelEntry,
    "include": IncludeEntry,
}
KINDS = ("step", *CONSTRUCTS)


class Entry(Model):
    """One entry of a list of steps: `step`, `group`, `repeat`, `sweep`, `parallel` or `include` says which."""

    model_config = ConfigDict(extra="allow")

    @model_validator(mode="after")
    def _is_one(self) -> Entry:
        given = [kind for kind in KINDS if kind in (self.model_extra or {})]
        if len(given) != 1:
            wrong = f"this is {' and '.join(given)} at once" if given else "this is no step"
            raise ValueError(f"{wrong}; an entry has one of {', '.join(KINDS)}")
        return self


_TYPES = sorted({unit.kind for unit in UNITS.values()} | {"text", "whole number", "list"})


class SequenceParameter(Model):
    """A parameter of a sequence: what kind of value it takes, and its value where none is given."""

    type: StrictText = ""
    """`flow`, `temperature`, `time`, `number`, `text` ...; default: what the default is."""
    default: Any = None
    """Without one, whoever includes the sequence must give a value."""
    description: str = ""

    @model_validator(mode="after")
    def _is_known(self) -> SequenceParameter:
        if self.type and self.type not in _TYPES:
            raise LocatedError(f"{self.type!r} is no type; one of {', '.join(_TYPES)}", "type")
        if not self.type and self.default is None:
            raise ValueError("give a type, or a default")
        if self.type and self.default is not None and (why := self.why_not(self.default)):
            raise LocatedError(why, "default")
        return self

    def why_not(self, value: Any) -> str:
        """Why a value is none that this parameter takes; '' when it is one."""
        wanted, found = self.type or type_of(self.default), type_of(value)
        fits = found == wanted or (wanted, found) == ("number", "whole number")
        return "" if fits else f"{value!r} is {found}, {wanted} is needed"


def type_of(value: Any) -> str:
    """The type of a value in a file, as `SequenceParameter.type` names it."""
    if isinstance(value, bool) or value is None:
        return "true or false" if value is not None else "nothing"
    if isinstance(value, list | tuple):
        return "list"
    if isinstance(value, int):
        return "whole number"
    try:
        return canonical(value)[0]
    except (ValueError, TypeError, AssertionError):
        return "text" if isinstance(value, str) else "mapping"


class SequenceFile(Model):
    """A file of steps that plans include."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    sequence: StrictText
    title: str = ""
    """What stands before the names of its steps where the entry that includes it has no name."""
    parameters: dict[Name, SequenceParameter] = Field(default_factory=dict)
    steps: Annotated[tuple[Entry, ...], Field(min_length=1)]
