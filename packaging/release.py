"""Builds what is released, tries it away from this checkout, and prints the notes for the tag: `make release`.

    python packaging/release.py PYTEST_WORDS...

Refused when the tree has changes or CHANGELOG.md has no section for the version. The source archive has to pass all its
tests; `make release TESTS=tests/unit/test_api.py` only tries this script.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UNITS = ("harness@.service", "harness-supervisor.service")
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HARNESS"))}
"""The environment without what names this checkout or a station."""


def call(*words: object, cwd: Path, **env: str) -> str:
    """Run a program in the clean environment; its output. SystemExit when it fails."""
    command = [str(word) for word in words]
    done = subprocess.run(command, cwd=cwd, env=CLEAN | env, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{done.stdout}{' '.join(command)}: exit {done.returncode}")
    return done.stdout


def version_of(folder: Path) -> tuple[str, str]:
    """The version and its day, as `harness/version.py` has them."""
    text = (folder / "harness" / "version.py").read_text(encoding="utf-8")
    version, day = (re.search(rf'^{name} = "(.+)"$', text, re.MULTILINE) for name in ("__version__", "RELEASED"))
    if version is None or day is None:
        raise SystemExit("harness/version.py has no __version__ or no RELEASED")
    return version[1], day[1]


def notes(changelog: str, version: str, day: str) -> str:
    """The section of a version; SystemExit when there is none, when it is empty, or of another day."""
    found = re.search(rf"^## \[{re.escape(version)}\] - (\S+)\n(.*?)(?=^## \[|\Z)", changelog, re.MULTILINE | re.DOTALL)
    if found is None or not found[2].strip():
        raise SystemExit(f"CHANGELOG.md has no section `## [{version}] - {day}`, or an empty one")
    if found[1] != day:
        raise SystemExit(f"CHANGELOG.md says {found[1]}, harness/version.py says {day}")
    return found[2].strip()


def build(folder: Path) -> list[Path]:
    """Source archive and wheel of the last commit, built twice in two places; SystemExit when they differ."""
    epoch = call("git", "log", "-1", "--format=%ct", cwd=ROOT).strip()
    made = []
    for name in ("first", "a second and longer name"):
        source, out = folder / name / "source", folder / name / "dist"
        source.mkdir(parents=True)
        call("git", "archive", "--output", folder / name / "source.tar", "HEAD", cwd=ROOT)
        shutil.unpack_archive(folder / name / "source.tar", source, filter="data")
        call(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, cwd=source, SOURCE_DATE_EPOCH=epoch)
        made.append({path.name: path for path in sorted(out.iterdir())})
    first, second = made
    if {name: path.read_bytes() for name, path in first.items()} != {
        name: path.read_bytes() for name, path in second.items()
    }:
        raise SystemExit(f"built twice, {' and '.join(first)} are not the same bytes")
    return list(first.values())


def new_environment(folder: Path, *needed: object) -> Path:
    """The programs of a new virtual environment with what pip shall install."""
    venv.create(folder, with_pip=True)
    call(
        folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *needed, cwd=folder
    )
    return folder / "bin"


def try_wheel(wheel: Path, version: str, folder: Path) -> None:
    """As somebody who has the wheel only: version, fit machine, run, record, units with their page."""
    programs = new_environment(folder / "venv", wheel)
    empty = folder / "empty"
    empty.mkdir()
    for words in ("--version", "doctor", "run smoke --simulate --virtual", "verify last"):
        said = call(programs / "harness", *words.split(), cwd=empty, HARNESS_DATA=str(folder / "data"))
        if words == "--version" and said.split() != ["harness", version]:
            raise SystemExit(f"the wheel is {said.strip()}, not {version}")
    if left := list(empty.iterdir()):
        raise SystemExit(f"a run leaves {left} where it was started")
    share = folder / "venv" / "share"
    for unit in UNITS:
        text = (share / "rack-harness" / "systemd" / unit).read_text(encoding="utf-8")
        (page,) = re.findall(r"^Documentation=file:/usr/share/(\S+)$", text, re.MULTILINE)
        if not (share / page).is_file():
            raise SystemExit(f"{unit} names {page}, which the wheel does not bring")


def try_source(archive: Path, folder: Path, tests: list[str]) -> None:
    """As somebody who has the source archive only: does it pass its own tests?"""
    shutil.unpack_archive(archive, folder, filter="data")
    (source,) = folder.iterdir()
    programs = new_environment(folder / "venv", "--editable", f"{source}[test]")
    tested = [programs / "python", "-m", "pytest", *tests]
    if subprocess.run(tested, cwd=source, env=CLEAN, check=False).returncode:
        raise SystemExit(f"{archive.name} fails its own tests")


def main() -> None:
    """Everything in order; what fails ends it."""
    version, day = version_of(ROOT)
    if changed := call("git", "status", "--porcelain", cwd=ROOT):
        raise SystemExit(f"{changed}the tree has changes: commit them or take them away")
    said = notes((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version, day)
    with tempfile.TemporaryDirectory(prefix="harness-release-") as name:
        folder = Path(name)
        archive, wheel = sorted(build(folder / "build"), key=lambda path: path.suffix)
        print(f"built twice, equal: {archive.name}, {wheel.name}", flush=True)
        try_wheel(wheel, version, folder / "machine")
        print("the wheel runs in an empty environment, its record verifies", flush=True)
        try_source(archive, folder / "source", sys.argv[1:])
        (ROOT / "dist").mkdir(exist_ok=True)
        for path in (archive, wheel):
            shutil.copy2(path, ROOT / "dist" / path.name)
            print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  dist/{path.name}")
    print(f"\nThe notes for: git tag --annotate --cleanup=whitespace v{version}\n\nrack-harness {version}\n\n{said}")


if __name__ == "__main__":
    main()
