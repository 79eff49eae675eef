"""Tests both ends of the dependency ranges in pyproject.toml: `make ranges`, or `make ranges TESTS=tests/unit`.

    python packaging/ranges.py FOLDER PYTEST_WORDS...

Each end gets an environment below FOLDER. At the lowest every run-time dependency is held at its `>=` bound, at the
newest pip chooses. Exit 1 when an end cannot be installed (pip says which package) or fails a test; the other one is
tried all the same.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def lowest() -> list[str]:
    """`name==bound` of every run-time dependency."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    found = [re.fullmatch(r"([\w.-]+)>=([\w.]+),<[\w.]+", each) for each in needed]
    if None in found:
        raise SystemExit(f"a dependency is not written as name>=LOW,<HIGH: {needed}")
    return [f"{each[1]}=={each[2]}" for each in found if each is not None]


def attempt(folder: Path, constraints: list[str], tests: list[str]) -> str:
    """Install and test one end; what went wrong, '' for nothing."""
    print(f"=== {folder.name}", flush=True)
    venv.create(folder, clear=True, with_pip=True)
    python = folder / "bin" / "python"
    held = folder / "constraints.txt"
    held.write_text("".join(f"{each}\n" for each in constraints), encoding="utf-8")
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    if subprocess.run([*pip, "install", "--quiet", "-c", held, "-e", f"{ROOT}[test]"], check=False).returncode:
        return "cannot be installed"
    names = {each.partition("==")[0] for each in lowest()}
    frozen = subprocess.run([*pip, "freeze"], check=True, capture_output=True, text=True).stdout.split()
    print(*(each for each in frozen if each.partition("==")[0].lower() in names), flush=True)
    tried = subprocess.run([python, "-m", "pytest", *tests], cwd=ROOT, check=False)
    return "fails tests" if tried.returncode else ""


def main() -> int:
    """Both ends, one after the other."""
    folder, *tests = sys.argv[1:]
    ends = {"lowest": lowest(), "newest": []}
    said = {end: attempt(Path(folder).resolve() / end, held, tests) for end, held in ends.items()}
    for end, wrong in said.items():
        print(f"{end}: {wrong or 'passes'} (Python {sys.version.split()[0]})")
    return 1 if any(said.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
