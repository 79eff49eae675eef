"""Files that fail: the n-th call that must reach the disk ends with an error, once or from then on.

Counted are the calls by which a program makes files durable: fsync, rename, unlink-free creation, preallocation, and
whatever else is handed to `guard` (a database's transaction, which does its own system calls).
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_NAMES = ("fsync", "replace", "posix_fallocate")


class FileFaults:
    """Counts calls, and fails the `at`-th (0: none); `for_good`: and every later one."""

    def __init__(self, at: int = 0, code: int = errno.ENOSPC, *, for_good: bool = False) -> None:
        self.at = at
        self.code = code
        self.for_good = for_good
        self.count = 0
        self.failed: list[str] = []

    def reach(self, what: str) -> None:
        """One more call; OSError when it is its turn."""
        self.count += 1
        if self.at and (self.count == self.at or (self.for_good and self.count > self.at)):
            self.failed.append(what)
            raise OSError(self.code, f"{os.strerror(self.code)} (injected at call {self.count}: {what})")

    def guard(self, what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, counted and failing in its turn before it is called."""

        def guarded(*args: Any, **named: Any) -> Any:
            self.reach(what)
            return function(*args, **named)

        return guarded

    @contextmanager
    def installed(self) -> Iterator[FileFaults]:
        """Count and fail the calls of this process for as long as the block lasts."""
        saved = {name: getattr(os, name) for name in _NAMES}
        made = tempfile.mkstemp
        try:
            for name, function in saved.items():
                setattr(os, name, self.guard(name, function))
            tempfile.mkstemp = self.guard("create", made)
            yield self
        finally:
            for name, function in saved.items():
                setattr(os, name, function)
            tempfile.mkstemp = made
