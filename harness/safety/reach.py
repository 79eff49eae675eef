"""What the executor of a safe state needs of whoever calls it: a way to the devices, and a place to write down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from harness.device.wire import Read
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


class Notes(Protocol):
    """Where it is written down."""

    async def intent(self, device: str, commands: Mapping[str, str]) -> None:
        """Called before anything is sent; returns when the intent is durable."""
        ...

    def note(self, kind: EventKind, /, **data: Any) -> None:
        """What came of it: acknowledged, refused, unclear, confirmed, not confirmed, safe action."""
        ...
