"""Files that steps name: found beside the plan, wrong at their own places, hashed, kept in the record."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import pytest

from harness.project.plan import load_project
from harness.project.plan_files import files_of
from harness.project.station import load_station
from harness.schema.problems import ProblemsError
from tests.plan_runs import STATION, run_plan, write_plan

WIRING = """\
schema: 1
wiring: one
version: "1"
speed: 400000 Mb/s
links:
  "switch.port[1]": "tray-01:eth0"
"""
STEP = "  - {step: topology, name: wiring, wiring: wiring.yaml}"


def problems(folder, wiring=WIRING, step=STEP, head=""):
    """What is wrong with a plan that names a wiring plan."""
    (folder / "wiring.yaml").write_text(wiring)
    with pytest.raises(ProblemsError) as error:
        load_project(write_plan(folder, step, head), load_station(STATION))
    return [str(each).removeprefix(f"{folder}/") for each in error.value.problems]


def test_the_file_is_checked_and_hashed_and_nothing_is_contacted(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "socket", None)
    (tmp_path / "wiring.yaml").write_text(WIRING)
    project = load_project(write_plan(tmp_path, STEP), load_station(STATION))
    assert project.on.hashes["wiring.yaml"] == hashlib.sha256(WIRING.encode()).hexdigest()
    assert project.steps[0].params.wiring.content.links["switch.port[1]"].to == "tray-01:eth0"


@pytest.mark.parametrize(
    ("wrong", "instead", "said"),
    [
        ('"switch.port[1]":', '"switch.port[999]":', "wiring.yaml:6:3: HX-1352 switch.port[999].neighbor is no signal"),
        ('"tray-01:eth0"', '"tray-01"', "wiring.yaml:6:21: HX-1206 'tray-01' is no far end"),
        ('"tray-01:eth0"', "{to: 5}", "wiring.yaml:6:26: HX-1206 expected text"),
        ("400000 Mb/s", "4 bar", "wiring.yaml:4:8: HX-1206"),
        ("400000 Mb/s", "0 Mb/s", "wiring.yaml:4:8: HX-1206 0 Mb/s is no speed"),
        ("wiring: one", "wirings: one", "wiring.yaml:2:1: HX-1203"),
        ("links:", "links: {}\nlink:", "wiring.yaml:6:1: HX-1203"),
        (
            '"tray-01:eth0"',
            '"tray-01:eth0"\n  "switch.port[2]": "Tray-01:eth0"',
            "wiring.yaml:7:21: HX-1206 Tray-01:eth0 is at switch.port[1] already",
        ),
        ('"switch.port[1]"', "port1", "wiring.yaml:6:3: HX-1206"),
        ("schema: 1", "schema: 1\nschema: 1", "wiring.yaml:2:1: HX-1102"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_at_its_own_place(tmp_path, wrong, instead, said):
    assert wrong in WIRING
    found = problems(tmp_path, WIRING.replace(wrong, instead))
    assert any(line.startswith(said) for line in found), found


def test_a_file_outside_the_folder_of_the_plan_and_one_that_is_not_there(tmp_path):
    folder = tmp_path / "plans"
    folder.mkdir()
    (tmp_path / "wiring.yaml").write_text(WIRING)
    (outside,) = problems(folder, step=STEP.replace("wiring.yaml", "../wiring.yaml"))
    assert "HX-1341 '../wiring.yaml' lies outside the plan's folder" in outside
    (outside,) = problems(folder, step=STEP.replace("wiring.yaml", str(tmp_path / "wiring.yaml")))
    assert "HX-1341" in outside
    (missing,) = problems(folder, step=STEP.replace("wiring.yaml", "wirings.yaml"))
    assert missing.startswith("plan.yaml:6:44: HX-1342 no such file 'wirings.yaml'")
    (empty,) = problems(folder, step=STEP.replace("wiring.yaml", '""'))
    assert "expected the name of a file" in empty


def test_a_parameter_may_name_the_file_and_copying_finds_it(tmp_path):
    (tmp_path / "wiring.yaml").write_text(WIRING)
    head = "parameters: {cables: {default: wiring.yaml}}"
    plan = write_plan(tmp_path, STEP.replace("wiring: wiring.yaml", 'wiring: "${cables}"'), head)
    assert files_of(plan) == [Path("wiring.yaml")]
    assert "wiring.yaml" in load_project(plan, load_station(STATION)).on.hashes
    with pytest.raises(ProblemsError, match=r"--set cables: no such file 'other.yaml'"):
        load_project(plan, load_station(STATION), {"cables": "other.yaml"})


def test_the_record_keeps_the_file(tmp_path):
    (tmp_path / "wiring.yaml").write_text(WIRING)
    ran = run_plan(write_plan(tmp_path, "  - {step: hold, name: rest, for: 1 s}\n" + STEP), tmp_path / "data")
    (file,) = [each for each in ran.outcome.result.inputs if each.name == "wiring.yaml"]
    assert (file.role, file.sha256) == ("file", hashlib.sha256(WIRING.encode()).hexdigest())
    assert (ran.outcome.folder / file.kept_as).read_text() == WIRING
