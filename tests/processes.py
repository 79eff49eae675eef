"""The process table, as the judge of what is left running."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path


def own_number() -> str:
    """Seconds to sleep that nobody else sleeps: by it the processes of a test are told from all others."""
    return f"{50_000 + secrets.randbelow(30_000)}.{secrets.randbelow(10_000):04d}"


def commands() -> dict[int, str]:
    """pid -> command line of every process that is no zombie."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if line:
                found[int(entry.name)] = line.replace(b"\0", b" ").decode(errors="replace")
    return found


def running(word: str) -> list[str]:
    """The command lines of others that hold a word."""
    return [line for pid, line in commands().items() if word in line and pid != os.getpid()]


def family(pid: int) -> list[int]:
    """A process and all that come from it, the oldest first."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def soon(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether something comes to hold within some seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
