"""The database that a station file names, with its secrets read from where they are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.engine.project import StationProject
from harness.errors import HarnessError
from harness.telemetry.influx import InfluxSettings
from harness.telemetry.station import influx_settings as settings_of

if TYPE_CHECKING:
    from harness.telemetry.outbox import OutboxStatus


def influx_settings(on: StationProject) -> InfluxSettings | None:
    """Settings of the station's InfluxDB; None when it has none. ConfigError when a secret is missing."""
    entry = on.station.telemetry.influxdb
    return None if entry is None else settings_of(entry, on.base)


def push_now(
    folder: Path,
    settings: InfluxSettings,
    at_most: float,
    *,
    from_start: bool = False,
    again: str = "",
    told: Callable[[str], None] | None = None,
) -> tuple[bool, str]:
    """Send what a database has not got of a run, in real time; (whether all arrived, a line about it).

    `again` is the command that sends the rest; `told` hears how far it is.
    """
    from harness.clock import run
    from harness.telemetry.push import resume_outbox

    def progress(status: OutboxStatus) -> None:
        if told is not None:
            told(_so_far(status))

    try:
        status = run(
            lambda: resume_outbox(
                folder, settings, at_most, from_start=from_start, told=progress if told is not None else None
            )
        )
    except HarnessError as error:
        return False, f"nothing sent: {error}"
    text = _so_far(status)
    if status.backlog:
        return False, f"{text}; later: {again}" if again else text
    return not status.refused, text


def _so_far(status: OutboxStatus) -> str:
    parts = [f"{status.sent} lines sent"]
    if status.refused:
        parts.append(f"{status.refused} refused for good ({status.refusal})")
    if status.backlog:
        parts.append(f"{status.backlog} entries wait" + (f" ({status.last_error})" if status.last_error else ""))
    return ", ".join(parts)
