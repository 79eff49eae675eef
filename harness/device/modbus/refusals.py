"""What a Modbus device refuses: registers that are left out for a while, and spans that are read in single pieces.

```
 span refused -> its points are asked alone -> one is refused: left out, asked again after 1, 2, 4 .. 60 s
                                            '-> all answer: together again, if they were ever read together
 never read: asked again every 5 min
```
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from harness.device.modbus.plan import Span
from harness.transport.again import NEVER_READ_S, Again

_Key = tuple[int, int, int]


class Refusals:
    """The memory of one read plan; points by their place in it."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._points: Again[int] = Again()
        self._spans: Again[_Key] = Again()
        self._split: dict[_Key, Collection[int]] = {}
        self._answered: set[int] = set()
        self.alone: set[int] = set()
        """Points that get a request of their own."""
        self.changes = 0
        """Counts how often `alone` has changed."""
        self._is_too_wide = False

    def live(self, now: float, *, is_urgent: bool = False) -> list[int]:
        """The points to ask for; `now` is the loop's time."""
        everything = list(range(len(self._names)))
        if is_urgent or not self._points:
            return everything
        return [k for k in everything if self._points.is_due(k, now)]

    def hasten(self) -> None:
        """The device was away and is back: ask for everything, together."""
        self._points.hasten()
        self._split.clear()
        self._join(self.alone)

    def refused(self, span: Span, members: Collection[int], why: str) -> list[str]:
        """A request was refused; what is worth telling."""
        now = asyncio.get_running_loop().time()
        if len(members) > 1:
            key = _key(span)
            if self._spans.was_read(key):  # a gap in it would have been refused from the start
                self._spans.refuse(key, now)
                self._split[key] = members
            else:
                self._is_too_wide = True
            self.alone |= set(members)
            self.changes += 1
            return []
        (k,) = members
        if not self._points.refuse(k, now):
            return []
        if self._points.was_read(k):
            return [f"{self._names[k]} is refused, after it had been read: {why}; it is asked again"]
        return [f"{self._names[k]} is left out: {why}; it is asked again every {NEVER_READ_S / 60:g} min"]

    def take_too_wide(self) -> bool:
        """Whether, since asked last, a request was refused that was never answered: it reads over what is not there."""
        was, self._is_too_wide = self._is_too_wide, False
        return was

    def read(self, span: Span, members: Collection[int]) -> list[str]:
        """A request was answered; what is worth telling."""
        key = _key(span)
        if self._spans.was_read(key) and not (self._points or self._spans or self._split):
            return []
        self._spans.read([key])
        self._answered.update(members)
        return [f"{self._names[k]} is read again" for k in self._points.read(members)]

    def settle(self) -> None:
        """All has been asked: put together what was read together before and is answered in pieces again."""
        now = asyncio.get_running_loop().time()
        for key, members in list(self._split.items()):
            if self._spans.is_due(key, now) and self._answered.issuperset(members):
                del self._split[key]
                self._join(members)
        self._answered.clear()

    def _join(self, members: Collection[int]) -> None:
        if members:
            self.alone = self.alone - set(members)
            self.changes += 1


def _key(span: Span) -> _Key:
    return span.function, span.address, span.count
