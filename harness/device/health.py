"""How a device has been doing, and what an error of it says of its values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from harness.errors import DeviceError, IdentityError, ProtocolViolationError, RefusedError, UnreachableError
from harness.quantity import Quality


@dataclass(slots=True)
class Health:
    """How the device has been doing."""

    polls: int = 0
    failures_in_a_row: int = 0
    failed: int = 0
    skipped: int = 0
    """Polls left out because the one before was still under way, or the device is dormant."""
    last_good: float = -math.inf
    last_error: str = ""
    is_answering: bool = False
    """Whether the last failure was an answer: one that cannot be used, or a no."""
    by_kind: dict[str, int] = field(default_factory=dict)
    latency_s: float = 0.0

    def count(self, kind: str) -> None:
        """One more error of a kind."""
        self.by_kind[kind] = self.by_kind.get(kind, 0) + 1

    def silence(self, seconds: float) -> str:
        """What it means that nothing could be used for so long, in words."""
        if self.is_answering:
            return f"answers, but nothing that it has said for {seconds:.0f} s can be used"
        return f"has not answered for {seconds:.0f} s"


_KINDS: tuple[tuple[type[DeviceError], str, Quality], ...] = (
    (UnreachableError, "unreachable", Quality.BAD_TIMEOUT),
    (ProtocolViolationError, "violation", Quality.BAD_VIOLATION),
    (RefusedError, "refused", Quality.BAD_REFUSED),
    (IdentityError, "identity", Quality.BAD_VIOLATION),
)


def kind_of(error: DeviceError) -> tuple[str, Quality]:
    """The kind that an error counts as, and the quality of what was not read."""
    return next(((kind, q) for cls, kind, q in _KINDS if isinstance(error, cls)), ("other", Quality.BAD_VIOLATION))
