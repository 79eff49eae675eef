"""A FIFO, a device file or a link in the place of a file is told at once: nothing waits for it, nothing reads it."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.record.index import list_runs
from harness.record.manifest import read_file
from harness.record.report import render_text
from harness.record.verification import verify
from tests.integration.cli_tools import harness
from tests.plan_runs import run_plan, write_plan

PARTS = ("result.json", "manifest.json", "run.lock", "journal.db", "guardian.jsonl", "inputs/plan.yaml")


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """A sealed record."""
    folder = tmp_path_factory.mktemp("record")
    plan = write_plan(folder, "  - {step: measure, name: u, signal: pdu.power, over: 3 s, limit: {max: 9 kW}}")
    ran = run_plan(plan, folder / "data")
    assert verify(ran.outcome.folder) == []
    return ran.outcome.folder


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("kind", ["fifo", "link"])
def test_what_is_no_file_in_a_record_is_told_and_not_waited_for(record, tmp_path, name, kind):
    folder = tmp_path / "runs" / record.name
    shutil.copytree(record, folder)
    path = folder / name
    path.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    assert any(Path(name).name in problem for problem in verify(folder))
    render(folder)
    assert [one.run for one in list_runs(tmp_path)] == [record.name]


def render(folder):
    """The report, or that there is none: it ends."""
    with contextlib.suppress(HarnessError):
        assert render_text(folder)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("form", ["rackmon", "phosphor-modbus"])
@pytest.mark.parametrize("place", ["/dev/zero", "fifo", "/dev/full"])
def test_a_register_map_that_is_no_file_is_refused_at_once(tmp_path, form, place):
    if place == "fifo":
        os.mkfifo(tmp_path / "fifo")
        place = str(tmp_path / "fifo")
    done = harness("profile", "import", form, place, data=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "not a regular file" in done.stderr
    assert read_or_refused(Path(place)) == "refused"


def read_or_refused(path):
    """What reading a part of a record comes to."""
    try:
        read_file(path)
    except OSError:
        return "refused"
    return "read"
