"""Links over a time: what counters counted, and how often a link went down. Pure.

A counter of a switch is only as good as its continuity: over a restart, or where somebody cleared it, no difference is
one (RFC 2863, ifCounterDiscontinuityTime). Such pieces are left out, and their time with them: what is left is said.
A difference of two readings of a counter is exact; the time between them is known to a period of the readings.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Point:
    """One look at the counters of a port: when, what they stood at, and what stays equal while they go on."""

    seconds: float
    counts: tuple[float, ...]
    mark: Hashable = None


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted in the pieces that are continuous, how long these are, and how long the others."""

    counts: tuple[float, ...]
    seconds: float
    lost: float

    @property
    def share(self) -> float:
        """Share of the time that was counted, 0 to 1."""
        whole = self.seconds + self.lost
        return self.seconds / whole if whole > 0 else 0.0


def counted(points: Sequence[Point]) -> Counted:
    """The sum of the differences over the continuous pieces between looks.

    A piece is lost when its mark changed, when a counter fell in it, or when a value at one of its ends is no number.
    """
    width = len(points[0].counts) if points else 0
    sums, seconds, lost = [0.0] * width, 0.0, 0.0
    for before, after in pairwise(points):
        deltas = [b - a for a, b in zip(before.counts, after.counts, strict=True)]
        if before.mark == after.mark and all(delta >= 0 for delta in deltas):  # NaN is not
            sums = [total + delta for total, delta in zip(sums, deltas, strict=True)]
            seconds += after.seconds - before.seconds
        else:
            lost += after.seconds - before.seconds
    return Counted(tuple(sums), seconds, lost)


@dataclass(slots=True)
class LinkWatch:
    """What is known of one link since a moment: each way of seeing it go down counts, and none of them twice.

    Between two samples a link may go down and come back. The switch itself then says so: by the time of the last
    change (ifLastChange, in the time of its uptime), which is later than the moment, and by its own count of changes.
    """

    falls: int = 0
    """How often it was seen to go from up to down."""
    was_up: bool = True

    def sample(self, *, is_up: bool) -> None:
        """One look at the state."""
        self.falls += self.was_up and not is_up
        self.was_up = is_up

    def downs(self, *, since: float, last_change: float | None, changes: float | None) -> int:
        """How often it went down at least.

        `since` and `last_change` are in the uptime of the switch; `changes` is how often its own count went up, two for
        going down and coming back.
        """
        least = self.falls
        if last_change is not None and last_change > since:
            least = max(least, 1)
        if changes is not None and changes > 0:
            least = max(least, int(changes + 1) // 2)
        return least
