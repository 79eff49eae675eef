"""The database that a station file names, with its secrets read from where they are kept."""

from __future__ import annotations

from pathlib import Path

from harness.device.credentials import read_secret
from harness.engine.project import StationProject
from harness.errors import HarnessError
from harness.telemetry.influx import InfluxSettings


def influx_settings(on: StationProject) -> InfluxSettings | None:
    """Settings of the station's InfluxDB; None when it has none. ConfigError when a secret is missing."""
    entry = on.station.telemetry.influxdb
    if entry is None:
        return None
    token_file = on.base / entry.token.file if entry.token is not None and entry.token.file else None
    return InfluxSettings(
        url=entry.url,
        org=entry.org,
        bucket=entry.bucket,
        token=read_secret(entry.token, on.base) if entry.token is not None else None,
        api=entry.api,
        database=entry.database,
        user=entry.user,
        password=read_secret(entry.password, on.base) if entry.password is not None else None,
        token_file=token_file,
    )


def push_now(folder: Path, settings: InfluxSettings, at_most: float, *, from_start: bool = False) -> tuple[bool, str]:
    """Send what a database has not got of a run, in real time; (whether all arrived, a line about it)."""
    from harness.clock import run
    from harness.telemetry.push import resume_outbox

    try:
        status = run(lambda: resume_outbox(folder, settings, at_most, from_start=from_start))
    except HarnessError as error:
        return False, f"database: nothing sent: {error}"
    told = f"database: {status.sent} lines sent"
    if status.dead:
        told += f", {status.dead} refused for good"
    if status.backlog:
        again = f"later: harness push {folder.name} --station ..."
        return False, f"{told}, {status.backlog} entries still wait ({status.last_error}); {again}"
    return not status.dead, told
