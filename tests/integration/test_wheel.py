"""What is shipped: the wheel holds exactly the packages and their files, and runs a plan from an empty folder."""

from __future__ import annotations

import os
import sys
import zipfile

import pytest

from tests.integration.installed import build_ours, call, environment_with, known_files

PACKAGES = ("harness", "drivers", "sim", "testplans")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_ours(tmp_path_factory.mktemp("ours"))


COPIED = ["acceptance.yaml", "base.yaml", "nvl72.yaml", "nvl72.yaml", "nvl72.yaml"]
"""The plan acceptance with its limits, the base of these, its wiring plan and its bill of materials."""


def test_the_wheel_holds_exactly_the_packages_with_their_files(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = next(archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA"))
        licences = [name for name in archive.namelist() if name.endswith("licenses/LICENSE")]
    shared = {name for name in names if ".data/data/share/" in name}
    names -= shared
    packaged = {name for name in known_files() if name.startswith(tuple(f"{each}/" for each in PACKAGES))}
    cases = {name for name in packaged if name.startswith("drivers/") and "/cases/" in name}
    assert len(cases) >= 24
    assert names == packaged - cases
    assert {name.partition("/")[0] for name in names} == set(PACKAGES)
    assert {name.partition(".data/data/")[2] for name in shared} == {
        name.replace("packaging/systemd", "share/rack-harness/systemd").replace("docs/", "share/doc/rack-harness/", 1)
        for name in known_files()
        if name.startswith("packaging/systemd/") or (name.startswith("docs/") and name.endswith(".md"))
    }
    assert any(name.endswith("/profile.yaml") for name in names)
    assert "testplans/stations/simulated.yaml" in names
    assert "License-Expression: Apache-2.0" in metadata
    assert len(licences) == 1


def test_the_wheel_runs_the_smoke_plan_from_an_empty_folder(wheel, tmp_path):
    """The packages come from the wheel alone; what they need comes from the environment the tests run in."""
    bin_ = environment_with(tmp_path / "venv", wheel)
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    empty = tmp_path / "empty"
    empty.mkdir()
    where = call(bin_ / "python", "-c", "import harness, sim; print(harness.__file__, sim.__file__)", cwd=empty)
    assert where.count(str(site)) == 2
    out = call(
        bin_ / "harness", "run", "smoke", "--simulate", "--virtual", cwd=empty, HARNESS_DATA=str(tmp_path / "data")
    )
    assert "PASS  RACK-0001" in out
    assert "acceptance" in call(bin_ / "harness", "plan", "list", cwd=empty)
    call(bin_ / "harness", "plan", "copy", "acceptance", tmp_path / "mine", cwd=empty)
    assert sorted(path.name for path in (tmp_path / "mine").rglob("*.yaml")) == COPIED
    assert list((tmp_path / "data").glob("runs/*/result.json"))
    assert list(empty.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_wheel_brings_all_it_needs(wheel, tmp_path):
    """The long form, with everything from the package index: nothing is missing among the requirements."""
    call(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    bin_ = tmp_path / "venv" / "bin"
    call(bin_ / "python", "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path, **pip_settings())
    call(bin_ / "harness", "run", "smoke", "--simulate", "--virtual", cwd=tmp_path, HARNESS_DATA=str(tmp_path / "data"))


def pip_settings():
    return {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
