"""Whether the copy of the record arrives in the database: reported when that changes, counted when the run ends.

The run goes on without it, and nothing is lost: the journal is the queue. But who looks at a dashboard must not take
silence for a quiet rack, and who archives a record must know what the database lacks.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from harness.clock import iso
from harness.events import EventKind
from harness.project.model import StationProject
from harness.record.result import Telemetry
from harness.telemetry.outbox import OutboxStatus

if TYPE_CHECKING:
    from harness.engine.state import RunState

LATE_S = 10.0
"""Trouble is reported when it has lasted so long, seconds; at once when a person must act."""
QUIET_S = 60.0
"""So long nothing more is reported of the same database, seconds: one that comes and goes fills no record."""
LOOK_EVERY_S = 1.0


def push_command(run: str, on: StationProject) -> str:
    """The command that sends a database what it lacks of a run."""
    station = on.source.path
    return f"harness push {run}" + (f" --station {shlex.quote(str(station))}" if station is not None else "")


class CopyWatch:
    """Tells what becomes of the copy. `look` is called with its status and the time (monotonic, UTC ns)."""

    def __init__(self, state: RunState) -> None:
        self._log = state.log
        self._again = push_command(state.journal.path.parent.name, state.project.on)
        self._is_told = self._was_alarm = False
        self._told_at = float("-inf")
        self._refused = 0

    def look(self, status: OutboxStatus, now: float, wall_ns: int) -> None:
        """Tell what has changed, if anything."""
        if status.refused > self._refused and now - self._told_at >= QUIET_S:
            new, self._refused, self._told_at = status.refused - self._refused, status.refused, now
            self._tell(f"the database refuses {new} lines for good: {status.refusal}", status)
        if not status.last_error:
            if self._is_told:
                self._is_told, self._told_at = False, now
                self._tell(f"the database takes everything again; {status.backlog} entries wait", status)
            return
        is_due = status.is_alarm or wall_ns - status.since >= LATE_S * 1e9
        is_news = not self._is_told or status.is_alarm > self._was_alarm
        if is_due and is_news and (status.is_alarm or now - self._told_at >= QUIET_S):
            self._is_told, self._was_alarm, self._told_at = True, status.is_alarm, now
            act = "a person must act; " if status.is_alarm else ""
            self._tell(
                f"the database has taken nothing since {iso(status.since)[11:19]} ({status.last_error}); {act}"
                f"{status.backlog} entries wait in the record, later: {self._again}",
                status,
            )

    def _tell(self, text: str, status: OutboxStatus) -> None:
        self._log.event(
            EventKind.TELEMETRY,
            text,
            sent=status.sent,
            waiting=status.backlog,
            refused=status.refused,
            reason=status.last_error or status.refusal,
            alarm=status.is_alarm,
        )


async def watch_copy(state: RunState) -> None:
    """Look once a second, until cancelled."""
    watch = CopyWatch(state)
    while state.outbox is not None:
        await state.clock.sleep(LOOK_EVERY_S)
        watch.look(state.outbox.status, state.clock.monotonic(), state.clock.wall_ns())


def telemetry_of(state: RunState) -> Telemetry | None:
    """What the database has of the run by now; None when there is none, or in virtual time (it is sent afterwards)."""
    settings = state.options.influxdb
    if state.outbox is None or settings is None:
        return None
    status = state.outbox.status
    is_whole = not status.backlog
    return Telemetry(
        sink=settings.sink,
        sent=status.sent,
        waiting=status.backlog,
        refused=status.refused,
        reason="" if is_whole and not status.refused else status.last_error or status.refusal,
        command="" if is_whole else push_command(state.journal.path.parent.name, state.project.on),
    )
