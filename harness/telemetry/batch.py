"""One batch of lines on its way to a database: what waits, what was taken, and what is kept apart as refused for good.

```
refused (400, 422, 5xx "partial write")   halve, newest first, until the bad line stands alone; keep it apart
    alone, and older than the retention   so are all older ones: kept apart without asking
5xx again and again                       the same, as long as the database takes others of this batch
too big                                   halve all that waits
```

Newest first, because what is refused for its age is refused for good, and what is young must not wait behind it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

ALL_REFUSED = 64
"""So many bad lines without one good line: perhaps not the lines are wrong but the place they are sent to."""
_REPEATED = 3
"""So often the same request must be answered 5xx before its lines are suspected."""
_SUSPECTS = 16
"""So many single lines answered 5xx without one line that is taken: the database is ill, not the lines."""
_ROUNDS = 5
"""So often must a line be answered 5xx, and another be taken right after it, until it is the line."""
PAUSE_S = 1.0
"""Wait between two such rounds."""
_TOO_OLD = re.compile(r"(beyond|outside|older than|before).{0,40}retention", re.IGNORECASE)

Line = tuple[int, bytes]
"""Sequence number in the journal, and the line."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Lines that a database refused for good: one with its text, or `count` up to `last` for their age, without."""

    seq: int
    line: bytes
    reason: str
    count: int = 1
    last: int = 0

    def __str__(self) -> str:
        """Why, and how many."""
        return self.reason if self.line else f"{self.reason} ({self.count} lines of the entries up to {self.last})"


def stamp_of(line: bytes) -> int:
    """The stamp of a line, ns."""
    return int(line.rpartition(b" ")[2])


@dataclass(slots=True)
class Horizon:
    """How old lines may be; learnt from the first that was refused for its age, and kept from batch to batch."""

    stamp: int = -1
    """Lines of this stamp (ns) and older are refused."""
    reason: str = ""

    def is_beyond(self, line: bytes) -> bool:
        """Whether a line is known to be too old."""
        return self.stamp >= 0 and stamp_of(line) <= self.stamp


class Batch:
    """Lines in order; `work` is what waits, in parts."""

    def __init__(
        self, lines: Sequence[Line], reached: int, horizon: Horizon, witness: bytes = b"", repeats: int = 0
    ) -> None:
        """`witness` is a line that the database has taken before: it shows whether it is well.

        `repeats`: so often the batch that this one was made of has been answered 5xx.
        """
        self.reached = reached
        """The sequence number that is done when the batch is."""
        self.refused: list[Refused] = []
        self.accepted = 0
        """Lines that were taken; some of them twice, where it had to begin again."""
        self.is_place_doubted = False
        """Everything was refused so far; if the newest line of all is taken, it is the lines (`trust_place`)."""
        self._horizon = horizon
        self._lines = list(lines)
        self._work: deque[list[Line]] = deque()
        self.witness = witness
        self._suspect: tuple[Line, str] | None = None
        self.repeats = repeats
        self._alone = 0
        self._rounds = 0
        self._is_suspicious = False
        self._is_place_trusted = False
        self._add(self._lines)

    @property
    def is_done(self) -> bool:
        """Whether nothing waits."""
        return not self._work

    @property
    def is_whole(self) -> bool:
        """Whether it is as it was made: nothing has come of it, and none of its lines is suspected."""
        return not self.accepted and not self.refused and not self._is_suspicious

    @property
    def refused_lines(self) -> int:
        """How many lines are kept apart."""
        return sum(each.count for each in self.refused)

    @property
    def stored_lines(self) -> int:
        """How many lines are stored, once it is done."""
        return len(self._lines) - self.refused_lines

    @property
    def body(self) -> bytes:
        """What is to be sent next."""
        return self.witness if self._suspect is not None else b"\n".join(line for _, line in self._work[0])

    def stored(self) -> float:
        """What was sent last is stored; gives the seconds to wait before the next."""
        self.repeats = 0
        if self._suspect is None:
            part = self._work.popleft()
            self.accepted += len(part)
            self.witness = part[-1][1]
            self._rounds = 0
            return 0.0
        (seq, line), reason = self._suspect
        self._suspect = None
        self._rounds += 1
        if self._rounds < _ROUNDS:
            return PAUSE_S
        self._rounds = 0
        self._work.popleft()
        self.refused.append(Refused(seq, line, reason))
        return 0.0

    def reject(self, reason: str) -> None:
        """At least one line of what was sent last is bad."""
        if self._suspect is not None:
            self._begin_again()
            return
        self.repeats = 0
        part = self._work[0]
        if len(part) > 1:
            self._halve()
            return
        seq, line = part[0]
        self._work.popleft()
        if _TOO_OLD.search(reason):
            self._horizon.stamp, self._horizon.reason = max(self._horizon.stamp, stamp_of(line)), reason
            waiting = [each for part in self._work for each in part]
            self._work.clear()
            self._add([(seq, line), *waiting])
            return
        self.refused.append(Refused(seq, line, reason))
        is_all = not self.accepted and sum(bool(each.line) for each in self.refused) >= ALL_REFUSED
        self.is_place_doubted = is_all and not self._is_place_trusted

    def fail(self, reason: str) -> bool:
        """The database answered 5xx; True when it is worth asking again in another way, at once."""
        if self._suspect is not None:
            self._begin_again()
            return False
        self.repeats += 1
        part = self._work[0]
        is_known = self._is_suspicious and (len(part) > 1 or self._rounds)
        if self.repeats < (1 if is_known else _REPEATED):
            return False
        self._is_suspicious = True
        if len(part) > 1:
            self._halve()
            return True
        if self.witness:
            self._suspect = part[0], reason
            return True
        self._alone += 1
        if self._alone >= _SUSPECTS:
            self._begin_again()
            return False
        self._work.rotate(-1)
        return len(self._work) > 1

    def too_big(self) -> int:
        """What was sent last is too big: all that waits is divided; gives the new bound in bytes. 0: a single line."""
        part = self._work[0]
        if len(part) == 1:
            return 0
        bound = max(1, sum(len(line) + 1 for _, line in part) // 2)
        self._work = deque(smaller for large in self._work for smaller in _parts(large, bound))
        return bound

    def trust_place(self) -> None:
        """Another line was taken where all of these were refused: it is the lines."""
        self.is_place_doubted, self._is_place_trusted = False, True

    def restore(self) -> None:
        """It was not the lines: all of them wait again, but for those that are too old."""
        self.refused, self.is_place_doubted = [each for each in self.refused if not each.line], False
        self._begin_again()

    def _begin_again(self) -> None:
        """All that is not refused waits again, together; what was taken before changes nothing."""
        gone = {each.seq for each in self.refused if each.line}
        self._suspect, self._is_suspicious = None, False
        self.repeats = self._alone = self._rounds = 0
        self._work.clear()
        self._add([(seq, line) for seq, line in self._lines if seq not in gone], is_again=True)

    def _add(self, lines: list[Line], *, is_again: bool = False) -> None:
        """Let lines wait; those that are too old are kept apart at once."""
        old = [each for each in lines if self._horizon.is_beyond(each[1])]
        if old and not is_again:
            seqs = sorted(seq for seq, _ in old)
            self.refused.append(Refused(seqs[0], b"", self._horizon.reason, len(old), seqs[-1]))
        young = [each for each in lines if not self._horizon.is_beyond(each[1])] if old else lines
        if young:
            self._work.append(young)

    def _halve(self) -> None:
        """The newer half of what was sent last first."""
        part = sorted(self._work.popleft(), key=_by_stamp)
        middle = len(part) // 2
        self._work.extendleft((part[:middle], part[middle:]))


def _by_stamp(line: Line) -> int:
    return stamp_of(line[1])


def _parts(lines: list[Line], max_bytes: int) -> list[list[Line]]:
    """Lines in order, in parts of at most `max_bytes` (or one line)."""
    parts: list[list[Line]] = []
    size = max_bytes
    for seq, line in lines:
        size += len(line) + 1
        if size > max_bytes:
            parts.append([])
            size = len(line) + 1
        parts[-1].append((seq, line))
    return parts
