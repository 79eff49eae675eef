"""The files that belong to a plan: limit sets, included sequences, files that steps name. For copies of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from harness.project.step import Params, find_step, known_steps
from harness.schema.fields import Model
from harness.schema.input_file import InputFile
from harness.schema.source import read_source, substitute

_MOST = 1000


def files_of(plan: Path) -> list[Path]:
    """From the plan's folder, each once; what is wrong with one is told by whoever loads the plan."""
    base = plan.parent.resolve()
    found: list[Path] = []
    ahead = [plan.resolve()]
    while ahead and len(found) < _MOST:
        path = ahead.pop(0)
        for name in _named(path):
            other = (path.parent / name).resolve()
            part = other.relative_to(base) if other.is_relative_to(base) else None
            if part is not None and part not in found:
                found.append(part)
                ahead += [other] if other.is_file() else []
    return found


def _named(path: Path) -> Iterator[str]:
    """The files that a plan, a sequence or a limit set names."""
    source = read_source(path)
    data = source.data if isinstance(source.data, dict) else {}
    if isinstance(data.get("extends"), str) and data["extends"]:
        yield data["extends"]
    declared = data.get("parameters")
    bodies = declared.items() if isinstance(declared, dict) else ()
    values = {name: body["default"] for name, body in bodies if isinstance(body, dict) and "default" in body}
    filled, _ = substitute(source, values)
    limits = filled.data.get("limits") if isinstance(filled.data, dict) else None
    yield from (each for each in (limits if isinstance(limits, list) else [limits]) if isinstance(each, str))
    for section in ("setup", "steps", "cleanup"):
        yield from _in_entries(filled.data.get(section) if isinstance(filled.data, dict) else None)


def _in_entries(entries: Any) -> Iterator[str]:
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict):
            continue
        if isinstance(entry.get("include"), str):
            yield entry["include"]
        definition = find_step(entry["step"]) if isinstance(entry.get("step"), str) else None
        if definition is not None:
            yield from (entry[key] for key, _ in named_by(definition.params) if isinstance(entry.get(key), str))
        yield from _in_entries(entry.get("steps"))


def models_of_steps() -> dict[str, type[Model]]:
    """The kinds of files that installed steps name: the key that says which it is -> its model."""
    models = [model for each in known_steps().values() for _, model in named_by(each.params)]
    return {list(model.model_fields)[1]: model for model in models}


def named_by(params: type[Params]) -> Iterator[tuple[str, type[Model]]]:
    """(key, model) of the files that a step names."""
    for name, info in params.model_fields.items():
        for arm in (info.annotation, *get_args(info.annotation)):
            if get_origin(arm) is InputFile:
                yield info.alias or name, get_args(arm)[0]
