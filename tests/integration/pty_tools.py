"""A process at a pseudo terminal, for tests of what a person sees and types."""

from __future__ import annotations

import os
import pty
import select
import termios
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from tests.integration import forked
from tests.integration.cli_tools import environment
from tests.integration.forked import Work


class Terminal:
    """A command at a terminal of 80 by 24, or other work; a `program` is not forked but started."""

    def __init__(self, *arguments: str, data: Path, work: Work | None = None, program: Sequence[str] = ()) -> None:
        forked.preload()
        env = {**environment(data), "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of this process: none is needed over there
            pid, self.descriptor = pty.fork()
        if pid == 0:
            if program:
                os.execve(program[0], [*program, *arguments], env)
            forked.become(work or forked.command(*arguments), env, forked.ROOT)
        self.pid = pid
        self.text = ""

    def read_until(self, wanted: str, seconds: float = 30.0) -> None:
        """Read until a text was seen."""
        end = time.monotonic() + seconds
        while wanted not in self.text:
            assert time.monotonic() < end, self.text[-3000:]
            if select.select([self.descriptor], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self.descriptor, 65536).decode("utf-8", "replace")
                except OSError:
                    break
        assert wanted in self.text, self.text[-3000:]

    def fresh(self, wanted: str, seconds: float = 30.0) -> None:
        """Forget what was seen so far and read until a text comes (again)."""
        self.text = ""
        self.read_until(wanted, seconds)

    def is_raw(self) -> bool:
        """Whether the terminal gives keys one by one, without echo."""
        flags = termios.tcgetattr(self.descriptor)[3]
        return not flags & (termios.ECHO | termios.ICANON)

    def type(self, text: str) -> None:
        """Keys."""
        os.write(self.descriptor, text.encode())

    def press(self, key: str) -> None:
        """One key as a finger presses it: nothing else a while before."""
        time.sleep(0.15)
        self.type(key)

    def end(self) -> int:
        """Read to the end; the exit code."""
        try:
            while True:
                try:
                    piece = os.read(self.descriptor, 65536)
                except OSError:
                    break
                if not piece:
                    break
                self.text += piece.decode("utf-8", "replace")
            return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        finally:
            os.close(self.descriptor)
