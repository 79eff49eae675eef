"""How many traps are looked at: by source, over all sources, and over a whole run. Nothing is decoded here.

A community travels in clear, and a source address is what the sender writes: whoever is on the network can send as many
traps as it carries. Devices of the station are told from strangers, who share one small allowance.

```
 each device   50 at once, 10 a second for long        strangers together   10 at once, 1 a second
 all together  100 at once, 5 a second for long        a run                20 000, then one a minute
```
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

BURST, RATE_PER_S = 50, 10.0
STRANGERS_BURST, STRANGERS_RATE_PER_S = 10, 1.0
ALL_BURST, ALL_RATE_PER_S = 100, 5.0
MOST = 20_000
"""Traps of one run that are taken at these rates."""
RATE_AFTER_PER_S = 1 / 60
MAX_TRAP = 4096
"""Longest datagram that is looked at, octets; traps of devices have some hundred."""


@dataclass(slots=True)
class Bucket:
    """So many at once, so many a second for long."""

    burst: float
    rate: float
    tokens: float
    since: float

    def fill(self, now: float) -> float:
        """How many may pass by now."""
        self.tokens = min(self.burst, self.tokens + (now - self.since) * self.rate)
        self.since = now
        return self.tokens


def _bucket(burst: float, rate: float, now: float) -> Bucket:
    return Bucket(burst, rate, burst, now)


class TrapLimiter:
    """Lets traps through and counts what it keeps out. `known`: addresses of the station's devices; None: anybody."""

    def __init__(self, known: Collection[str] | None = None) -> None:
        self._known = known
        self._buckets: dict[str, Bucket] = {}
        self._all: Bucket | None = None
        self._passed = 0
        self._left_out = 0

    def passes(self, source: str, now: float, size: int = 0) -> bool:
        """Whether to look at a datagram of `size` octets now (`now` in seconds of any steady clock)."""
        own = self._bucket(source, now)
        together = self._all = self._all or _bucket(ALL_BURST, ALL_RATE_PER_S, now)
        if size > MAX_TRAP or own.fill(now) < 1.0 or together.fill(now) < 1.0:
            self._left_out += 1
            return False
        own.tokens -= 1.0
        together.tokens -= 1.0
        self._passed += 1
        if self._passed == MOST:
            self._all = Bucket(1.0, RATE_AFTER_PER_S, 0.0, now)
        return True

    def _bucket(self, source: str, now: float) -> Bucket:
        """The allowance of a source; there are as many as devices, whatever the senders write."""
        is_known = self._known is None or source in self._known
        if self._known is None and len(self._buckets) >= ALL_BURST and source not in self._buckets:
            is_known = False
        name = source if is_known else ""
        found = self._buckets.get(name)
        if found is None:
            burst, rate = (BURST, RATE_PER_S) if is_known else (STRANGERS_BURST, STRANGERS_RATE_PER_S)
            found = self._buckets[name] = _bucket(burst, rate, now)
        return found

    def unreadable(self) -> None:
        """One that was let through could not be decoded."""
        self._left_out += 1

    def left_out(self) -> int:
        """How many were kept out, or could not be read, since the last look."""
        count, self._left_out = self._left_out, 0
        return count
