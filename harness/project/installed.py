"""Plans and stations that came with this package or with others, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from harness.errors import ConfigError
from harness.plugins import by_name, clash_of, installed
from harness.schema.problems import did_you_mean

PLANS = "harness.plans"
"""The entry points that name a folder of them."""


@cache
def known_plans() -> Mapping[str, Path]:
    """Every installed plan by name, e.g. `smoke`."""
    return by_name(PLANS, "plan", ((path.stem, path, package) for path, package in _files("*.yaml")))


@cache
def known_stations() -> Mapping[str, Path]:
    """Every installed station by name, e.g. `simulated`."""
    return by_name(PLANS, "station", ((path.stem, path, package) for path, package in _files("stations/*.yaml")))


def _files(pattern: str) -> Iterator[tuple[Path, str]]:
    """The files of every folder of installed plans, with their package."""
    for one in installed(PLANS, lambda root: Path(root()).resolve()):
        yield from ((path, one.package) for path in sorted(one.value.glob(pattern)))


def find_plan(text: str) -> Path:
    """The file that PLAN means: a file, else an installed plan (`smoke`, `smoke.yaml`, `testplans/smoke.yaml`)."""
    path = Path(text)
    if path.exists() and not path.is_dir():
        return path
    name = text.removeprefix("testplans/").removesuffix(".yaml")
    if (found := known_plans().get(name)) is not None:
        return found
    if (twice := clash_of(PLANS, name)) is not None:
        raise ConfigError(str(twice))
    hint = did_you_mean(path.stem, known_plans())
    shown = f"installed plans: {', '.join(known_plans())}" if known_plans() else ""
    raise ConfigError(f"no such plan: {text}", hint=" ".join(part for part in (hint, shown) if part))
