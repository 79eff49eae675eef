"""A border around the link of a protocol of others: whatever their code does, the device has failed, and nothing else.

What it raises besides the errors of devices becomes one of them. So a run ends as with a device that answers nonsense,
and `harness safe` switches off what the other devices have.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from harness.device.link import PlainLink, ReadPlan, Reply
from harness.device.points import ControlPoint, SignalPoint
from harness.device.wire import Command, Read
from harness.errors import DeviceError, HarnessError, ProtocolViolationError
from harness.in_words import shown

T = TypeVar("T")
_KNOWN = (HarnessError, TimeoutError, KeyboardInterrupt)


class StrictLink:
    """Stands for a link of others; see `harness.device.link.Link` for what it has."""

    def __init__(self, link: Any, owner: str) -> None:
        self._link = link
        self._owner = owner

    async def open(self) -> Sequence[SignalPoint]:
        """See `Link.open`: points, nothing else."""
        return self._all(SignalPoint, await _contained(self._link.open, self._owner)())

    async def commands(self, control: ControlPoint, value: float, word: str) -> list[Command]:
        """See `Link.commands`: commands, nothing else."""
        return self._all(Command, await _contained(self._link.commands, self._owner)(control, value, word))

    def reading(self, point: SignalPoint) -> Read:
        """See `Link.reading`."""
        return self._all(Read, [_contained(self._link.reading, self._owner)(point)])[0]

    def _all(self, kind: type[T], found: Any) -> list[T]:
        if not isinstance(found, list | tuple) or not all(isinstance(each, kind) for each in found):
            raise _failed(self._owner, f"it gives {type(found).__name__} for {kind.__name__}s")
        return list(found)

    def plan(self, points: Sequence[Any]) -> ReadPlan:
        """A read plan behind the same border."""
        return _StrictPlan(_contained(self._link.plan, self._owner)(points), len(points), self._owner)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._link, name)
        return _contained(found, self._owner) if inspect.isroutine(found) else found


class _StrictPlan:
    def __init__(self, plan: Any, count: int, owner: str) -> None:
        self._read = _contained(plan.read, owner)
        self._count = count
        self._owner = owner

    async def read(self, *, is_urgent: bool = False) -> Reply:
        """See `ReadPlan.read`."""
        reply = await self._read(is_urgent=is_urgent)
        if not isinstance(reply, Reply) or len(reply.raw) != self._count or len(reply.qualities) != self._count:
            raise _failed(self._owner, f"it gives {type(reply).__name__} for {self._count} signals")
        return reply


class BrokenLink(PlainLink):
    """The link of a device whose protocol could not make one: the device is there, and fails."""

    def __init__(self, error: BaseException, owner: str) -> None:
        self._error = _failed(owner, shown(error))

    async def open(self) -> Any:
        """Always fails."""
        raise self._error

    def __getattr__(self, name: str) -> Any:
        def fail(*_: Any, **__: Any) -> Any:
            raise self._error

        return fail

    async def commands(self, *_: Any) -> Any:
        """Always fails."""
        raise self._error

    def renew(self) -> None:
        """Nothing was learnt."""

    async def close(self) -> None:
        """Nothing is open."""

    def health(self) -> Mapping[str, int]:
        """Nothing was sent."""
        return {}


def _contained(call: Callable[..., Any], owner: str) -> Callable[..., Any]:
    """The same call, whose every failure is one of the device."""

    def at_once(*given: Any, **named: Any) -> Any:
        try:
            result = call(*given, **named)
        except _KNOWN:
            raise
        except BaseException as error:
            raise _failed(owner, shown(error)) from error
        return later(result) if inspect.isawaitable(result) else result

    async def later(result: Any) -> Any:
        try:
            return await result
        except _KNOWN:
            raise
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            raise _failed(owner, shown(error)) from error

    return at_once


def _failed(owner: str, why: str) -> DeviceError:
    return ProtocolViolationError(f"the code of its protocol failed: {why}", hint=f"tell whoever wrote {owner}")
