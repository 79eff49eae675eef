"""Where profiles come from: folders named by entry points, and files next to the station file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from harness.device.points import profile_problems
from harness.schema.document import Source
from harness.schema.problems import Problem, ProblemsError
from harness.schema.profile import PROFILES, Profile, ProfileBase
from harness.schema.source import read_source, validate

GROUP = "harness.drivers"


@cache
def profile_roots() -> tuple[Path, ...]:
    """The folders that hold `<class>/<vendor_model>/profile.yaml`, in the order of their entry points."""
    return tuple(Path(entry.load()()) for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name))


@cache
def known_profiles() -> Mapping[str, Path]:
    """Every installed profile by name, e.g. `pdu/apc_rpdu2`."""
    found: dict[str, Path] = {}
    for root in profile_roots():
        for path in sorted(root.glob("*/*/profile.yaml")):
            found.setdefault(f"{path.parent.parent.name}/{path.parent.name}", path)
    return found


def find_profile(name: str, base: Path) -> Path | None:
    """The file of a profile: an installed one by name, or `something.yaml` inside the station file's folder."""
    if name.endswith((".yaml", ".yml")):
        path = (base / name).resolve()
        return path if path.is_relative_to(base.resolve()) and path.is_file() else None
    return known_profiles().get(name)


def load_profile(path: Path) -> tuple[Profile, Source]:
    """Load and check one profile; ProblemsError with every mistake."""
    source = read_source(path)
    protocol = source.data.get("protocol") if isinstance(source.data, dict) else None
    model = PROFILES.get(protocol) if isinstance(protocol, str) else None
    if model is None:
        shown = ", ".join(PROFILES)
        if not isinstance(source.data, dict) or protocol is None:
            validate(source, ProfileBase)
        problem = source.problem(("protocol",), "HX-1205", f"protocol must be one of {shown}, not {protocol!r}")
        raise ProblemsError([problem])
    profile = validate(source, model)
    problems = [_at(source, loc, message) for loc, message in profile_problems(profile)]
    if problems:
        raise ProblemsError(problems)
    return profile, source


def _at(source: Source, loc: tuple[str | int, ...], message: str) -> Problem:
    return source.problem(loc, "HX-1401", message)
