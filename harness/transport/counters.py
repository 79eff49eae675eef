"""What a transport counts, so that the health of a link can be shown and judged."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Events of one link since it was made. Numbers only grow."""

    requests: int = 0
    """Requests sent, repeats included."""
    timeouts: int = 0
    """Requests without a whole reply before the deadline."""
    violations: int = 0
    """Replies, or unasked bytes, that did not match what was asked."""
    refused: int = 0
    """Requests the device understood and declined, busy answers included."""
    busy_retries: int = 0
    """Reads repeated because the device said it was busy."""
    connects: int = 0
    """Connections that came up."""
    connect_failures: int = 0
    """Connections that did not come up."""
    lost: int = 0
    """Connections that the peer or the network ended while a reply was due."""
    stale_replies: int = 0
    """Late replies to requests given up earlier, recognised and skipped."""
    abandoned: int = 0
    """Blocked driver threads left behind."""
