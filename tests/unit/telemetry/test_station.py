"""The sink that a station file names, with its secrets from files."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError
from harness.schema.fields import FileRef
from harness.schema.station import Influx
from harness.telemetry.station import influx_settings


def test_settings_come_from_the_station_and_secrets_from_files(tmp_path, monkeypatch):
    token = tmp_path / "influx.token"
    token.write_text("tok-1\n")
    token.chmod(0o600)
    monkeypatch.setenv("INFLUX_PASSWORD", "pw-2")
    given = Influx(url="http://influx:8086", org="factory", bucket="burnin", token=FileRef(file="influx.token"))
    settings = influx_settings(given, tmp_path)
    assert settings.token is not None
    assert (settings.token.reveal(), settings.token_file) == ("tok-1", token)
    assert settings.sink == "influxdb http://influx:8086 factory/burnin"
    assert "tok-1" not in repr(settings)
    old = Influx(url="http://influx:8086", api="v1", database="db", user="me", password=FileRef(env="INFLUX_PASSWORD"))
    settings = influx_settings(old, tmp_path)
    assert settings.password is not None
    assert (settings.password.reveal(), settings.user, settings.token_file) == ("pw-2", "me", None)
    token.chmod(0o644)
    with pytest.raises(ConfigError, match="others"):
        influx_settings(given, tmp_path)
    token.unlink()
    with pytest.raises(ConfigError, match="cannot read"):
        influx_settings(given, tmp_path)
    with pytest.raises(ConfigError, match="http"):
        influx_settings(Influx(url="influx:8086", bucket="b"), tmp_path)
