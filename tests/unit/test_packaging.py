"""What is shipped, as far as the project file says it: nothing that a test or a page needs is left out."""

from __future__ import annotations

import configparser
import re
import runpy
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BUILD = PROJECT["tool"]["hatch"]["build"]["targets"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
LOCK = (ROOT / "packaging" / "lock-ci.txt").read_text(encoding="utf-8")
KNOWN_FAULTS = {
    "click": ("8.1.8", "8.3.2"),
    "cryptography": ("43.0.3", "44.0.0", "46.0.4", "46.0.6", "47.0.0", "49.0.0"),
    "pyasn1": ("0.6.1", "0.6.2", "0.6.3"),
    "urllib3": ("1.26.16", "2.0.5", "2.2.1", "2.6.2", "2.6.3"),
}
"""Versions with published faults that the bounds must not take."""

lowest = runpy.run_path(str(ROOT / "packaging" / "ranges.py"))["lowest"]


def test_the_source_archive_has_every_folder_that_git_knows():
    """The systemd units were left out, and the archive failed its own tests."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("no git here: this is an unpacked source archive")
    known = {name.partition("/")[0] for name in listed.stdout.splitlines()}
    shipped = {name.strip("/") for name in BUILD["sdist"]["include"]} | {"pyproject.toml", ".gitignore"}
    assert known == shipped


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


def test_every_page_that_the_wheel_brings_links_to_pages_that_it_brings():
    """A link out of `docs/` leads somewhere in the repository, and nowhere on a station."""
    pages = sorted((ROOT / "docs").rglob("*.md"))
    brought = {page for page in pages if str(page.relative_to(ROOT)).startswith(tuple(BUILD["wheel"]["shared-data"]))}
    assert set(pages) == brought
    for page in pages:
        text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
        missing = [link for link in links if link and (page.parent / link).resolve() not in brought]
        assert missing == [], page.name


@pytest.mark.parametrize("name", KNOWN_FAULTS)
def test_versions_with_known_faults_are_not_taken(name):
    needed = {each.name: each.specifier for each in map(Requirement, PROJECT["project"]["dependencies"])}
    assert [each for each in KNOWN_FAULTS[name] if needed[name].contains(each)] == []
    assert needed[name].contains(version(name))


def every_requirement():
    """What running, testing, developing and building ask for."""
    listed = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["build-system"]["requires"],
        *EXTRAS["test"],
        *EXTRAS["dev"],
    ]
    return [each for each in map(Requirement, listed) if each.name != PROJECT["project"]["name"]]


def test_every_dependency_has_both_bounds():
    """A release of tomorrow that changes what we rely on is not taken unseen."""
    for each in every_requirement():
        assert {bound.operator for bound in each.specifier} == {">=", "<"}, each


def test_the_lock_of_ci_has_what_the_project_asks_for_with_hashes_and_no_place():
    locked = {}
    for entry in re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)[1:]:
        name, locked_version = re.match(r"([a-z0-9-]+)==([^ ;]+)", entry).groups()
        locked.setdefault(name, []).append(locked_version)
        assert re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry), name
    assert "://" not in LOCK
    for each in every_requirement():
        versions = locked[canonicalize_name(each.name)]
        assert [found for found in versions if not each.specifier.contains(found)] == [], each


def test_the_lowest_versions_are_those_of_the_bounds():
    """What `make ranges` holds: a bound that is written another way would not be tried."""
    found = {name: low for name, _, low in (each.partition("==") for each in lowest())}
    for each in map(Requirement, PROJECT["project"]["dependencies"]):
        assert [bound.version for bound in each.specifier if bound.operator == ">="] == [found.pop(each.name)]
    assert found == {}
