"""What the executor of a safe state needs of whoever calls it: a way to the devices, and a place to write down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from harness.device.third_party import third_party
from harness.device.wire import Read
from harness.errors import HarnessError, ProtocolViolationError
from harness.events import EventKind
from harness.safety.actions import Put


class Reach(Protocol):
    """The way to the devices."""

    def max_batch(self, device: str) -> int:
        """How many switches of a device one message may switch off; 1: one after the other."""
        ...

    def doubt(self, device: str) -> None:
        """A message to several switches was not done whole: from now on they are told one by one."""
        ...

    async def send(self, puts: Sequence[Put]) -> None:
        """Send one control's commands, or those of several with one message, once.

        Returning means acknowledged. DeviceError (RefusedError: the device said no) or TimeoutError otherwise.
        """
        ...

    async def look(self, device: str, reads: Sequence[Read]) -> Sequence[float | str]:
        """Read signals now; NaN is what is no measurement. DeviceError when the device does not answer."""
        ...


class StrictReach:
    """A reach whose every end is one that the executor knows: the code of a protocol may be somebody else's.

    What it raises besides takes no other device with it, and what it reads is one number or text for each read.
    """

    def __init__(self, inner: Reach) -> None:
        self._inner = inner

    def max_batch(self, device: str) -> int:
        """See `Reach.max_batch`; 1 where that cannot be found out."""
        try:
            with _border(device, "write"):
                return self._inner.max_batch(device)
        except HarnessError:
            return 1

    def doubt(self, device: str) -> None:
        """See `Reach.doubt`."""
        self._inner.doubt(device)

    async def send(self, puts: Sequence[Put]) -> None:
        """See `Reach.send`."""
        with _border(puts[0].device, "write"):
            await self._inner.send(puts)

    async def look(self, device: str, reads: Sequence[Read]) -> Sequence[float | str]:
        """See `Reach.look`."""
        with _border(device, "read"):
            values = list(await self._inner.look(device, reads))
        if len(values) != len(reads) or any(not isinstance(value, float | int | str) for value in values):
            raise ProtocolViolationError(f"{values!r} is no answer to {len(reads)} reads", device=device)
        return values


def _border(device: str, operation: str) -> AbstractContextManager[None]:
    def failed(why: str) -> HarnessError:
        return ProtocolViolationError(f"the code of its protocol failed: {why}", device=device, operation=operation)

    return third_party(failed, TimeoutError)


class Notes(Protocol):
    """Where it is written down."""

    async def intent(self, device: str, commands: Mapping[str, str]) -> None:
        """Called before anything is sent; returns when the intent is durable."""
        ...

    def note(self, kind: EventKind, /, **data: Any) -> None:
        """What came of it: acknowledged, refused, unclear, confirmed, not confirmed, safe action."""
        ...
