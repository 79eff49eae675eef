"""Environments into which wheels were installed, ours and those of others: nothing of the checkout is on their path."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def clean_environment(**more: str) -> dict[str, str]:
    """Without what would lead to the checkout, to other settings, or to another package index."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HARNESS", "PIP"))}
    return {**kept, **more}


def call(*words: object, cwd: Path, **env: str) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=clean_environment(**env), capture_output=True, text=True,
        timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def known_files() -> list[str]:
    """The files that git knows, so that one forgotten in a commit is missing here too."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        names = listed.stdout.splitlines()
    else:  # an unpacked source archive
        names = [
            str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file() and ".venv" not in path.parts
        ]
    return [name for name in names if (ROOT / name).is_file() and "__pycache__" not in name]


def build(names: list[str], base: Path, work: Path) -> Path:
    """A wheel built from these files below `base`."""
    source, out = work / "source", work / "dist"
    for name in names:
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((base / name).read_bytes())
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, cwd=source)
    (built,) = out.glob("*.whl")
    return built


def build_ours(work: Path) -> Path:
    """The wheel of this project."""
    return build(known_files(), ROOT, work)


def build_toy(work: Path) -> Path:
    """The wheel of the package that adds a protocol, a device and a step."""
    base = ROOT / "tests" / "packages" / "toy"
    names = [str(path.relative_to(base)) for path in base.rglob("*") if path.suffix in (".py", ".yaml", ".toml")]
    return build(names, base, work)


def wheel_of(folder: Path, name: str, files: Mapping[str, str], entries: str) -> Path:
    """A small wheel of somebody else's: files, and what stands in its entry_points.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    metadata = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": entries,
    }
    inside = {**files, **metadata}
    with zipfile.ZipFile(path, "w") as archive:
        for each, text in inside.items():
            archive.writestr(each, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{each},,\n" for each in [*inside, f"{info}/RECORD"]))
    return path


def environment_with(folder: Path, *wheels: Path) -> Path:
    """The commands of a new environment with these wheels; what they need comes from the tests' own environment."""
    call(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    (site,) = folder.glob("lib/python*/site-packages")
    install(folder / "bin", *wheels)
    (site / "requirements.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


def install(commands: Path, *wheels: Path) -> None:
    """Install wheels, without what they need; in the place of what is there."""
    options = ("--quiet", "--no-index", "--no-deps", "--force-reinstall")
    call(commands / "python", "-m", "pip", "install", *options, *wheels, cwd=commands)


def uninstall(commands: Path, name: str) -> None:
    """Take a package away again."""
    call(commands / "python", "-m", "pip", "uninstall", "--quiet", "--yes", name, cwd=commands)


def end(process: subprocess.Popen[str]) -> None:
    """End a process that a test started."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
