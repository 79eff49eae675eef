"""Named places where a test may let this process die, fail or freeze; nothing happens unless the environment asks.

`HARNESS_FAULT_POINT=NAME[=ACTION][@N]`: at the N-th passage (default 1) of the place NAME: `kill` (SIGKILL, the
default), `raise` (OSError), `memory` (MemoryError), or `stop` (SIGSTOP: frozen until somebody continues it). Meant for
the process that was started with it: those that this one starts, as its guardian, do not inherit it.
"""

from __future__ import annotations

import errno
import os
import signal

NAMES = (
    "journal-created",
    "devices-open",
    "guarded",
    "armed",
    "step-begun",
    "intent-durable",
    "sent",
    "before-confirm",
    "confirmed",
    "step-ended",
    "journal-commit",
    "safe-begun",
    "safe-between",
    "safe-done",
    "verdict-shown",
    "journal-closed",
    "result-written",
    "sealed",
)
"""Every place, in the order of a run."""

_WANTED, _, _COUNT = os.environ.pop("HARNESS_FAULT_POINT", "").partition("@")
_NAME, _, _ACTION = _WANTED.partition("=")
_left = int(_COUNT) if _COUNT.isdigit() else 1


def fault_point(name: str) -> None:
    """Pass a named place."""
    if _NAME and name == _NAME:
        _reached()


def _reached() -> None:
    global _left  # noqa: PLW0603 (counts the passages of one process)
    _left -= 1
    if _left != 0:
        return
    if _ACTION == "raise":
        raise OSError(errno.EIO, f"fault point {_NAME}")
    if _ACTION == "memory":
        raise MemoryError(f"fault point {_NAME}")
    os.kill(os.getpid(), signal.SIGSTOP if _ACTION == "stop" else signal.SIGKILL)
