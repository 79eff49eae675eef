"""The files that steps name in their parameters: found beside the plan, checked, hashed, handed over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from harness.project.checks.parts import Place
from harness.project.model import SECTIONS, StationProject
from harness.project.step import Params, find_step
from harness.schema.document import Source
from harness.schema.input_file import InputFile
from harness.schema.problems import Problems, ProblemsError
from harness.schema.source import read_source, substitute, validate


def input_files(params: Params) -> Iterator[tuple[str, InputFile[Any]]]:
    """(key, file) of every file that a step's parameters name."""
    for name, info in type(params).model_fields.items():
        value = getattr(params, name)
        if isinstance(value, InputFile):
            yield info.alias or name, value


def load_input_files(params: Params, source: Source, loc: Place, on: StationProject, found: Problems) -> bool:
    """Load the files that a step at `loc` of `source` names; whether all of them are right."""
    base = (source.path.parent if source.path else Path.cwd()).resolve()
    are_right = True
    for key, file in input_files(params):
        path = (base / file.name).resolve()
        problem = None
        if not path.is_relative_to(base):
            problem = source.problem((*loc, key), "HX-1344", f"{file.name!r} lies outside the plan's folder")
        elif not path.is_file():
            problem = source.problem((*loc, key), "HX-1345", f"no such file {file.name!r} beside the plan")
        if problem is not None:
            found.add(problem)
            are_right = False
            continue
        try:
            part = read_source(path)
            file.take(part, validate(part, file.model))
        except ProblemsError as error:
            found.extend(error.problems)
            are_right = False
            continue
        on.hashes[file.name], on.files[file.name] = part.sha256, path
    return are_right


def named_files(plan: Source) -> tuple[str, ...]:
    """The files that the steps of a plan name, as they are written, whether or not they are right."""
    data = plan.data if isinstance(plan.data, dict) else {}
    declared = data.get("parameters")
    bodies = declared.items() if isinstance(declared, dict) else ()
    values = {name: body["default"] for name, body in bodies if isinstance(body, dict) and "default" in body}
    data = substitute(plan, values)[0].data if isinstance(plan.data, dict) else {}
    names: dict[str, None] = {}
    for section in SECTIONS:
        entries = data.get(section)
        for entry in entries if isinstance(entries, list) else []:
            step = entry.get("step") if isinstance(entry, dict) else None
            definition = find_step(step) if isinstance(step, str) else None
            if definition is not None:
                found = (entry.get(key) for key in _keys(definition.params))
                names.update(dict.fromkeys(text for text in found if isinstance(text, str)))
    return tuple(names)


def _keys(params: type[Params]) -> Iterator[str]:
    """The keys of a step that name a file."""
    for name, info in params.model_fields.items():
        arms = (info.annotation, *get_args(info.annotation))
        if any(get_origin(arm) is InputFile for arm in arms):
            yield info.alias or name
