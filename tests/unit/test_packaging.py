"""What is shipped, as far as the project file says it: nothing that a test or a page needs is left out."""

from __future__ import annotations

import configparser
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BUILD = PROJECT["tool"]["hatch"]["build"]["targets"]
NOT_SHIPPED = {".editorconfig", ".gitignore", ".pre-commit-config.yaml"}
KNOWN_FAULTS = {
    "cryptography": ("43.0.3", "44.0.0", "46.0.4", "46.0.6"),
    "urllib3": ("1.26.16", "2.0.5", "2.2.1", "2.6.2", "2.6.3"),
}
"""Versions with published faults that the bounds must not take."""


def test_the_source_archive_has_every_folder_that_git_knows():
    """The systemd units were left out, and the archive failed its own tests."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("no git here: this is an unpacked source archive")
    known = {name.partition("/")[0] for name in listed.stdout.splitlines()}
    shipped = {name.strip("/") for name in BUILD["sdist"]["include"]} | {"pyproject.toml"}
    assert known - shipped == NOT_SHIPPED


def test_cases_of_devices_are_in_the_source_archive_and_not_in_the_wheel():
    (left_out,) = BUILD["wheel"]["exclude"]
    folders = {path.relative_to(ROOT).as_posix() for path in ROOT.glob(left_out.strip("/"))}
    assert folders == {path.relative_to(ROOT).as_posix() for path in (ROOT / "drivers").rglob("cases")}
    assert folders
    assert "exclude" not in BUILD["sdist"]


def test_the_page_that_a_unit_names_is_where_the_wheel_puts_it():
    shared = BUILD["wheel"]["shared-data"]
    for unit in (ROOT / "packaging" / "systemd").glob("*.service"):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.read(unit)
        page = parser["Unit"]["Documentation"].removeprefix("file:/usr/")
        sources = [
            ROOT / here / Path(page).relative_to(there) for here, there in shared.items() if page.startswith(there)
        ]
        assert [source.is_file() for source in sources] == [True], f"{unit.name} names {page}"


@pytest.mark.parametrize("name", KNOWN_FAULTS)
def test_versions_with_known_faults_are_not_taken(name):
    needed = {each.name: each.specifier for each in map(Requirement, PROJECT["project"]["dependencies"])}
    assert [each for each in KNOWN_FAULTS[name] if needed[name].contains(each)] == []
    assert needed[name].contains(version(name))


def test_every_dependency_has_both_bounds():
    """A release of tomorrow that changes what we rely on is not taken unseen."""
    for each in map(Requirement, PROJECT["project"]["dependencies"]):
        assert {bound.operator for bound in each.specifier} >= {">=", "<"}, each
