"""`harness export`: a record in the formats that ship, and in those of other packages."""

from __future__ import annotations

import csv
import shlex
import subprocess

import pytest

import harness
from tests.integration.cli_tools import COMMAND, environment
from tests.integration.cli_tools import harness as command
from tests.integration.test_packages import harness as with_package
from tests.integration.test_packages import package

THEIRS = """def root(record):
    HOW
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ran")
    with harness.simulated_rack(virtual=True) as rack:
        return folder, rack.run("smoke", serial="RACK-0001", data=folder).result


def test_json_is_the_result_that_was_sealed(ran):
    folder, _ = ran
    done = command("export", "last", "--to", "json", data=folder)
    assert done.returncode == 0, done.stderr
    (sealed,) = folder.glob("runs/*/result.json")
    assert done.stdout == sealed.read_text(encoding="utf-8")


def test_csv_has_a_row_for_each_measurement(ran):
    folder, result = ran
    rows = list(csv.DictReader(command("export", "last", "--to", "csv", data=folder).stdout.splitlines()))
    measured = [(step.name, one) for step in result.steps for one in step.measurements]
    assert [(row["step"], row["name"], row["verdict"]) for row in rows] == [(n, m.name, m.verdict) for n, m in measured]
    assert [float(row["value"]) for row in rows] == [pytest.approx(one.value) for _, one in measured]
    assert {(row["serial"], row["plan"]) for row in rows} == {("RACK-0001", "smoke")}
    assert len(rows) > 5


@pytest.mark.parametrize(
    ("where", "code", "said"), [("| true", "0", ""), ("> /dev/full", "2", "cannot write to stdout: No space left")]
)
def test_a_reader_that_goes_away_is_no_bug_and_a_full_disk_is_said(where, code, said, ran):
    words = " ".join(map(shlex.quote, COMMAND))
    line = f"{words} export last --to json {where}; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], env=environment(ran[0]), text=True, capture_output=True, check=False, timeout=60
    )
    assert done.stdout == f"{code}\n", done.stderr
    assert said in done.stderr
    assert "bug" not in done.stderr


def test_a_file_is_made_and_never_written_over(ran, tmp_path):
    folder, _ = ran
    path = tmp_path / "run.csv"
    assert command("export", "last", "--to", "csv", "--output", str(path), data=folder).returncode == 0
    before = path.read_bytes()
    done = command("export", "last", "--to", "json", "--output", str(path), data=folder)
    assert (done.returncode, path.read_bytes()) == (2, before)
    assert f"cannot write {path}: File exists" in done.stderr
    done = command("export", "last", "--to", "xls", data=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no format 'xls', there are: csv, json" in done.stderr


FORMATS = {
    "return f'{record.result.verdict}'": (0, "PASS"),
    "return b'x'": (0, "x"),
    "return 5": (2, "it gives int, neither text nor bytes"),
    "raise SystemExit(0)": (2, "the format acme of the package acme 1.0 cannot be made: SystemExit"),
    "return {}['x']": (2, "the format acme of the package acme 1.0 cannot be made: KeyError"),
}


@pytest.mark.parametrize("how", FORMATS)
def test_a_format_of_a_package(how, ran, tmp_path):
    code, said = FORMATS[how]
    package(tmp_path / "lib", "harness.exporters", THEIRS.replace("HOW", how))
    done = with_package(tmp_path / "lib", "export", "last", "--to", "acme", "--data", str(ran[0]), cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert said in (done.stderr if code else done.stdout)


def test_a_format_under_a_name_that_is_taken_is_nobodys(ran, tmp_path):
    package(tmp_path / "lib", "harness.exporters", THEIRS.replace("HOW", "return 'x'"), "csv")
    done = with_package(tmp_path / "lib", "export", "last", "--to", "csv", "--data", str(ran[0]), cwd=tmp_path)
    assert done.returncode == 2
    assert "the exporter 'csv' is added by" in done.stderr
    assert (
        with_package(tmp_path / "lib", "export", "last", "--to", "json", "--data", str(ran[0]), cwd=tmp_path).returncode
        == 0
    )


def test_a_text_that_a_spreadsheet_would_calculate_stays_a_text(ran):
    from harness.export.csv import _shown

    assert [_shown(each) for each in ("=1+1", "@x", "-5", -5.0, "a")] == ["'=1+1", "'@x", "'-5", -5.0, "a"]


def test_a_run_that_has_no_result_has_no_export(ran, tmp_path):
    run = next((ran[0] / "runs").iterdir())
    copy = tmp_path / "runs" / run.name
    copy.mkdir(parents=True)
    for each in run.iterdir():
        if each.is_file() and each.name not in ("result.json", "manifest.json"):
            (copy / each.name).write_bytes(each.read_bytes())
    done = command("export", "last", "--to", "csv", data=tmp_path)
    assert done.returncode == 3
    assert "has no result" in done.stderr
    assert done.stdout == ""
