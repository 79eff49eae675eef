"""Which run is alive, which was made last, and which file each copy is: told by the record, whatever the clock says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.engine.inputs import copy_names
from harness.errors import RunError
from harness.record import manifest
from harness.record.claim import claimed, is_running, made
from harness.record.folder import RunFolder
from harness.record.index import find_run, interrupted_runs, list_runs
from harness.record.report import render_text
from harness.record.result import Result
from harness.record.verification import verify
from tests.plan_runs import run_plan

NOW = 1_795_337_100 * 10**9
YEAR = 365 * 86_400 * 10**9
PLAN = """
schema: 1
plan: two-sets
limits: [limits/x.yaml, limits_x.yaml]
steps:
  - {step: measure, name: a, signal: cdu.supply_temperature, over: 3 s, limit: from_a}
  - {step: measure, name: b, signal: cdu.supply_temperature, over: 3 s, limit: from_b}
"""
LIMITS = """
schema: 1
limit_set: set-NAME
version: "1"
limits:
  from_NAME: {min: 5 degC, max: 60 degC, provenance: a test}
"""


def test_the_last_run_is_the_last_made_whatever_the_clock_says(tmp_path):
    made_in_turn = [RunFolder.create(tmp_path, "R-1", when).path for when in (NOW, NOW + YEAR, 121 * 10**9, NOW - YEAR)]
    assert [made(path) for path in made_in_turn] == [1, 2, 3, 4]
    assert find_run(tmp_path, "last") == made_in_turn[-1]
    assert [one.path for one in list_runs(tmp_path)] == made_in_turn
    (made_in_turn[1] / "run.lock").write_text("damaged")
    assert find_run(tmp_path, "last") == made_in_turn[-1]
    assert made(RunFolder.create(tmp_path, "R-1", 5 * 10**9).path) == 5


def test_a_run_is_running_for_as_long_as_its_process_lives(tmp_path):
    folder = RunFolder.create(tmp_path, "R-1", NOW).path
    code = "import sys, time; from pathlib import Path; from harness.record.claim import claimed\n"
    code += "with claimed(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert is_running(folder)
        (one,) = list_runs(tmp_path)
        assert one.verdict == "RUNNING"
        assert verify(folder) == ["RUNNING: the run goes on, its record is sealed at its end"]
        with pytest.raises(RunError, match="still running"), claimed(folder):
            pass
    finally:
        process.kill()
        process.communicate()
    assert not is_running(folder)
    (one,) = list_runs(tmp_path)
    assert one.verdict == "INTERRUPTED"
    with claimed(folder):
        assert is_running(folder)


def test_a_run_that_goes_on_is_not_announced_as_interrupted(tmp_path):
    with claimed(RunFolder.create(tmp_path, "R-1", NOW).path):
        assert interrupted_runs(tmp_path, "") == []
    assert len(interrupted_runs(tmp_path, "")) == 1


@pytest.mark.parametrize(
    "paths",
    [
        ["limits/x.yaml", "limits_x.yaml", "limits\\x.yaml"],
        ["a.yaml", "A.yaml", "a.yml", "a"],
        ["./x.yaml", "../x.yaml", "/x.yaml"],
        ["x" * 300 + "1.yaml", "y" * 300 + "x" * 10 + ".yaml", "z" * 200, "zz" * 150],
        ["a-2.yaml", "a.yaml", "a?.yaml", "a_.yaml", "a.yml"],
    ],
)
def test_no_two_inputs_share_a_copy(paths):
    names = copy_names({path: path for path in paths})
    assert len({name.lower() for name in names.values()}) == len(paths)
    assert all(name.startswith("inputs/") and len(name) < 255 for name in names.values())
    assert copy_names({path: path for path in paths}) == names


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """A record of a plan with two limit sets whose names look alike."""
    folder = tmp_path_factory.mktemp("two-sets")
    (folder / "limits").mkdir()
    (folder / "plan.yaml").write_text(PLAN)
    (folder / "limits" / "x.yaml").write_text(LIMITS.replace("NAME", "a"))
    (folder / "limits_x.yaml").write_text(LIMITS.replace("NAME", "b"))
    ran = run_plan(folder / "plan.yaml", folder / "data")
    assert ran.exit_code == 0, ran.reason
    return ran.outcome.folder


def result_of(folder: Path) -> Result:
    return Result.from_bytes((folder / "result.json").read_bytes())


def test_each_input_has_its_copy(sealed):
    assert verify(sealed) == []
    inputs = {file.name: file for file in result_of(sealed).inputs}
    copies = {name: (sealed / file.kept_as).read_text() for name, file in inputs.items()}
    assert "limit_set: set-a" in copies["limits/x.yaml"]
    assert "limit_set: set-b" in copies["limits_x.yaml"]
    assert sorted(file.kept_as for file in inputs.values()) == sorted(
        f"inputs/{path.name}" for path in (sealed / "inputs").iterdir()
    )


@pytest.mark.parametrize("number", range(6))
def test_an_edited_copy_is_found_although_the_manifest_was_made_anew(sealed, tmp_path, number):
    folder = shutil.copytree(sealed, tmp_path / sealed.name)
    file = result_of(folder).inputs[number]
    (folder / file.kept_as).write_text((folder / file.kept_as).read_text() + "# edited\n")
    (folder / "manifest.json").write_bytes(manifest.build(folder, folder.name))
    assert verify(folder) == [f"{file.kept_as} is not the {file.role} file {file.name} that the run was made from"]
    document = json.loads((folder / "result.json").read_bytes())
    size, digest = manifest.file_digest(folder / file.kept_as)
    assert size
    document["inputs"][number]["sha256"] = digest
    (folder / "result.json").write_text(json.dumps(document))
    (folder / "manifest.json").write_bytes(manifest.build(folder, folder.name))
    assert verify(folder) == [
        f"{file.name}: result.json names another file than the journal, which was begun with the run's own"
    ]


def test_a_copy_that_is_gone_foreign_or_swapped_is_found(sealed, tmp_path):
    folder = shutil.copytree(sealed, tmp_path / sealed.name)
    named = {file.name: file for file in result_of(folder).inputs}
    one, other = (folder / named[name].kept_as for name in ("limits/x.yaml", "limits_x.yaml"))
    first, second = one.read_bytes(), other.read_bytes()

    def found() -> list[str]:
        (folder / "manifest.json").write_bytes(manifest.build(folder, folder.name))
        return verify(folder)

    one.write_bytes(second)
    other.write_bytes(first)
    assert len(found()) == 2
    one.write_bytes(first)
    other.unlink()
    assert "is missing, the copy of the limits file limits_x.yaml" in found()[0]
    other.write_bytes(second)
    (folder / "inputs" / "more.yaml").write_text("x")
    assert found() == ["inputs/more.yaml is no file that result.json names"]


def test_a_record_of_before_copies_had_names_still_stands(sealed, tmp_path):
    folder = shutil.copytree(sealed, tmp_path / sealed.name)
    document = json.loads((folder / "result.json").read_bytes())
    for file in document["inputs"]:
        del file["kept_as"]
    (folder / "result.json").write_text(json.dumps(document))
    (folder / "manifest.json").write_bytes(manifest.build(folder, folder.name))
    assert verify(folder) == []
    (folder / "inputs" / "limits_x.yaml").write_text("overwritten")
    (folder / "manifest.json").write_bytes(manifest.build(folder, folder.name))
    assert any("holds no copy of the limits file" in line for line in verify(folder))


def test_the_report_of_a_run_without_a_guardian_says_so(tmp_path, sealed):
    folder = shutil.copytree(sealed, tmp_path / "runs" / sealed.name)
    for name in ("manifest.json", "result.json"):
        (folder / name).unlink()
    assert "nothing says that the rack was made safe; look at the rack" in render_text(folder)
