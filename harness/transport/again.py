"""When a device is asked again for what it has refused: a refusal is true for now, not for ever.

A controller that starts again refuses registers for seconds, an agent that reloads its tables loses objects, a service
that restarts answers 404. What has been read once exists: it is asked again soon, then less and less often. What has
never been read may still come (a module that boots for minutes): it is tried again every few minutes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

SOON_S = 1.0
"""First wait for what has been read before, seconds; it doubles with each refusal."""
LONGEST_S = 60.0
"""Longest wait for what has been read before, seconds."""
NEVER_READ_S = 300.0
"""Wait for what has never been read, seconds."""
_SLACK_S = 0.05
"""Polls that come a little early still count as due."""

K = TypeVar("K", bound=Hashable)


class Again(Generic[K]):
    """What is refused, and when it is due to be asked again. `now` is in seconds of any steady clock."""

    def __init__(self) -> None:
        self._known: set[K] = set()
        self._due: dict[K, float] = {}
        self._wait: dict[K, float] = {}

    def __bool__(self) -> bool:
        return bool(self._due)

    def __contains__(self, key: K) -> bool:
        return key in self._due

    def read(self, keys: Iterable[K]) -> list[K]:
        """These have been read; gives those of them that had been refused."""
        keys = list(keys)
        self._known.update(keys)
        back = [key for key in keys if self._due.pop(key, None) is not None]
        for key in back:
            del self._wait[key]
        return back

    def refuse(self, key: K, now: float) -> bool:
        """This is refused; True when that is new."""
        is_new = key not in self._due
        before = self._wait.get(key, SOON_S / 2)
        wait = self._wait[key] = min(2 * before, LONGEST_S) if key in self._known else NEVER_READ_S
        self._due[key] = now + wait
        return is_new

    def was_read(self, key: K) -> bool:
        """Whether it has ever been read."""
        return key in self._known

    def is_due(self, key: K, now: float) -> bool:
        """Whether it is to be asked (again)."""
        return now >= self._due.get(key, now) - _SLACK_S

    def hasten(self) -> None:
        """The device was away and is back: ask for everything at once."""
        self._due = dict.fromkeys(self._due, float("-inf"))
