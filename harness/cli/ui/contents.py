"""What a file says to people, as `harness check` shows it: titles, reasons, descriptions, and what may be set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.project.model import Project, StationProject
    from harness.schema.conditions import Limit, LimitSet
    from harness.schema.plan import Parameter
    from harness.schema.station import Derived


def of_plan(project: Project) -> Iterator[str]:
    """Title, parameters, derived signals."""
    yield from _titled(project.plan.title)
    yield from (_parameter(name, one) for name, one in project.plan.parameters.items())
    yield from _derived(project.plan.derived)


def of_station(on: StationProject) -> Iterator[str]:
    """Title, derived signals, what nobody watches and what stays on, with the reason."""
    yield from _titled(on.station.title)
    yield from _derived(on.station.derived)
    yield from on.station.exceptions


def of_limits(limits: LimitSet) -> Iterator[str]:
    """Title, and each limit with who says so."""
    yield from _titled(limits.title)
    yield from (_limit(name, limit) for name, limit in limits.limits.items())


def _titled(title: str) -> Iterator[str]:
    if title:
        yield title


def _parameter(name: str, one: Parameter) -> str:
    bounds = [f"at {word} {bound}" for word, bound in (("least", one.min), ("most", one.max)) if bound is not None]
    return _line(f"--set {name}={one.default}", ", ".join(bounds), one.description)


def _derived(entries: Mapping[str, Derived]) -> Iterator[str]:
    for name, one in entries.items():
        yield _line(f"{name} = {one.function}({', '.join(one.inputs.values())})", one.unit, one.description)


def _limit(name: str, limit: Limit) -> str:
    band = [f"{key} {quantity}" for key, quantity in limit.quantities()] or [" or ".join(limit.words)]
    guard = f"by more than {limit.uncertainty}" if limit.uncertainty is not None else ""
    return _line(f"{name}: {', '.join(band)}", guard, limit.description, limit.provenance)


def _line(*parts: str) -> str:
    return "  ".join(part for part in parts if part)
