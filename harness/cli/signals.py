"""Signals that end a run: the first asks for the safe state, every other one is told that it is under way."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from harness.engine.state import RunState
from harness.limits.verdict import Verdict

REASONS = {
    "SIGINT": "stopped by the operator (Ctrl-C)",
    "SIGTERM": "stopped by SIGTERM",
    "SIGHUP": "the terminal was closed (SIGHUP)",
}
_IGNORED = ("SIGTSTP", "SIGTTIN", "SIGTTOU")
"""A runner that a terminal stops (Ctrl-Z, a job in the background) would watch nothing while the rack is powered."""


class Stopper:
    """Connections signals to the runner, from the moment the devices are opened to the end of the record."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._state: RunState | None = None
        self._asked: list[str] = []
        self.on_stop: list[Callable[[], None]] = []
        """Called at the first signal, in the main thread: what waits for a person gives up."""

    def attach(self, state: RunState) -> None:
        """The run has begun; a signal that came before counts."""
        self._state = state
        if self._asked:
            self._pass_on(self._asked[0])

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals for as long as the block lasts, in the running loop.

        Handlers of the interpreter, not of the loop: in virtual time the loop never looks at its wake-up socket.
        """
        loop = asyncio.get_running_loop()

        def handle(number: int, _frame: FrameType | None) -> None:
            name = signal.Signals(number).name
            is_first = not self._asked
            self._asked.append(name)
            if is_first:
                for act in self.on_stop:
                    act()
            loop.call_soon_threadsafe(self._on_signal, name, is_first)

        before: dict[signal.Signals, Any] = {}
        for name in (*REASONS, *_IGNORED):
            number = getattr(signal, name, None)
            if number is not None:
                before[number] = signal.signal(number, handle if name in REASONS else signal.SIG_IGN)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, name: str, is_first: bool) -> None:
        if is_first:
            self._tell(f"{REASONS[name]}: making the rack safe")
            self._pass_on(name)
        else:
            self._tell("already stopping; safe state under way")

    def _pass_on(self, name: str) -> None:
        if self._state is not None:
            self._state.request_stop(Verdict.ABORTED, REASONS[name], by_signal=name)
