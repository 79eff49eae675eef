"""Whether the names that an installation takes at the top level are ours on this machine: see ADR 17."""

from __future__ import annotations

from importlib.metadata import Distribution, distributions
from importlib.util import find_spec
from pathlib import Path

import harness
from harness.plugins import OURS

NAMES = ("harness", "drivers", "sim", "testplans")
"""What the wheel puts beside the packages of others."""
DO = "have rack-harness in an environment of its own (ADR 17)"


def top_names() -> list[tuple[str, str]]:
    """A row for each name that is not ours, or not ours alone; one row for all when they are. Imports none of them."""
    root = Path(harness.__file__).resolve().parent.parent
    owners = _owners()
    found = []
    for name in NAMES:
        where = _found_at(name)
        if where != root / name / "__init__.py":
            place = f"at {where}" if where else "nowhere"
            found.append(("WRONG", f"the top-level name {name} is found {place}, not in {root}: {DO}"))
        found += [
            ("WRONG", f"the top-level name {name} is installed by {other}, too: {DO}") for other in owners.get(name, [])
        ]
    return found or [("ok", f"top-level names {', '.join(NAMES)} in {root}")]


def _found_at(name: str) -> Path | None:
    """The file that `import name` would load."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin).resolve() if spec is not None and spec.origin else None


def _owners() -> dict[str, list[str]]:
    """The other distributions that have files under each of our names: pip lets one write over another."""
    found: dict[str, list[str]] = {}
    for each in distributions():
        try:
            package = f"{each.name} {each.version}"
            tops = _tops(each)
        except Exception:  # noqa: S112  # its metadata cannot be read: doctor names those by their entry points
            continue
        if each.name != OURS:
            for name in sorted(tops & set(NAMES)):
                found.setdefault(name, []).append(package)
    return found


def _tops(package: Distribution) -> set[str]:
    """The top-level names of a distribution: folders, and modules of one file."""
    files = package.files or ()
    modules = {each.name.partition(".")[0] for each in files if len(each.parts) == 1 and each.suffix in (".py", ".so")}
    return modules | {each.parts[0] for each in files if len(each.parts) > 1}
