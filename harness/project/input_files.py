"""The files that steps name in their parameters: found beside the plan, checked, hashed, handed over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.project.checks.parts import Place
from harness.project.model import StationProject
from harness.project.step import Params
from harness.schema.document import Source
from harness.schema.input_file import InputFile
from harness.schema.problems import Problems, ProblemsError
from harness.schema.regular import is_regular
from harness.schema.source import read_source, validate


def input_files(params: Params) -> Iterator[tuple[str, InputFile[Any]]]:
    """(key, file) of every file that a step's parameters name."""
    for name, info in type(params).model_fields.items():
        value = getattr(params, name)
        if isinstance(value, InputFile):
            yield info.alias or name, value


def load_input_files(
    params: Params, source: Source, loc: Place, base: Path, on: StationProject, found: Problems
) -> bool:
    """Load the files that a step at `loc` of `source` names, from the folder of that file; whether all are right.

    `base`: the plan's folder, outside which none may lie.
    """
    here, base = (source.path.parent if source.path else base).resolve(), base.resolve()
    are_right = True
    for key, file in input_files(params):
        path = (here / file.name).resolve()
        problem = None
        if not path.is_relative_to(base):
            problem = source.problem((*loc, key), "HX-1341", f"{file.name!r} lies outside the plan's folder")
        elif not is_regular(path):
            problem = source.problem((*loc, key), "HX-1342", f"no such file {file.name!r} beside {source.name}")
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
        name = path.relative_to(base).as_posix()
        on.hashes[name], on.files[name], on.roles[name] = part.sha256, path, "file"
    return are_right
