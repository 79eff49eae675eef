"""Profiles of strips: what each signal and outlet is called on the wire."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.device.protocol import Template
from harness.schema.fields import StrictText
from harness.schema.profile import Control, Profile, Repeat, Signal


class ToySignal(Signal):
    """What `GET` reads."""

    name: StrictText
    """Its name on the wire; `{i}` is the number of the row."""
    type: Literal["number", "text"] = "number"
    answers: dict[str, str] = Field(default_factory=dict)
    """word: what the strip says for it."""

    @property
    def is_text(self) -> bool:
        """Whether it is a text."""
        return self.type == "text"

    @property
    def shows_words(self) -> bool:
        """Whether its numbers stand for words."""
        return bool(self.answers)

    def words(self) -> dict[float, str]:
        """Code -> word: the codes are the places of the words."""
        return {float(code): word for code, word in enumerate(self.answers)}


class ToyControl(Control):
    """What `SET` writes: a word."""

    name: StrictText
    texts: dict[str, str] = Field(default_factory=dict)
    """word: what is sent for it."""

    @property
    def takes(self) -> tuple[str, ...]:
        """The words that it may be set to."""
        return tuple(self.texts)


class ToyRepeat(Repeat):
    """Outlets and phases."""

    signals: dict[str, ToySignal] = Field(default_factory=dict)
    controls: dict[str, ToyControl] = Field(default_factory=dict)
    control: ToyControl | None = None


class ToyProfile(Profile):
    """A strip."""

    protocol: Literal["toy"]
    signals: dict[str, ToySignal] = Field(default_factory=dict)
    controls: dict[str, ToyControl] = Field(default_factory=dict)
    repeat: dict[str, ToyRepeat] = Field(default_factory=dict)


TEMPLATE = Template(
    body="""\
signals:
  model: {name: model, type: text, poll: once, sim: {text: <Model> 1}}
  serial: {name: serial, type: text, poll: once, sim: twin.serial}
MEASURED
    name: measured
SCALED
""",
    address="toy+tcp://HOST:4000",
    sentinel="[-1]",
)
