"""What a test may leave behind: nothing. Threads, children and file descriptors before and after it are compared."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

GRACE_S = 3.0
"""How long what is ending anyway may take to end: joined threads, sockets in the middle of closing."""


def open_files() -> dict[str, str]:
    """What this process holds open (sockets, pipes, files, epolls): number and target -> target."""
    found = {}
    for entry in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{entry}")
        except OSError:
            continue  # the listing's own descriptor
        if not target.startswith(("/proc/", "/dev/urandom", "/dev/null")):
            found[f"{entry} {target}"] = target
    return found


def children() -> dict[str, str]:
    """Child processes, zombies included: number -> command."""
    found = {}
    for listing in Path("/proc/self/task").glob("*/children"):
        try:
            numbers = listing.read_text().split()
        except OSError:
            continue  # a thread that has just ended
        for number in numbers:
            try:
                command = Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue  # reaped meanwhile
            found[number] = command.strip() or "a process that nobody waited for"
    return found


def threads() -> dict[str, str]:
    """Living threads: identity -> name."""
    return {str(thread.ident): thread.name for thread in threading.enumerate()}


LOOKS: dict[str, Callable[[], dict[str, str]]] = {
    "thread": threads,
    "child process": children,
    "file descriptor": open_files,
}


class Before:
    """How things were before a test; `left` says what it left behind."""

    def __init__(self) -> None:
        self._were = {kind: look() for kind, look in LOOKS.items()}

    def left(self) -> list[str]:
        """What is new and stays for the grace period, one line each."""
        deadline = time.monotonic() + GRACE_S
        collected = False
        while found := self._new():
            if not collected:
                gc.collect()  # a socket in a cycle is not leaked, but its ResourceWarning belongs to this test
                collected = True
            elif time.monotonic() >= deadline:
                return found
            else:
                time.sleep(0.02)
        return []

    def _new(self) -> list[str]:
        return [
            f"{kind}: {text}"
            for kind, look in LOOKS.items()
            for key, text in look().items()
            if key not in self._were[kind]
        ]
