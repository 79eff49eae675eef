"""The record: sealed or not there at all, altered never unnoticed, PASS only where it follows."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from harness.clock import Clock, run
from harness.errors import ConfigError, TelemetryError
from harness.limits.verdict import Verdict
from harness.quantity import Frame
from harness.record import folder as folder_module
from harness.record.folder import RUN_ID, RunFolder, data_dir, run_id
from harness.record.index import find_run, list_runs
from harness.record.report import render_text
from harness.record.result import (
    ClockInfo,
    DeviceCoverage,
    DeviceRecord,
    EventEntry,
    Header,
    InputFile,
    InterlockResult,
    Measurement,
    Result,
    SafeState,
    SafeStateAction,
    StepResult,
    measurement_event,
    result_schema,
)  # fmt: skip
from harness.record.verification import verify
from harness.telemetry.journal import Journal
from harness.telemetry.rows import SignalInfo

WHEN = 1_795_337_100 * 10**9 + 123_456_789  # 2026-11-22T08:45:00Z

PLAN = b"schema: 1\n"
PLAN_SHA = hashlib.sha256(PLAN).hexdigest()
ACTION = SafeStateAction(action="pdu off", is_confirmed=True, took_s=0.4)


def measured(**more):
    return Measurement(**{
        "name": "supply temperature", "signal": "cdu.supply_temperature", "value": 31.25, "unit": "degC", "low": 20.0,
        "high": 45.0, "limit": "supply_temperature_idle", "provenance": "rack specification 4.2", "verdict": "PASS",
        "margin": 11.25, "samples": 60, "coverage": 1.0,
    } | more)  # fmt: skip


def result(name, measurement=None, **more):
    step = StepResult(name="idle", step="measure", verdict=Verdict.PASS, measurements=(measurement or measured(),))
    return Result(**{
        "header": Header(run=name, host="bench", recorded_at="2026-11-22T08:45:00.123Z"), "serial": "RACK-0001",
        "operator": "op-7", "station": "line-3", "plan": "rack-acceptance", "started": "2026-01-01T00:00:00.000Z",
        "ended": "2026-01-01T01:02:03.000Z", "duration_s": 3723.0, "verdict": "PASS", "steps": (step,),
        "inputs": (InputFile(role="plan", name="plan.yaml", sha256=PLAN_SHA),),
        "clock": ClockInfo(mode="virtual", seed=7, is_simulated=True),
        "devices": (
            DeviceRecord(name="cdu", profile="cdu/meta_rpu", identity={"model": "RPU \x1b[31m"}, firmware="1.2"),
        ),
        "safe_state": SafeState(confirmed=True, actions=(ACTION,)),
        "interlocks": (InterlockResult(name="leak", signal="cdu.leak", armed_s=3700.0),), "coverage_required": 0.995,
        "coverage": (DeviceCoverage(device="cdu", expected=3600, received=3599, good=0.999),),
        "events": (EventEntry(at="2026-01-01T00:00:01.000Z", kind="step", text="idle"),), "notes": ("n",),
    } | more)  # fmt: skip


def recorded(data, journalled=None, seal=True, verdict="PASS", when=WHEN, **more):
    """A run's folder with a journal of some frames, sealed."""
    folder = RunFolder.create(data, "RACK-0001", when)
    final = result(folder.run, **more)

    async def main():
        journal = await Journal.create(folder.journal, Clock(), {"run": folder.run, "plan": "rack-acceptance"})
        journal.declare("cdu", [SignalInfo("flow", "L/min")])
        for number in range(40):
            journal.add_frame(Frame("cdu", number, float(number), np.array([number * 1.5]), np.zeros(1, np.uint8)))
        for step in final.steps:
            for one in step.measurements:
                journal.add_event("measurement", **measurement_event(step.name, step.attempt, journalled or one))
        journal.add_event("verdict", verdict=verdict)
        await journal.close()

    run(main, rate=float("inf"))
    folder.write("plan.yaml", PLAN)
    folder.write("limits/nvl72.yaml", b"schema: 1\nlimits: {}\n")
    if seal:
        assert len(folder.seal(final)) == 64
    return folder


def test_a_sealed_record_stands(tmp_path):
    folder = recorded(tmp_path)
    assert verify(folder.path) == []
    document = json.loads((folder.path / "manifest.json").read_bytes())
    assert [entry["name"] for entry in document["files"]] == [
        "journal.db",
        "limits/nvl72.yaml",
        "plan.yaml",
        "result.json",
        "run.lock",
    ]
    (folder.path / "outbox.json").write_text("{}")
    (folder.path / "exports").mkdir()
    (folder.path / "exports" / "run.csv").write_text("a")
    assert verify(folder.path) == [], "bookkeeping of copies and exports are not evidence"


def test_every_alteration_is_noticed(tmp_path):
    folder = recorded(tmp_path)
    for name in ("journal.db", "limits/nvl72.yaml", "plan.yaml", "result.json", "manifest.json"):
        path = folder.path / name
        whole = path.read_bytes()
        for offset in {0, len(whole) // 3, len(whole) - 2}:
            path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 1]) + whole[offset + 1 :])
            assert verify(folder.path), f"{name} altered at {offset}"
        path.unlink()
        assert any(f"{name} is missing" in line for line in verify(folder.path))
        path.write_bytes(whole)
    (folder.path / "extra.txt").write_text("x")
    assert verify(folder.path) == ["extra.txt is not in the manifest"]
    (folder.path / "extra.txt").unlink()
    (folder.path / "plan.yaml").unlink()
    os.symlink("/etc/hostname", folder.path / "plan.yaml")
    assert any("plan.yaml" in line for line in verify(folder.path))


def test_a_manifest_made_to_fit_has_another_record_id(tmp_path):
    folder = recorded(tmp_path)
    path = folder.path / "manifest.json"
    document = json.loads(path.read_bytes())
    document["files"] = [entry for entry in document["files"] if entry["name"] != "plan.yaml"]
    (folder.path / "plan.yaml").unlink()
    path.write_text(json.dumps(document))
    assert verify(folder.path) == [
        "manifest.json was altered: its record id does not match its list of files",
        "the record holds no copy of the plan file plan.yaml that the run was made from",
    ]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"journalled": measured(value=51.0, verdict="FAIL")}, "result.json says 31.25 PASS, the journal 51.0 FAIL"),
        ({"journalled": measured(name="other")}, "is not in the journal"),
        ({"measurement": measured(value=51.0)}, "PASS with 51.0 outside 20.0 to 45.0"),
        ({"measurement": measured(value=None)}, "PASS without a value"),
        ({"measurement": measured(value=float("nan"))}, "PASS without a value"),
        ({"measurement": measured(verdict="FAIL")}, "PASS does not follow"),
        ({"inputs": (InputFile(role="plan", name="plan.yaml", sha256="0" * 64),)}, "no copy of the plan file"),
        ({"verdict": "FAIL"}, "result.json says PASS, the journal FAIL"),
        ({"steps": ()}, "no step was executed"),
        ({"safe_state": SafeState(confirmed=False)}, "the safe state is not confirmed"),
        ({"interlocks": (InterlockResult(name="leak", is_tripped=True),)}, "interlock 'leak' tripped"),
        ({"coverage": (DeviceCoverage(device="cdu", expected=100, received=99, good=1.0),)}, "has 99.00% of its data"),
        ({"coverage": (DeviceCoverage(device="cdu", expected=100, received=100, good=0.9),)}, "has 90.00% of its data"),
    ],
)
def test_a_verdict_that_does_not_follow_is_a_problem(tmp_path, more, expected):
    problems = verify(recorded(tmp_path, **more).path)
    assert any(expected in line for line in problems), problems


def test_a_second_attempt_counts_instead_of_the_first(tmp_path):
    first = StepResult(
        name="idle", step="measure", verdict=Verdict.FAIL, measurements=(measured(value=50.0, verdict="FAIL"),)
    )
    again = StepResult(name="idle", step="measure", attempt=2, verdict=Verdict.PASS, measurements=(measured(),))
    assert verify(recorded(tmp_path, steps=(first, again)).path) == []
    assert verify(recorded(tmp_path, steps=(again, first)).path), "order matters: the last attempt counts"


def test_results_with_nan_are_json_and_two_of_one_seed_differ_in_the_header_only():
    one = result("r1", measured(value=float("nan"), margin=float("inf")))
    document = json.loads(one.to_bytes(), parse_constant=pytest.fail)
    assert document["steps"][0]["measurements"][0]["value"] is None
    assert document["schema"] == 1
    assert Result.from_bytes(one.to_bytes()) == one
    other = json.loads(result("r2", measured(value=float("nan"), margin=float("inf"))).to_bytes())
    assert other.pop("header") != document.pop("header")
    assert other == document
    assert set(result_schema()["required"]) >= {"header", "serial", "verdict", "safe_state"}


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"schema": 2}', b"\xff", b"{" * 1000])
def test_what_is_not_a_result_is_refused_in_words(content):
    with pytest.raises(TelemetryError, match=r"result\.json is not readable"):
        Result.from_bytes(content)


def test_a_failed_save_is_never_sealed(tmp_path, monkeypatch):
    folder = recorded(tmp_path, seal=False)
    calls = []

    def failing(path, content, **_):
        calls.append(path.name)
        if len(calls) == limit:
            raise OSError(28, "No space left on device")
        return real(path, content)

    real = folder_module.atomic_write
    monkeypatch.setattr(folder_module, "atomic_write", failing)
    for failing_call in (1, 2):
        limit = failing_call
        calls.clear()
        with pytest.raises(TelemetryError, match="No space left"):
            folder.seal(result(folder.run))
        assert not folder.is_sealed
        assert list_runs(tmp_path)[0].verdict == "INTERRUPTED"
    calls.clear()
    limit = 99
    folder.seal(result(folder.run))
    assert calls == ["result.json", "manifest.json"]
    with pytest.raises(TelemetryError, match="sealed already"):
        folder.seal(result(folder.run))


def test_a_disk_that_lies_is_found_by_reading_back(tmp_path, monkeypatch):
    folder = recorded(tmp_path, seal=False)
    real = folder_module.atomic_write
    monkeypatch.setattr(
        folder_module, "atomic_write",
        lambda path, content, **_: real(path, content.replace(b"31.25", b"31.26")),
    )  # fmt: skip
    with pytest.raises(TelemetryError, match="reads back differently"):
        folder.seal(result(folder.run))
    assert not folder.is_sealed


def test_an_open_journal_or_another_runs_result_is_not_sealed(tmp_path):
    folder = recorded(tmp_path, seal=False)
    with pytest.raises(TelemetryError, match="no verdict of a run"):
        folder.seal(result(folder.run, verdict="RUNNING"))
    with pytest.raises(TelemetryError, match="is of run"):
        folder.seal(result("another"))
    (folder.path / "journal.db-wal").write_bytes(b"")
    with pytest.raises(TelemetryError, match="still open, or failed"):
        folder.seal(result(folder.run))
    folder.seal(result(folder.run, verdict="ERROR"))
    assert verify(folder.path) == ["result.json says ERROR, the journal PASS"]


def test_run_ids_sort_by_time_and_are_unique(tmp_path):
    assert run_id("RACK-0001", WHEN, "3f9a") == "2026-11-22T084500Z-RACK-0001-3f9a"
    names = [RunFolder.create(tmp_path, "A.b_c-1", WHEN + second * 10**9).run for second in (0, 0, 0, 1, 60, 86_400)]
    assert len(set(names)) == 6
    assert sorted(names[2:]) == names[2:]
    assert all(RUN_ID.fullmatch(name) for name in names)
    for bad in ("", "../x", "a b", "x\n", "é", "a" * 65):
        with pytest.raises(ValueError, match="serial"):
            run_id(bad, WHEN, "0000")
    for name in ("../x", "/etc/x", "", "a/../../b", "a\\b"):
        with pytest.raises(ValueError, match="not a name"):
            RunFolder(tmp_path).write(name, b"")


def test_runs_are_listed_and_found(tmp_path):
    assert list_runs(tmp_path) == []
    done = recorded(tmp_path)
    cut = recorded(tmp_path, seal=False, when=WHEN + 10**9)
    broken = recorded(tmp_path, when=WHEN + 2 * 10**9)
    (broken.path / "result.json").write_text("{")
    (tmp_path / "runs" / "notes").mkdir()
    listed = list_runs(tmp_path)
    assert [(one.run, one.verdict, one.is_sealed) for one in listed] == [
        (done.run, "PASS", True), (cut.run, "INTERRUPTED", False), (broken.run, "ERROR", False),
    ]  # fmt: skip
    assert (listed[0].serial, listed[0].plan, listed[1].plan) == ("RACK-0001", "rack-acceptance", "rack-acceptance")
    assert listed[1].started == "2026-11-22T08:45:01Z"
    assert find_run(tmp_path, done.run) == done.path
    assert find_run(tmp_path, "T084501Z") == cut.path
    assert find_run(tmp_path, "last") == broken.path
    assert find_run(tmp_path, str(done.path)) == done.path
    for wrong in ("RACK-0001", "nothing", "", "/etc", ".."):
        with pytest.raises(ConfigError):
            find_run(tmp_path, wrong)


def test_the_report_says_what_matters_and_no_terminal_codes(tmp_path):
    text = render_text(recorded(tmp_path).path)
    assert text.startswith("PASS  RACK-0001\n")
    for expected in ("31.25 degC", "[20 .. 45]", "margin 11.2", "rack specification 4.2", "Safe state: confirmed",
                     "seed 7", "3599 of 3600", "record id", "simulated devices", "1 h 2 min"):  # fmt: skip
        assert expected in text
    assert "\x1b" not in text
    unsafe = render_text(recorded(tmp_path, safe_state=SafeState(confirmed=False)).path)
    assert "NOT CONFIRMED - look at the rack" in unsafe
    cut = render_text(recorded(tmp_path, seal=False).path)
    assert cut.startswith("INTERRUPTED  RACK-0001")
    assert "verdict=PASS" in cut
    with pytest.raises(TelemetryError, match="does not exist"):
        render_text(tmp_path)


def test_the_data_folder_is_explicit_or_environment_or_the_platforms(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "env"))
    assert data_dir(tmp_path / "given") == tmp_path / "given"
    assert data_dir() == tmp_path / "env"
    monkeypatch.delenv("HARNESS_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    assert data_dir() == tmp_path / "xdg" / "harness"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert data_dir() == tmp_path / "home" / ".local" / "share" / "harness"
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written") as caught:
        data_dir(tmp_path / "file" / "data")
    assert "\n" not in str(caught.value)
    monkeypatch.setattr(folder_module, "MIN_FREE_BYTES", 1 << 60)
    with pytest.raises(ConfigError, match="50 MB are needed"):
        data_dir(tmp_path / "given")


def test_a_full_disk_keeps_nobody_from_reading_records_or_reaching_a_run(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from harness.cli.commands.ctl import ctl
    from harness.cli.commands.records import runs
    from harness.errors import ConfigError, RunError

    class Full:
        free = 0

    monkeypatch.setattr("harness.record.folder.shutil.disk_usage", lambda _: Full())
    with pytest.raises(ConfigError, match="0 MB free"):
        data_dir(tmp_path)
    listed = CliRunner().invoke(runs, ["--data", str(tmp_path)], standalone_mode=False)
    assert listed.exception is None
    assert "no runs in" in listed.output
    reached = CliRunner().invoke(ctl, ["status", "--data", str(tmp_path)], standalone_mode=False)
    assert isinstance(reached.exception, RunError)
    assert "no run goes on whose record is in" in str(reached.exception)


def test_a_data_folder_whose_journals_no_database_could_open_is_refused_at_once(tmp_path):
    def folder(length: int) -> Path:
        path = tmp_path
        while (rest := length - len(os.fsencode(path))) > 0:
            path = path / ("a" * (rest - 1 if rest < 200 else 150))
        assert len(os.fsencode(path)) == length
        return path

    with pytest.raises(ConfigError, match=r"the path of the data folder has 381 bytes, 380 are the most"):
        data_dir(folder(381))
    assert not folder(381).exists()
    data = data_dir(folder(380))
    run = RunFolder.create(data, "S" * 64, 0)
    with sqlite3.connect(run.journal) as database:
        database.execute("pragma journal_mode=wal")
        database.execute("create table t(x)")
    database.close()
