"""Writing to the outside without ever waiting for it.

A terminal that was stopped with Ctrl-S, a pipe whose reader sleeps, a closed window: none of them may hold up the
loop that watches a rack. So a thread writes, from a bounded queue, and what cannot be written is dropped.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import deque
from typing import IO, Self

from harness.schema.problems import one_line

MAX_WAITING = 65_536
"""Pieces of text that may wait for a reader; the oldest are dropped beyond that."""
MAX_TYPED = 4096
"""Bytes taken from the keyboard at once; a terminal holds no longer line (termios(3))."""
DRAIN_S = 5.0
"""Longest wait for a reader when everything is done, seconds."""


class Output:
    """A stream that never blocks the caller and never raises. Use as a context manager."""

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream
        self._waiting: deque[str] = deque(maxlen=MAX_WAITING)
        self._wake = threading.Condition()
        self._ended = False
        self._broken = stream is None
        self._idle = True
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()

    @property
    def encoding(self) -> str:
        """The encoding of the stream, for rich."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Queue some text."""
        with self._wake:
            if not self._broken and not self._ended:
                self._waiting.append(text)
                self._wake.notify_all()
        return len(text)

    def line(self, text: str) -> None:
        """Queue one line; control characters are escaped."""
        self.write(one_line(text) + "\n")

    def flush(self) -> None:
        """For the file protocol; the thread flushes by itself."""

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return is_terminal(self._stream)

    def fileno(self) -> int:
        """The descriptor of the stream; OSError when there is none."""
        if self._stream is None:
            raise OSError("the stream is closed")
        return self._stream.fileno()

    def drain(self, at_most: float = DRAIN_S) -> None:
        """Wait until everything is written, but not for ever."""
        with self._wake:
            self._wake.wait_for(lambda: (self._idle and not self._waiting) or self._broken, at_most)

    def close(self) -> None:
        """Write what is left and end the thread."""
        self.drain()
        with self._wake:
            self._ended = True
            self._wake.notify_all()
        self._thread.join(0.5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._idle = True
                self._wake.notify_all()
                self._wake.wait_for(lambda: self._waiting or self._ended)
                if not self._waiting:
                    return
                text = "".join(self._waiting)
                self._waiting.clear()
                self._idle = False
            self._put(text)

    def _put(self, text: str) -> None:
        stream = self._stream
        if stream is None or self._broken:
            return
        try:
            data = text.encode(self.encoding, "backslashreplace")
            descriptor = _descriptor(stream)
            if descriptor is None:
                stream.write(data.decode(self.encoding))
                stream.flush()
                return
            # Past the buffer: its lock, held by a thread that waits for a reader, would hang the end of the process
            while data:
                data = data[os.write(descriptor, data) :]
        except (OSError, ValueError):
            self._broken = True
            _silence(stream)


def _descriptor(stream: IO[str]) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None


def _silence(stream: IO[str]) -> None:
    """Point a broken stream at nothing, so that Python does not stumble over it when it exits."""
    with contextlib.suppress(OSError, ValueError):
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, stream.fileno())
        os.close(quiet)


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether a stream is an open terminal."""
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False


def can_ask() -> bool:
    """Whether somebody sits at a terminal that we may read from (a job in the background may not)."""
    if not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
        return False
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False


def open_keys() -> int:
    """The terminal for reading, opened once more: what reads from it never waits, and whoever shares stdin still does.

    That a key is there is no promise: Ctrl-C throws away what was typed (termios(3), NOFLSH), also between the moment
    it was seen and the moment it is read. A read that waits would hold the loop that watches a rack. OSError when the
    process has no terminal.
    """
    return os.open("/dev/tty", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def typed(descriptor: int) -> bytes | None:
    """What waits in a descriptor of `open_keys`; None: nothing after all; b"": the terminal is closed."""
    try:
        return os.read(descriptor, MAX_TYPED)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def say(text: str = "") -> None:
    """Print text (several lines allowed) for a command that has nothing else to do while it waits."""
    shown = "\n".join(one_line(line) for line in text.split("\n"))
    with contextlib.suppress(OSError, ValueError, AttributeError):
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(shown.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        sys.stdout.flush()
