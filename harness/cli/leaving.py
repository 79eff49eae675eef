"""The end of a run's process: with the code of its verdict, or with 70. Code of others does not end it with any other.

`os._exit` and `os.exec*` ask nobody: no `finally`, no verdict, no record, and exit code 0 if they like. In the process
of a run they end it with 70, as what nobody has judged ends. A process that the code forked is its own.
"""

from __future__ import annotations

import os
import posix
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

UNJUDGED = 70
"""`harness.limits.verdict.EXIT_BUG`, which is not imported here: `--help` does without it."""
_end = os._exit
_NAMES = ("_exit", "execv", "execve")


def forbid_exit(is_run: Callable[[], bool]) -> None:
    """From now on nothing but `leave` ends this process at once while `is_run()`."""
    process = os.getpid()
    for name in _NAMES:
        guarded = partial(_refuse, getattr(os, name), process, is_run)
        setattr(os, name, guarded)
        setattr(posix, name, guarded)


def leave(code: int) -> NoReturn:
    """End the process with the code of a verdict."""
    _end(code)


def _refuse(wanted: Callable[..., Any], process: int, is_run: Callable[[], bool], *args: Any, **named: Any) -> Any:
    if os.getpid() != process or not is_run():
        return wanted(*args, **named)
    module = sys._getframe(1).f_globals.get("__name__", "?")
    text = f"error: {module} ended the process of the run: there is no verdict\nhint: tell whoever wrote {module}\n"
    os.write(2, text.encode("utf-8", "replace"))
    return _end(UNJUDGED)
