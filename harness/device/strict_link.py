"""The link of a protocol of others: it fails as a device fails, and it gives what a link gives, or it has failed.

So a run ends as with a device that answers nonsense, and `harness safe` switches off what the other devices have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from harness.device.link import Link, PlainLink, ReadPlan, Reply
from harness.device.points import ControlPoint, SignalPoint
from harness.device.third_party import Failed, bordered, third_party
from harness.device.wire import Channel, Command, Read
from harness.errors import DeviceError, ProtocolViolationError

T = TypeVar("T")
_MEANT = (TimeoutError, KeyboardInterrupt)


class StrictLink:
    """A link of others behind a border; see `harness.device.link.Link` for what it has."""

    def __init__(self, link: Link, owner: str) -> None:
        """`owner` is the package that it is from."""
        self._link = link
        self._owner = owner

    async def open(self) -> Sequence[SignalPoint]:
        """See `Link.open`: points, nothing else."""
        return self._all(SignalPoint, await self._ask("open"))

    def plan(self, points: Sequence[SignalPoint]) -> ReadPlan:
        """See `Link.plan`: a plan behind the same border."""
        return _StrictPlan(self._ask("plan", points), len(points), self._failed)

    async def write(self, control: ControlPoint, value: float, word: str) -> None:
        """See `Link.write`."""
        await self._ask("write", control, value, word)

    async def write_batch(self, wanted: Sequence[tuple[ControlPoint, float, str]]) -> None:
        """See `Link.write_batch`."""
        await self._ask("write_batch", wanted)

    async def commands(self, control: ControlPoint, value: float, word: str) -> list[Command]:
        """See `Link.commands`: commands, nothing else."""
        return self._all(Command, await self._ask("commands", control, value, word))

    def reading(self, point: SignalPoint) -> Read:
        """See `Link.reading`."""
        return self._all(Read, [self._ask("reading", point)])[0]

    async def keep_alive(self, wall_ns: int, now: float) -> None:
        """See `Link.keep_alive`."""
        await self._ask("keep_alive", wall_ns, now)

    def renew(self) -> None:
        """See `Link.renew`."""
        self._ask("renew")

    async def close(self) -> None:
        """See `Link.close`."""
        await self._ask("close")

    @property
    def channel(self) -> Channel:
        """See `Link.channel`. Who uses it has a border of its own: `harness.safety.reach.StrictReach`."""
        channel: Channel = self._get("channel")
        return channel

    @property
    def max_batch(self) -> int:
        """See `Link.max_batch`."""
        return self._all(int, [self._get("max_batch")])[0]

    @property
    def rows_found(self) -> Mapping[str, int]:
        """See `Link.rows_found`."""
        return self._counts(self._get("rows_found"))

    @property
    def patience(self) -> float:
        """See `Link.patience`."""
        return float(self._all((int, float), [self._get("patience")])[0])

    def health(self) -> Mapping[str, int]:
        """See `Link.health`."""
        return self._counts(self._ask("health"))

    def _ask(self, name: str, *given: Any) -> Any:
        return bordered(self._get(name), self._failed, *_MEANT)(*given)

    def _get(self, name: str) -> Any:
        with third_party(self._failed, *_MEANT):
            return getattr(self._link, name)

    def _counts(self, found: Any) -> Mapping[str, int]:
        if not isinstance(found, Mapping):
            raise self._failed(f"it gives {type(found).__name__} for counts")
        self._all(str, list(found))
        self._all(int, list(found.values()))
        return found

    def _all(self, kind: type[T] | tuple[type[T], ...], found: Any) -> list[T]:
        if not isinstance(found, list | tuple) or not all(isinstance(each, kind) for each in found):
            wanted = kind.__name__ if isinstance(kind, type) else "number"
            raise self._failed(f"it gives {type(found).__name__} for {wanted}s")
        return list(found)

    def _failed(self, why: str) -> DeviceError:
        hint = f"tell whoever wrote {self._owner}"
        return ProtocolViolationError(f"the code of its protocol failed: {why}", hint=hint)


class _StrictPlan:
    def __init__(self, plan: Any, count: int, failed: Failed) -> None:
        self._plan = plan
        self._count = count
        self._failed = failed

    async def read(self, *, is_urgent: bool = False) -> Reply:
        """See `ReadPlan.read`."""
        with third_party(self._failed, *_MEANT):
            reply = await self._plan.read(is_urgent=is_urgent)
        if not isinstance(reply, Reply) or len(reply.raw) != self._count or len(reply.qualities) != self._count:
            raise self._failed(f"it gives {type(reply).__name__} for {self._count} signals")
        return reply


class BrokenLink(PlainLink):
    """The link of a device whose protocol could not make one: the device is there, and fails."""

    def __init__(self, error: DeviceError) -> None:
        self._error = error

    def __getattr__(self, name: str) -> NoReturn:
        raise self._error

    def renew(self) -> None:
        """Nothing was learnt."""

    async def close(self) -> None:
        """Nothing is open."""

    def health(self) -> Mapping[str, int]:
        """Nothing was sent."""
        return {}
