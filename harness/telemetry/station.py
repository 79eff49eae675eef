"""From the station file to the settings of a sink: secrets are read here, at the start, and again when refused."""

from __future__ import annotations

from pathlib import Path

from harness.device.credentials import read_secret
from harness.schema.station import Influx
from harness.telemetry.influx import InfluxSettings


def influx_settings(given: Influx, base: Path) -> InfluxSettings:
    """Settings of the InfluxDB that a station names; `base` is the station file's folder.

    ConfigError when a secret is not there or everybody can read it, or the url cannot be one.
    """
    return InfluxSettings(
        url=given.url,
        org=given.org,
        bucket=given.bucket,
        token=read_secret(given.token, base) if given.token is not None else None,
        api=given.api,
        database=given.database,
        user=given.user,
        password=read_secret(given.password, base) if given.password is not None else None,
        token_file=base / given.token.file if given.token is not None and given.token.file else None,
    )
