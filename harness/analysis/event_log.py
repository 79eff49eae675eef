"""Logs of devices against what a test provoked: exactly these events, no more and no fewer. Pure.

A log is seen as signals: one that shows a word has had that event (or none of its words), one that shows flags has had
each of them, a counter has had as many as it counted. Nothing is uncertain: an entry is there or it is not.
"""

from __future__ import annotations

from collections.abc import Mapping

Events = Mapping[str, int]
"""Event -> how often; of a counter the event has no name ('')."""


def differences(provoked: Mapping[str, Events], logged: Mapping[str, Events]) -> list[str]:
    """What is missing in the logs, and what is there though nothing provoked it, in words, by signal."""
    found = []
    for signal, there in logged.items():
        wanted = provoked.get(signal, {})
        for event in dict.fromkeys((*wanted, *there)):
            due, seen = wanted.get(event, 0), there.get(event, 0)
            if due == seen:
                continue
            what = f"{signal} {event}".rstrip()
            times = "" if event and max(due, seen) == 1 else f" ({seen}, provoked {due})"
            found.append(f"missing: {what}{times}" if seen < due else f"not provoked: {what}{times}")
    return found
