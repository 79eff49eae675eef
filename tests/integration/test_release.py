"""`make release`: what it refuses, and that what it builds is complete and the same every time."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
release = SimpleNamespace(**runpy.run_path(str(ROOT / "packaging" / "release.py")))
CHANGES = """# Changelog

## [Unreleased]

- something

## [0.2.0] - 2027-01-02

### Added

- a thing

## [0.1.0] - 2026-11-22

- all
"""


def git(*words, cwd):
    done = subprocess.run(["git", *words], cwd=cwd, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def test_the_notes_are_the_section_of_the_version():
    assert release.notes(CHANGES, "0.2.0", "2027-01-02") == "### Added\n\n- a thing"
    assert release.notes(CHANGES, "0.1.0", "2026-11-22") == "- all"


@pytest.mark.parametrize(
    ("text", "version", "said"),
    [
        (CHANGES, "0.3.0", "no section `## [0.3.0] - 2026-11-22`"),
        (CHANGES, "0x1.0", "no section"),
        (CHANGES.replace("- all", ""), "0.1.0", "or an empty one"),
        (CHANGES.replace("2026-11-22", "2026-11-23"), "0.1.0", "says 2026-11-23, harness/version.py says 2026-11-22"),
    ],
)
def test_a_version_without_notes_is_refused(text, version, said):
    with pytest.raises(SystemExit) as refused:
        release.notes(text, version, "2026-11-22")
    assert said in str(refused.value)


def test_the_script_refuses_a_tree_with_changes_and_a_version_that_the_changelog_does_not_know(tmp_path):
    for name in ("packaging/release.py", "harness/version.py"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n- something\n")

    def refused():
        command = [sys.executable, str(tmp_path / "packaging" / "release.py")]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert not (tmp_path / "dist").exists()
        return done.stderr

    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    assert git("init", "--quiet", cwd=tmp_path) is not None
    assert "harness/\npackaging/\n" in refused().replace("?? ", "").replace("CHANGELOG.md\n", "")
    assert git("add", ".", cwd=tmp_path) is not None
    assert git(*who, "commit", "--quiet", "--message", "all", cwd=tmp_path) is not None
    version, day = release.version_of(ROOT)
    assert f"CHANGELOG.md has no section `## [{version}] - {day}`" in refused()
    (tmp_path / "new.txt").touch()
    assert "?? new.txt\nthe tree has changes" in refused()


def test_what_is_built_twice_is_equal_and_the_source_archive_has_every_file_that_git_knows(tmp_path):
    known = git("ls-tree", "-r", "--name-only", "HEAD", cwd=ROOT)
    if known is None:
        pytest.skip("no git here: this is an unpacked source archive")
    archive, wheel = sorted(release.build(tmp_path), key=lambda path: path.suffix)
    version, _ = release.version_of(ROOT)
    assert (archive.name, wheel.name) == (f"rack_harness-{version}.tar.gz", f"rack_harness-{version}-py3-none-any.whl")
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    assert names - {"PKG-INFO"} == set(known.splitlines())
