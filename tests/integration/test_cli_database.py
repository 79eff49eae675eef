"""The copy of a virtual run goes out afterwards; `harness push` sends what a database missed."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path

from tests.integration.cli_tools import harness, write_plan
from tests.tools.database import Reply, ScriptedDatabase


def station_with_database(folder: Path, url: str) -> Path:
    """The built-in simulated station with a database added."""
    (root,) = (Path(entry.load()()) for entry in entry_points(group="harness.plans"))
    text = (root / "stations" / "simulated.yaml").read_text()
    path = folder / "station.yaml"
    path.write_text(f'{text}\ntelemetry:\n  influxdb: {{url: "{url}", bucket: burnin, token: {{env: THE_TOKEN}}}}\n')
    return path


def test_a_virtual_run_is_copied_afterwards_and_a_missed_one_is_pushed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("THE_TOKEN", "not-to-be-seen-anywhere")
    plan = write_plan(tmp_path)
    with ScriptedDatabase([]) as database:
        station = station_with_database(tmp_path, database.url)
        options = ("run", str(plan), "--simulate", "--virtual", "--station", str(station))
        done = harness(*options, data=tmp_path / "one")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "lines sent" in done.stdout
        stored = len(database.points)
        assert stored > 100
    with ScriptedDatabase([Reply(401)] * 50) as refusing:
        station = station_with_database(tmp_path, refusing.url)
        assert station == tmp_path / "station.yaml"
        missed = harness("push", "last", "--station", str(station), "--at-most", "2", data=tmp_path / "one")
        assert missed.returncode == 3, missed.stdout + missed.stderr
        assert "entries wait" in missed.stdout
    with ScriptedDatabase([]) as later:
        station = station_with_database(tmp_path, later.url)
        pushed = harness("push", "last", "--station", str(station), data=tmp_path / "one")
        assert pushed.returncode == 0, pushed.stdout + pushed.stderr
        assert len(later.points) == stored
    said = [done.stdout, done.stderr, missed.stdout, missed.stderr, pushed.stdout, pushed.stderr]
    assert not any("not-to-be-seen" in text for text in said)
    record = next((tmp_path / "one" / "runs").iterdir())
    assert not any(b"not-to-be-seen" in path.read_bytes() for path in record.rglob("*") if path.is_file())


def test_a_copy_that_does_not_arrive_is_told_and_counted_with_the_command_that_sends_it(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("THE_TOKEN", "not-to-be-seen-anywhere")
    plan = write_plan(tmp_path, hold="1 s")
    with ScriptedDatabase([Reply(401)] * 99) as refusing:
        station = station_with_database(tmp_path, refusing.url)
        options = ("run", str(plan), "--simulate", "--speed", "5", "--station", str(station), "--json")
        done = harness(*options, data=tmp_path / "one")
        port = refusing.port
    events = [json.loads(line) for line in done.stdout.splitlines()]
    reported = [event for event in events if event["kind"] == "telemetry"]
    assert len(reported) == 1
    assert "a person must act" in reported[0]["text"]
    assert reported[0]["data"]["alarm"] is True
    result = events[-1]
    assert result["verdict"] == "PASS", done.stderr
    telemetry = result["telemetry"]
    assert telemetry["sent"] == 0
    assert telemetry["waiting"] > 50
    assert "HTTP 401" in telemetry["reason"]
    report = harness("report", "last", data=tmp_path / "one")
    assert telemetry["command"] in report.stdout
    assert f"{telemetry['waiting']} entries of the record are not there yet" in report.stdout
    with ScriptedDatabase([], port=port) as later:
        command = telemetry["command"].split()
        pushed = harness(*command[1:], data=tmp_path / "one")
        assert pushed.returncode == 0, pushed.stdout + pushed.stderr
        assert len(later.points) > 50
    assert harness("verify", "last", data=tmp_path / "one").returncode == 0
