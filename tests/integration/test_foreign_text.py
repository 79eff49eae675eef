"""Bytes that are no UTF-8, wherever they come in: a run as any other, or one line and exit 2. Never exit 70."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.errors import HarnessError
from harness.guardian.log import GuardianLog
from harness.schema.problems import one_line
from harness.telemetry.rows import to_json
from harness.utf8 import all_utf8, utf8
from tests.integration.cli_tools import COMMAND
from tests.integration.pty_tools import Terminal

ODD = "pr\udce4f"
"""How Python keeps the bytes b"pr\\xe4f"."""


def invoke(*arguments: str, data: Path):
    return CliRunner().invoke(cli, list(arguments), env={"HARNESS_DATA": str(data), "HARNESS_STATION": ""})


def test_lone_surrogates_are_written_out():
    assert utf8("Prüf °C 漢") == "Prüf °C 漢"
    assert utf8(ODD) == r"pr\xe4f"
    assert utf8("\ud800 and \udfff") == r"\ud800 and \udfff"
    assert all_utf8({ODD: [ODD, 1, None, (ODD,)]}) == {r"pr\xe4f": [r"pr\xe4f", 1, None, [r"pr\xe4f"]]}
    assert one_line(f"{ODD}\n") == r"pr\xe4f\n"


def test_errors_and_records_take_any_text(tmp_path):
    error = HarnessError(ODD, where=ODD, hint=ODD)
    assert str(error).encode() == rb"pr\xe4f: pr\xe4f; pr\xe4f"
    assert json.loads(to_json({ODD: [ODD, {ODD: Path(ODD)}]}).encode()) == {
        r"pr\xe4f": [r"pr\xe4f", {r"pr\xe4f": r"pr\xe4f"}]
    }
    guardian_log = GuardianLog(tmp_path / "guardian_log.jsonl")
    guardian_log.note("command", text=ODD, found=[ODD])
    guardian_log._lines.put(None)
    guardian_log._thread.join(5)
    (entry,) = map(json.loads, (tmp_path / "guardian_log.jsonl").read_text().splitlines())
    assert (entry["text"], entry["found"]) == (r"pr\xe4f", [r"pr\xe4f"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", ODD),
        ("run", ODD, "--simulate"),
        ("run", "smoke", "--simulate", "--virtual", "--serial", ODD),
        ("run", "smoke", "--simulate", "--virtual", "--operator", ODD),
        ("run", "smoke", "--simulate", "--virtual", "--set", f"soak_time={ODD}"),
        ("run", "smoke", "--simulate", "--virtual", "--set", f"{ODD}=1"),
        ("run", "smoke", "--simulate", "--virtual", "--fault", ODD),
        ("run", "smoke", "--simulate", "--station", ODD),
        ("report", ODD),
        ("verify", ODD),
        ("probe", ODD),
        ("read", f"pdu.{ODD}", "--simulate"),
        ("set", "pdu.outlet", ODD, "--simulate", "--yes"),
        ("safe", "--simulate", "--sequence", ODD),
        ("profile", "show", ODD),
        ("profile", "check", ODD),
        ("profile", "try", "pdu/apc_rpdu2", f"snmp://{ODD}"),
        ("profile", "try", "pdu/apc_rpdu2", "snmp://127.0.0.1:1", "--credentials", ODD),
        ("sim", ODD),
        (ODD,),
    ],
    ids=lambda arguments: " ".join(arguments).replace(ODD, "ODD"),
)
def test_an_argument_that_is_no_utf8_is_refused_in_a_line(arguments, tmp_path):
    result = invoke(*arguments, data=tmp_path)
    assert result.exit_code == 2, result.output
    assert len(result.stderr.splitlines()) == 1
    result.stderr.encode()
    assert "udce4" not in result.stderr, "a byte has one spelling"
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").glob("2*"))


def test_a_folder_that_is_no_utf8_holds_plan_limits_and_data(tmp_path):
    folder = tmp_path / ODD
    os.mkdir(folder)
    (folder / "limits.yaml").write_text(
        "schema: 1\nlimit_set: own\nversion: '1'\ntitle: Own\nlimits:\n"
        "  mains: {min: 200 V, max: 260 V, provenance: a test}\n"
    )
    plan = folder / f"plan-{ODD}.yaml"
    plan.write_text(
        "schema: 1\nplan: x\nlimits: limits.yaml\nsteps:\n"
        "  - {step: measure, name: v, signal: 'pdu.phase[1].voltage', over: 3 s, limit: mains}\n"
    )
    data = folder / "data"
    checked = invoke("check", str(plan), data=data)
    assert checked.exit_code == 0, checked.output
    ran = invoke("run", str(plan), "--simulate", "--virtual", data=data)
    assert ran.exit_code == 0, ran.output
    assert "harness failed" not in ran.output
    listed = invoke("runs", data=data)
    assert "PASS" in listed.output
    assert "INTERRUPTED" not in listed.output
    assert invoke("verify", "last", data=data).exit_code == 0
    report = invoke("report", "last", data=data)
    assert report.exit_code == 0
    assert r"plan-pr\xe4f.yaml" in report.output
    (result,) = data.glob("runs/*/result.json")
    assert r"pr\\xe4f" in result.read_text(encoding="utf-8")
    shutil.rmtree(os.fsencode(folder))


@pytest.mark.parametrize("stdin", ["strict", "surrogateescape"])
def test_a_scanner_that_sends_no_utf8_is_asked_again(stdin, tmp_path):
    """The serial number is asked for again; how Python reads such bytes depends on the locale."""
    station = tmp_path / "station.yaml"
    station.write_text("schema: 1\nstation: s\ndevices: {}\n")
    program = ["/usr/bin/env", f"PYTHONIOENCODING=utf-8:{stdin}", *COMMAND]
    terminal = Terminal("run", "smoke", "--station", str(station), data=tmp_path, program=program)
    terminal.read_until("Serial number of the rack: ")
    terminal.text = ""
    os.write(terminal.descriptor, b"R\xe4CK\n")
    terminal.read_until("no UTF-8" if stdin == "strict" else "is refused")
    terminal.read_until("Serial number of the rack: ")
    terminal.text = ""
    terminal.type("bad serial/1\n")
    terminal.read_until("is refused")
    terminal.read_until("Serial number of the rack: ")
    terminal.type("RACK-1\n")
    assert terminal.end() == 2
    assert "Traceback" not in terminal.text
