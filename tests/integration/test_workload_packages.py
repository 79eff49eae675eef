"""Workload drivers of other packages: found by name, used, and named when their code fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.test_packages import harness, package

THEIRS = """
import sys
from harness.api import Ended, Progress, WorkloadDriver

class Lab:
    def __init__(self, station, job, folder):
        self.job, self.runs = job, True
    async def prepare(self):
        return {"queue": "test"}
    async def start(self, level):
        HOW
    def progress(self):
        return Progress(())
    async def stop(self, grace):
        return {}
    async def collect(self):
        return tuple(Ended(each.name, exit_code=0, results=("7", "7")) for each in self.job.targets)
    def kill(self):
        pass
    async def killed(self):
        pass

root = WorkloadDriver("NAME", Lab, in_virtual_time=True)
"""
PLAN = """\
schema: 1
plan: theirs
coverage: 90 %
steps:
  - {step: workload, name: it, driver: DRIVER, targets: [a, b, c], command: [job], within: 60 s}
  - {step: compare_results, of: [it], trays: 3}
"""


def run(folder: Path, how: str = "pass", name: str = "acme", driver: str = "acme"):
    package(folder / "lib", "harness.workloads", THEIRS.replace("HOW", how).replace("NAME", name), name)
    (folder / "plan.yaml").write_text(PLAN.replace("DRIVER", driver))
    return harness(folder / "lib", "run", "plan.yaml", "--simulate", "--virtual", cwd=folder)


def test_a_driver_of_a_package_runs_a_workload_and_the_record_says_whose_it_is(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout[-2000:]
    (about,) = (tmp_path / "data").glob("runs/*/workloads/001/workload.json")
    found = json.loads(about.read_text())
    assert (found["driver"], found["package"], found["found"]) == ("acme", "acme 1.0", {"queue": "test"})


@pytest.mark.parametrize(
    ("how", "said"), [("sys.exit(0)", "SystemExit"), ("{}['x']", "KeyError"), ("1 / 0", "division")]
)
def test_whatever_its_code_does_the_package_is_named_and_the_rack_is_not_accused(
    how: str, said: str, tmp_path: Path
) -> None:
    done = run(tmp_path, how)
    assert done.returncode == 3, done.stdout[-2000:]
    assert "the workload driver acme of the package acme 1.0 failed: " in done.stdout
    assert said in done.stdout


def test_a_name_that_is_taken_is_nobodys_and_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = run(tmp_path, name="ssh", driver="ssh")
    assert done.returncode == 2
    assert "the workload driver 'ssh' is added by" in done.stderr
    done = harness(tmp_path / "lib", "check", "plan.yaml", cwd=tmp_path)
    assert "plan.yaml:5:" in done.stderr
    (tmp_path / "plan.yaml").write_text(PLAN.replace("DRIVER", "slurm"))
    done = harness(tmp_path / "lib", "check", "plan.yaml", cwd=tmp_path)
    assert "no workload driver 'slurm', there are: command, simulated, ssh" in done.stderr
