"""The database that a station file names, with its secrets read from where they are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.telemetry.influx import InfluxSettings

if TYPE_CHECKING:
    from harness.telemetry.outbox import OutboxStatus


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of a push."""

    is_complete: bool
    text: str
    """A line about it."""
    stopped: int = 0
    """The exit code of the signal that ended it before the time; 0: none did."""


def push_now(
    folder: Path,
    settings: InfluxSettings,
    at_most: float,
    *,
    from_start: bool = False,
    again: str = "",
    report: Callable[[str], None] | None = None,
) -> Pushed:
    """Send what a database has not got of a run, in real time, until all is there or a signal ends it.

    `again` is the command that sends the rest; `report` hears how far it is.
    """
    from harness.cli.session import run_session
    from harness.telemetry.push import resume_outbox

    def progress(status: OutboxStatus) -> None:
        if report is not None:
            report(_so_far(status))

    reached: list[OutboxStatus] = []

    async def work() -> int:
        reached.append(await resume_outbox(folder, settings, at_most, from_start=from_start, report=progress))
        return 0

    later = f"; later: {again}" if again else ""
    try:
        stopped = run_session(work)
    except HarnessError as error:
        return Pushed(is_complete=False, text=f"nothing sent: {error}")
    if not reached:
        return Pushed(is_complete=False, text=f"stopped before all was sent{later}", stopped=stopped)
    (status,) = reached
    text = _so_far(status)
    if status.backlog:
        return Pushed(is_complete=False, text=f"{text}{later}")
    return Pushed(is_complete=not status.refused, text=text)


def _so_far(status: OutboxStatus) -> str:
    parts = [f"{status.sent} lines sent"]
    if status.refused:
        parts.append(f"{status.refused} refused for good ({status.refusal})")
    if status.backlog:
        parts.append(f"{status.backlog} entries wait" + (f" ({status.last_error})" if status.last_error else ""))
    return ", ".join(parts)
