"""Keys of the live view: pause, continue, skip, retry, abort, through the same door as `harness ctl`.

What cannot be taken back asks for a second press of the same key. A barcode scanner is a keyboard too: letters that
come faster than fingers are no presses, so a key acts when it has been alone for `QUIET_S` before and after. The
terminal is in cbreak mode without echo only while the keys are live: a question of the plan gets it back as it was, and
so does whoever comes after us.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import pwd
import sys
import termios
from collections.abc import Callable, Iterator
from typing import Any

from harness.cli.ui.terminal import can_ask, open_keys, typed
from harness.clock import HarnessLoop
from harness.engine.control import obey
from harness.engine.state import RunState
from harness.utf8 import utf8

KEYS = {"p": "pause", "c": "continue", "s": "skip", "r": "retry", "a": "abort"}
ASKED_TWICE = frozenset({"skip", "retry", "abort"})
CONFIRM_S = 5.0
"""How long the second press may take, seconds of real time."""
QUIET_S = 0.08
"""Real seconds without another key around a press. Scanners type with 1 to 25 ms between letters, people with 100."""
_LOCAL_FLAGS = 3
_CONTROL_CHARACTERS = 6


class Terminal:
    """The mode of the terminal at stdin: keys one by one and unseen, or as it was found."""

    def __init__(self) -> None:
        self.keys = -1
        """Where keys are read while they are ours; -1: nowhere."""
        self._descriptor = -1
        self._found: list[Any] | None = None

    def take(self) -> bool:
        """Go to cbreak without echo and forget what was typed ahead; False when nobody sits at a terminal."""
        if not can_ask():
            return False
        try:
            self._descriptor = sys.stdin.fileno()
            found = termios.tcgetattr(self._descriptor)
            mine = [*found[:_CONTROL_CHARACTERS], list(found[_CONTROL_CHARACTERS])]
            mine[_LOCAL_FLAGS] &= ~(termios.ECHO | termios.ICANON)
            mine[_CONTROL_CHARACTERS][termios.VMIN], mine[_CONTROL_CHARACTERS][termios.VTIME] = 1, 0
            # Ctrl-C stops the run, it does not throw away what is drawn: a writer that waits for room in the terminal
            # just then can wait for ever (seen on Linux 6.18)
            mine[_LOCAL_FLAGS] |= termios.NOFLSH
            # At once, never "when the output has drained": a terminal held by Ctrl-S would hold the loop
            termios.tcsetattr(self._descriptor, termios.TCSANOW, mine)
            self._found = found
            atexit.register(self.give_back)
            termios.tcflush(self._descriptor, termios.TCIFLUSH)
            self.keys = open_keys()
        except (termios.error, OSError, ValueError):
            self.give_back()
            return False
        return True

    def give_back(self) -> None:
        """Restore the mode that was found, once; a terminal that is gone, or another job's by now, is left alone."""
        keys, self.keys = self.keys, -1
        if keys >= 0:
            os.close(keys)
        found, self._found = self._found, None
        if found is None:
            return
        atexit.unregister(self.give_back)
        with contextlib.suppress(termios.error, OSError):
            if os.tcgetpgrp(self._descriptor) == os.getpgrp():
                termios.tcsetattr(self._descriptor, termios.TCSANOW, found)


class Keyboard:
    """The keys of one run. `start` in its loop, `stop` at its end, `lent` around a question."""

    def __init__(self, redraw: Callable[[], object]) -> None:
        self._redraw = redraw
        self._terminal = Terminal()
        self._state: RunState | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._silence: asyncio.TimerHandle | None = None
        self._is_quiet = False
        """Whether no key came for `QUIET_S`."""
        self._key = ""
        """A key that came out of the quiet, and acts when it is quiet behind it too."""
        self._who = ""
        self.is_live = False
        """Whether keys are heard now."""
        self.pending = ""
        """The command that waits for a second press."""

    def start(self, state: RunState) -> None:
        """Begin to listen. In virtual time there are no keys: the run is over before one is found."""
        loop = asyncio.get_running_loop()
        if state.clock.is_virtual:
            return
        self._state, self._loop = state, loop
        self._who = f"{_user()} at the keyboard"
        self._listen()

    def stop(self) -> None:
        """Listen no more; the terminal is as it was."""
        self._deafen()
        self._state = None

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """Give the keyboard to whoever asks, for as long as the block lasts."""
        was_live = self.is_live
        self._deafen()
        try:
            yield
        finally:
            if was_live and self._state is not None:
                self._listen()

    def _listen(self) -> None:
        if self._loop is not None and self._terminal.take():
            self._loop.add_reader(self._terminal.keys, self._ready)
            self._hush()  # the rest of what was being typed is no press either
            self.is_live = True

    def _deafen(self) -> None:
        self._forget()
        self._key = ""
        if self._silence is not None:
            self._silence.cancel()
        if self.is_live and self._loop is not None:
            self.is_live = False
            self._loop.remove_reader(self._terminal.keys)
        self._terminal.give_back()

    def _ready(self) -> None:
        data = typed(self._terminal.keys)
        if data is None:
            return
        if not data:  # the terminal is closed, or belongs to another job now
            self._deafen()
        else:
            self.press(data)
        self._redraw()

    def press(self, data: bytes) -> None:
        """Take what one read of the terminal gave; it acts when nothing else comes for a while."""
        self._key = data.decode("latin-1").lower() if self._is_quiet and len(data) == 1 else ""
        self._hush()
        if not self._key:
            self._forget()  # arrow keys, pasted text, a scan: no press, but something else than was asked for

    def _hush(self) -> None:
        """Wait for quiet. Keys are looked for before timers: however late the loop is, quiet means that none came."""
        assert self._loop is not None
        if self._silence is not None:
            self._silence.cancel()
        self._is_quiet = False
        self._silence = self._loop.call_later(QUIET_S * self._rate, self._quieted)

    def _quieted(self) -> None:
        self._is_quiet = True
        key, self._key = self._key, ""
        if key:
            self._settled(key)

    def _settled(self, key: str) -> None:
        """A key that was alone: a press."""
        do = KEYS.get(key, "")
        waiting = self._forget()
        assert self._loop is not None
        if waiting and do != waiting:
            pass  # any other key cancels, and does nothing else
        elif do in ASKED_TWICE and not waiting:
            self.pending = do
            self._timer = self._loop.call_later(CONFIRM_S * self._rate, self._expire)
        elif do and self._state is not None:
            obey(self._state, {"do": do}, self._who)
        self._redraw()

    @property
    def _rate(self) -> float:
        """Seconds of the loop in a second of real time."""
        return self._loop.rate if isinstance(self._loop, HarnessLoop) else 1.0

    def _expire(self) -> None:
        self._forget()
        self._redraw()

    def _forget(self) -> str:
        """Wait for no second press any more; what was waited for."""
        waiting, self.pending = self.pending, ""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return waiting


def _user() -> str:
    try:
        return utf8(pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:
        return f"user {os.getuid()}"
