"""Whether all trays computed the same from the same seed, and which one did not: silent data corruption. Pure.

A tray's vote is the result that it gave most often; the right result is the one that more than half of all trays
vote for, those that gave none counted too. Whoever gave another one, ever, is odd. Without such a majority nobody knows
who is right. About one device in a thousand computes wrong now and then (public fleet studies): two of 18 with the same
wrong number are not to be expected, and a wrong majority would need ten.

What is found: a tray that is wrong in a share s of N rounds is found with 1 - (1 - s)^N: 60 rounds find 5 % wrong in 95
of 100 cases. A result that is missing is equal to nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agreement:
    """What comparing came to."""

    right: str | None
    """The result that the majority has; None: there is no majority."""
    wrong: Mapping[str, int]
    """tray -> how many of its results are another than the right one; where nothing is right, than its own first."""
    missing: Mapping[str, int]
    """tray -> how many results it owes."""
    compared: int
    """Results that were compared."""

    @property
    def odd(self) -> tuple[str, ...]:
        """Trays with a wrong result."""
        return tuple(tray for tray, count in self.wrong.items() if count)


def compare(results: Mapping[str, Sequence[str | None]], rounds: int | None = None) -> Agreement:
    """Compare what trays computed, in rounds of one seed. `rounds`: how many each owes; the most that one has else."""
    due = max([rounds or 0, *(len(each) for each in results.values())])
    votes = Counter(vote for each in results.values() if (vote := _vote(each)) is not None)
    best = votes.most_common(1)
    right = best[0][0] if best and 2 * best[0][1] > len(results) else None
    wrong, missing = {}, {}
    compared = 0
    for tray, found in results.items():
        there = [each for each in found if each is not None]
        compared += len(there)
        missing[tray] = due - len(there)
        standard = right if right is not None else (there[0] if there else None)
        wrong[tray] = sum(each != standard for each in there)
    return Agreement(right, wrong, missing, compared)


def _vote(found: Sequence[str | None]) -> str | None:
    """The result that a tray gave most often; None where two are as frequent, or there is none."""
    counted = Counter(each for each in found if each is not None).most_common(2)
    if not counted or (len(counted) == 2 and counted[0][1] == counted[1][1]):
        return None
    return counted[0][0]
