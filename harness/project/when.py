"""Under what condition a step is carried out: a parameter decides at once, what an earlier step came to in the run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.project.catalog import did_you_mean
from harness.project.model import VerdictOf
from harness.schema.document import Loc, Source
from harness.schema.problems import Problems, shown
from harness.schema.sequence import Earlier, OfParameter


@dataclass(slots=True)
class Earliers:
    """The steps and groups that stand before a place in the plan, by path."""

    paths: dict[str, str] = field(default_factory=dict)
    """path -> title, as people say it."""
    sections: list[str] = field(default_factory=list)

    def add(self, path: str, title: str, section: str) -> None:
        """One more stands before what comes."""
        self.paths[path] = title
        if section not in self.sections:
            self.sections.append(section)

    def find(self, earlier: Earlier, around: str, source: Source, loc: Loc, found: Problems) -> VerdictOf | None:
        """The step that is meant: beside, or further out; None, and a problem, when there is none before."""
        scopes = [around]
        while "/" in scopes[-1]:
            scopes.append(scopes[-1].rpartition("/")[0])
        wanted = earlier.step.replace(" / ", "/")
        for scope in [*scopes, *reversed(self.sections)]:
            if f"{scope}/{wanted}" in self.paths:
                return VerdictOf(f"{scope}/{wanted}", earlier.verdicts)
        by_title = [path for path, title in self.paths.items() if title == earlier.step]
        if by_title:
            return VerdictOf(by_title[-1], earlier.verdicts)
        message = f"no step {earlier.step!r} stands before this{did_you_mean(earlier.step, self.paths.values())}"
        found.add(source.problem((*loc, "step"), "HX-1356", message))
        return None


def split_when(
    conditions: Iterable[Earlier | OfParameter],
    values: Mapping[str, Any],
    around: str,
    earlier: Earliers,
    source: Source,
    loc: Loc,
    found: Problems,
) -> tuple[tuple[VerdictOf, ...], str]:
    """(what earlier steps must have come to, why a parameter leaves the entry out or '')."""
    needs: list[VerdictOf] = []
    for condition in conditions:
        if isinstance(condition, OfParameter):
            name = condition.parameter
            if name not in values:
                message = f"unknown parameter {name!r}{did_you_mean(name, values)}"
                found.add(source.problem(loc, "HX-1356", message))
            elif not condition.holds(values[name]):
                return (), f"{name} is {shown(values[name])}"
        elif (need := earlier.find(condition, around, source, loc, found)) is not None:
            needs.append(need)
    return tuple(needs), ""
