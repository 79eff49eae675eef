"""Debounce of a level: bad only counts when it has lasted."""

from __future__ import annotations


class Debounce:
    """Says when a level has been bad for at least `hold_s` seconds without interruption.

    The level is taken to last from one update to the next, so that a gap in the data never resets it.
    """

    def __init__(self, hold_s: float) -> None:
        self.hold_s = hold_s
        self.since: float | None = None

    def update(self, mono: float, *, is_bad: bool) -> bool:
        """Feed the level at monotonic time `mono`; True when it has been bad long enough."""
        if not is_bad:
            self.since = None
            return False
        if self.since is None:
            self.since = mono
        return mono - self.since >= self.hold_s

    def reset(self) -> None:
        """Forget what was."""
        self.since = None
