"""The files that a run is made from, and the copy of each that its record keeps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from harness.errors import ConfigError
from harness.project.model import Project
from harness.record.manifest import INPUTS
from harness.record.result import InputFile


def inputs_of(project: Project) -> tuple[InputFile, ...]:
    """Every file that a project was made from, each with a copy of its own in the record."""
    hashes = project.on.hashes
    roles = {name: _role(name, project) for name in hashes}
    copies = copy_names({name: f"profiles/{name}" if role == "profile" else name for name, role in roles.items()})
    return tuple(InputFile(role=roles[name], name=name, sha256=hashes[name], kept_as=copies[name]) for name in hashes)


def read_inputs(project: Project) -> Mapping[str, bytes]:
    """What the record keeps: name of the copy -> content. ConfigError for a file that changed since it was loaded."""
    contents = {}
    for file in inputs_of(project):
        path = project.on.files[file.name]
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{file.name} cannot be read again: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise ConfigError(f"{file.name} was changed while it was being loaded", hint="start again")
        contents[file.kept_as] = content
    return contents


def copy_names(paths: Mapping[str, str]) -> dict[str, str]:
    """Name -> name of its copy inside the record. No two share one, also where a file system ignores case."""
    taken: set[str] = set()
    names = {}
    for name, path in paths.items():
        names[name] = f"{INPUTS}{_free(_flat(path), taken)}"
    return names


def _flat(path: str) -> str:
    flat = "".join(char if char.isalnum() or char in "._-" else "_" for char in path.lstrip("./"))
    return flat.removesuffix(".yaml").removesuffix(".yml")[-180:]


def _free(stem: str, taken: set[str]) -> str:
    for found in _tried(stem):
        if found.lower() not in taken:
            taken.add(found.lower())
            return found
    raise AssertionError("names do not run out")


def _tried(stem: str) -> Iterable[str]:
    yield f"{stem}.yaml"
    number = 2
    while True:
        yield f"{stem}-{number}.yaml"
        number += 1


def _role(name: str, project: Project) -> str:
    if name == project.source.name:
        return "plan"
    if name == project.on.source.name:
        return "station"
    return project.on.roles.get(name, "profile")
