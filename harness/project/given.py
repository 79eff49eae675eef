"""Values of a plan's parameters that are not its own: those of a kind of rack, and `--set`, which counts before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.project.catalog import did_you_mean
from harness.project.model import StationProject
from harness.schema.document import Origin, Source
from harness.schema.problems import Problems, ProblemsError
from harness.schema.sku import SkuFile
from harness.schema.source import read_source, validate


@dataclass(slots=True)
class Given:
    """The values by name, and where each comes from."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)


def given(plan: Source, settings: Mapping[str, Any], sku: Path | None, on: StationProject, found: Problems) -> Given:
    """The values given for a plan's parameters; a problem for each that the plan does not have."""
    everything = Given()
    if sku is not None:
        _from_file(sku, everything, on, found)
    for name, value in settings.items():
        everything.values[name] = value
        everything.origins[name] = Origin(plan.name, 0, 0, f"--set {name}")
    declared = plan.data.get("parameters") if isinstance(plan.data, dict) else None
    known = [name for name, body in declared.items() if isinstance(body, dict)] if isinstance(declared, dict) else []
    for name in [each for each in everything.values if each not in known]:
        message = f"the plan has no such parameter{did_you_mean(name, known)}"
        found.add(everything.origins.pop(name).problem("HX-1331", message))
        del everything.values[name]
    return everything


def _from_file(path: Path, everything: Given, on: StationProject, found: Problems) -> None:
    try:
        source = read_source(path)
        sku = validate(source, SkuFile)
    except ProblemsError as error:
        found.extend(error)
        return
    on.hashes[source.name], on.files[source.name], on.roles[source.name] = source.sha256, path, "parameters"
    for name, value in sku.parameters.items():
        line, column = source.position(("parameters", name))
        everything.values[name] = value
        everything.origins[name] = Origin(source.name, line, column, name)
