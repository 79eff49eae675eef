"""Reading on around an object that spoils every answer it is in.

An agent may answer genErr to forty objects because one of them fails, or send one binding whose lengths do not fit
together: the whole answer is refused then. Its objects are asked again in halves, until those stand alone that spoil
it. They are remembered, left out of the requests that follow, and asked alone from time to time.

```
 [ 1 2 3 4 5 6 7 8 ] refused -> [ 1 2 3 4 ] ok, [ 5 6 7 8 ] refused -> [ 5 6 ] refused -> [ 5 ] ok, [ 6 ] refused: it
```
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from harness.errors import DeviceError, RefusedError
from harness.transport.again import Again
from harness.transport.snmp.exchange import BindingsError, ObjectRefusedError
from harness.transport.snmp.types import Kind, VarBind

_IN_VAIN = (40, 12)
"""So many refused requests without one that is answered: not an object is bad, the agent is. The second number counts
where the search before this one was in vain too."""
_AT_MOST_S = 2.0
"""Longest search in one poll, seconds; what has been found by then is remembered, and the next poll goes on."""
_TOGETHER = 3
"""So often in a row must objects be refused together and answered in halves before fewer are asked at once."""
_OF_THE_AGENT = ("tooBig", "resourceUnavailable", "authorizationError")
"""Refusals that are about the request or the one who asks, not about an object in it."""

Ask = Callable[[int, int], Awaitable[list[VarBind]]]
"""Asks for (start, count) of a list of objects with one request."""


def may_spoil(error: DeviceError) -> bool:
    """Whether an error may be one object's."""
    return isinstance(error, BindingsError | ObjectRefusedError) or (
        isinstance(error, RefusedError) and error.vendor_code not in _OF_THE_AGENT
    )


class Spoilers:
    """The objects of one agent that are known to spoil answers."""

    def __init__(self) -> None:
        self._again: Again[str] = Again()
        self._why: dict[str, DeviceError] = {}
        self._refused_together: dict[int, int] = {}
        self.is_vain = False
        """Whether the last search found nothing that is answered."""

    def __bool__(self) -> bool:
        return bool(self._again)

    def among(self, oids: Sequence[str]) -> frozenset[str]:
        """Those of the objects that are left out at present."""
        return frozenset(oid for oid in oids if oid in self._again)

    def is_due(self, oid: str) -> bool:
        """Whether one that is left out is to be asked again."""
        return self._again.is_due(oid, asyncio.get_running_loop().time())

    def read(self, oids: Sequence[str]) -> None:
        """These have been answered."""
        for oid in self._again.read(oids):
            del self._why[oid]

    def refused(self, oid: str, error: DeviceError) -> VarBind:
        """This one spoils what it is in; what stands for its value."""
        self._again.refuse(oid, asyncio.get_running_loop().time())
        self._why[oid] = error
        return self.shown(oid)

    def shown(self, oid: str) -> VarBind:
        """What stands for the value of one that is left out."""
        error = self._why[oid]
        kind = Kind.REFUSED if isinstance(error, RefusedError) else Kind.UNDECODABLE
        return VarBind(oid, kind, None, error.message)

    def why(self, oid: str) -> DeviceError:
        """The error that it was left out for."""
        return self._why[oid]

    def hasten(self) -> None:
        """The agent was away and is back: ask for all of them at once."""
        self._again.hasten()

    def well(self, size: int) -> None:
        """So many objects were answered together."""
        if self._refused_together:
            self._refused_together.pop(size, None)

    def only_in_parts(self, size: int) -> bool:
        """So many were refused together and answered in halves; True when that is their rule."""
        count = self._refused_together[size] = self._refused_together.get(size, 0) + 1
        return count >= _TOGETHER


class Halving:
    """One search, within one poll."""

    def __init__(self, oids: Sequence[str], ask: Ask, spoilers: Spoilers, error: DeviceError) -> None:
        self._oids, self._ask, self._spoilers, self._error = oids, ask, spoilers, error
        self._until = asyncio.get_running_loop().time() + _AT_MOST_S
        self._in_vain = 0
        self._most = _IN_VAIN[spoilers.is_vain]
        self._is_answered = False
        self._bad: dict[str, DeviceError] = {}

    async def values(self, start: int, count: int) -> list[VarBind]:
        """The objects of a request that was refused. The error of it when none of them is answered, or time is up.

        An agent that refuses everything is not remembered object by object: all of it is back at once.
        """
        try:
            found = await self._halves(start, count)
        finally:
            bad = self._bad if self._is_answered else {}
            shown = {oid: self._spoilers.refused(oid, error) for oid, error in bad.items()}
            self._spoilers.is_vain = not self._is_answered
        if not self._is_answered:
            raise self._error
        return [shown.get(bind.oid, bind) for bind in found]

    @property
    def found_any(self) -> bool:
        """Whether an object was found that spoils."""
        return bool(self._bad)

    async def _halves(self, start: int, count: int) -> list[VarBind]:
        """All halves of one size before smaller ones: what is sound is found first, wherever the bad ones stand."""
        found: list[VarBind | None] = [None] * count
        parts = deque(_two(start, count))
        while parts:
            first, size = parts.popleft()
            binds = await self._part(first, size)
            if binds is None:
                parts.extend(_two(first, size))
            else:
                found[first - start : first - start + size] = binds
        return [bind for bind in found if bind is not None]

    async def _part(self, start: int, count: int) -> list[VarBind] | None:
        """The objects of a part; None when it was refused and has halves."""
        try:
            found = await self._ask(start, count)
        except (BindingsError, RefusedError) as error:
            if not may_spoil(error):
                raise
            self._in_vain += 1
            is_in_vain = self._in_vain > self._most and not self._is_answered
            if is_in_vain or asyncio.get_running_loop().time() > self._until:
                raise self._error from error
            if count > 1:
                return None
            self._bad[self._oids[start]] = error
            return [VarBind(self._oids[start], Kind.UNDECODABLE, None)]
        self._is_answered = True
        self._spoilers.read(self._oids[start : start + count])
        return found


def _two(start: int, count: int) -> list[tuple[int, int]]:
    middle = count // 2
    return [(start, middle), (start + middle, count - middle)]
