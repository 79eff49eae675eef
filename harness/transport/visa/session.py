"""What a session with an instrument is to its owner, and the ways in which one ends early."""

from __future__ import annotations

from typing import Protocol


class IdleClosed(EOFError):  # noqa: N818 (it never leaves the transport)
    """The instrument ended the session while nothing was under way; nothing of the new request was sent."""


class Unfinished(TimeoutError):  # noqa: N818 (it never leaves the transport)
    """Something came, but not all that was awaited."""


class Abandoned(Exception):  # noqa: N818 (it never leaves the transport)
    """A driver call outlived its deadline and was left behind."""


class Session(Protocol):
    """One connection from open to close. Never used again after an error.

    Raises: OSError (TimeoutError among them) and EOFError when unreachable (`IdleClosed` when nothing was
    sent), `Unasked`, `Abandoned`.
    """

    @property
    def is_blocked(self) -> bool:
        """Whether a driver call is still under way, although nobody waits for it any more."""
        ...

    async def open(self, timeout: float) -> None:
        """Connect within `timeout` seconds."""
        ...

    async def write(self, line: bytes, timeout: float) -> None:
        """Send one line (without terminator)."""
        ...

    async def ask(self, line: bytes, timeout: float) -> bytes:
        """Send one line and return the one line (without terminator) that answers it; at most `MAX_REPLY` bytes."""
        ...

    def at_once(self, text: str) -> str | None:
        """The answer to a query without any waiting, where that is possible (virtual time); None: `ask`."""
        ...

    async def close(self) -> None:
        """Let go of the connection; never raises, never waits for a blocked driver."""
        ...
