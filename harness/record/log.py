"""What happens in a run, reported once and heard by all: the journal, the record's list of events, and the screens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from harness.clock import Clock, iso
from harness.errors import TelemetryError
from harness.events import EventKind
from harness.in_words import shown
from harness.record.result import EventEntry
from harness.telemetry.journal import Journal
from harness.utf8 import utf8

_KEPT = 2000
"""Events that the record lists; the journal has all of them."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: when, what kind, in words, and its data."""

    wall_ns: int
    mono: float
    kind: EventKind
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)


Observer = Callable[[Event], None]


STEP: ContextVar[str] = ContextVar("STEP", default="")
"""Path of the step that the present task carries out."""


class RunLog:
    """Events of one run. Also where commands are noted (see `harness.device.actuate.Notes`)."""

    def __init__(self, clock: Clock, journal: Journal) -> None:
        self._clock = clock
        self.journal = journal
        self.observers: list[Observer] = []
        self.entries: list[EventEntry] = []
        self.left_out = 0
        self.commands = 0
        self._left_at: float | None = None

    def event(self, kind: EventKind, text: str, /, **data: Any) -> None:
        """Journal an event, keep it for the record, and tell the screens. One that fails is told nothing more."""
        text = utf8(text)
        event = Event(self._clock.wall_ns(), self._clock.monotonic(), kind, text, data)
        self.journal.add_event(kind, text=text, **data)
        if len(self.entries) < _KEPT:
            self.entries.append(EventEntry(at=iso(event.wall_ns), kind=str(kind), text=text))
        else:
            self.left_out += 1
        for observer in tuple(self.observers):
            try:
                observer(event)
            except BaseException as error:
                self.observers.remove(observer)
                self.event(EventKind.BUG, f"a screen failed and shows nothing more of this run: {shown(error)}")

    async def intent(self, device: str, commands: Mapping[str, str]) -> None:
        """Make the intent durable before anything is sent.

        A journal that failed must not keep a rack from being made safe: then the intent is only reported, and the run
        can no longer PASS.
        """
        self.commands += len(commands)
        shown = ", ".join(f"{control} {setting}" for control, setting in commands.items())
        text = f"{device}: {shown}"
        self.event(EventKind.INTENT, text, device=device, commands=dict(commands), path=STEP.get())
        with suppress(TelemetryError):  # said by the journal's own keeper
            await self.journal.commit()
        if self._left_at is None:
            self._left_at = self._clock.monotonic()

    def forget_commands(self) -> None:
        """Begin to look for a first command again."""
        self._left_at = None

    @property
    def first_command_at(self) -> float | None:
        """When the first command since `forget_commands` was durable and left, monotonic seconds; None: none yet."""
        return self._left_at

    def note(self, kind: EventKind, /, **data: Any) -> None:
        """What came of a command, or of a safe-state action."""
        known = {key: value for key, value in data.items() if value is not None}
        self.event(kind, spoken(known), **known)


def spoken(data: Mapping[str, Any]) -> str:
    """The data of a note in words: `pdu outlet[1] wanted=off read=off`."""
    return " ".join(filter(None, (_shown(key, value) for key, value in data.items() if value is not None)))


def _shown(key: str, value: Any) -> str:
    if value == "" or key in ("device", "control", "action", "sequence"):
        return str(value)
    if isinstance(value, bool):
        return key if value else f"NOT {key}"
    return f"({value})" if key == "detail" else f"{key}={value}"
