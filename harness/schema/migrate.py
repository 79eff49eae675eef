"""From an older version of a file to the current one, in its text: comments, order and layout stay as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node

from harness.schema.document import Source
from harness.schema.problems import ProblemsError
from harness.schema.source import parse_source
from harness.schema.versions import MIGRATIONS, current, is_retired

Entry = tuple[tuple[str, ...], Node, Node, MappingNode]
"""A key with the keys around it, its node, the node of its value, and the mapping that holds it."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """A file as the current version has it."""

    kind: str
    found: int
    """The version that the file said."""
    text: str


def migrate(source: Source, text: str) -> Migrated:
    """The `text` of a file, brought to the current version of its kind.

    ProblemsError: the file is of no known kind, says no version, or is of a newer one than this harness reads.
    """
    source.check()
    kind, found = kind_of(source), _version(source)
    newest = current(kind)
    if found > newest:
        message = f"this file is of schema {found}, this harness reads {newest}"
        raise ProblemsError([source.problem(("schema",), "HX-1209", message, "a newer harness reads it")])
    if found == 1:
        text = without_retired(kind, text)
    for number, step in enumerate(MIGRATIONS[kind][found - 1 :], found + 1):
        text = _with_version(step(text), number)
    parse_source(text.encode("utf-8"), f"{source.name}, migrated").check()
    return Migrated(kind, found, text)


def kind_of(source: Source) -> str:
    """Which kind of file this is; ProblemsError when it is none."""
    keys = source.data if isinstance(source.data, dict) else {}
    kind = next((key for key in MIGRATIONS if key in keys), "")
    if not kind:
        source.check()
        message = "not a plan, station, profile or limit set"
        hint = f"begin with `schema: 1` and one of {', '.join(MIGRATIONS)}"
        raise ProblemsError([source.problem((), "HX-1204", message, hint)])
    return kind


def _version(source: Source) -> int:
    found = source.data.get("schema")
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise ProblemsError([source.problem(("schema",), "HX-1209", "the file says no version", "write `schema: 1`")])
    return found


def without_retired(kind: str, text: str) -> str:
    """The text without the keys that went without a new version."""
    gone = [entry for entry in entries(text) if is_retired(kind, entry[0])]
    for entry in reversed(gone):  # from the end, so that the places before it stay right
        text = without(text, entry)
    return text


def entries(text: str) -> Iterator[Entry]:
    """Every key of every mapping, from top to bottom."""
    yield from _below(YAML().compose(text), ())


def _below(node: Node, around: tuple[str, ...]) -> Iterator[Entry]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield (*around, str(key.value)), key, value, node
            yield from _below(value, (*around, str(key.value)))


def without(text: str, entry: Entry) -> str:
    """The text without one key and its scalar: in `{ }` with its comma, else with its line."""
    _, key, value, holder = entry
    before, after = text[: key.start_mark.index], text[value.end_mark.index :]
    if holder.flow_style:
        comma = re.match(r"\s*,[ \t]*", after)
        return before + after[comma.end() :] if comma else re.sub(r",\s*$", "", before) + after
    if len(holder.value) == 1:  # an empty place would be read as no mapping
        return f"{before}{{}}{after}"
    return before[: before.rfind("\n") + 1] + after.partition("\n")[2]


def _with_version(text: str, version: int) -> str:
    """The text with another version behind its key `schema`."""
    (node,) = [value for loc, _, value, _ in entries(text) if loc == ("schema",)]
    return f"{text[: node.start_mark.index]}{version}{text[node.end_mark.index :]}"
