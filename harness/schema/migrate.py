"""From an older version of a file to the current one, in its text: comments, order and layout stay as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
        text = _without_retired(source, kind, text)
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
        message = "not a plan, sequence, parameter file, station, profile or limit set"
        hint = f"begin with `schema: 1` and one of {', '.join(MIGRATIONS)}"
        raise ProblemsError([source.problem((), "HX-1204", message, hint)])
    return kind


def _version(source: Source) -> int:
    found = source.data.get("schema")
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise ProblemsError([source.problem(("schema",), "HX-1209", "the file says no version", "write `schema: 1`")])
    return found


def _without_retired(source: Source, kind: str, text: str) -> str:
    """The text without the keys that went without a new version. ProblemsError where they cannot be cut out alone."""
    while (entry := next((each for each in entries(text) if is_retired(kind, each[0])), None)) is not None:
        rest = _without(text, entry)
        if _data(rest) != _less(_data(text), entry[0]):
            message = f"{'.'.join(entry[0])} did nothing and is gone, and cannot be cut out here alone"
            raise ProblemsError([source.problem(entry[0], "HX-1209", message, "take it out by hand", key=True)])
        text = rest
    return text


def _data(text: str) -> Any:
    parsed = parse_source(text.encode("utf-8"), "")
    return None if parsed.problems else parsed.data


def _less(data: Any, loc: tuple[str, ...]) -> Any:
    """The data without the key at a place."""
    first, *rest = loc
    if not rest:
        return {key: value for key, value in data.items() if key != first}
    return {**data, first: _less(data[first], tuple(rest))}


def entries(text: str) -> Iterator[Entry]:
    """Every key of every mapping, from top to bottom."""
    yield from _below(YAML().compose(text), ())


def _below(node: Node, around: tuple[str, ...]) -> Iterator[Entry]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield (*around, str(key.value)), key, value, node
            yield from _below(value, (*around, str(key.value)))


def _without(text: str, entry: Entry) -> str:
    """The text without one key and its value: in `{ }` with its comma, else with its lines."""
    _, key, value, holder = entry
    start, end = key.start_mark.index, value.end_mark.index
    if holder.flow_style:
        before, after = text[:start], text[end:]
        comma = re.match(r"\s*,[ \t]*", after)
        return before + after[comma.end() :] if comma else re.sub(r",\s*$", "", before) + after
    lines = list(_LINE.finditer(text))
    number = next(k for k, line in enumerate(lines) if start < line.end())
    last = next((k for k, line in enumerate(lines) if end < line.end()), len(lines) - 1)
    while last > number and not _is_of(lines[last], end, key.start_mark.column):
        last -= 1
    if len(holder.value) == 1:  # an empty place would be read as no mapping
        closed = end if end <= lines[last].end(1) else lines[last].end(1)
        return f"{text[:start]}{{}}{text[closed:]}"
    return text[: lines[number].start()] + text[lines[last].end() :]


_LINE = re.compile(r"([^\r\n]*)(?:\r\n|\r|\n|\Z)")


def _is_of(line: re.Match[str], end: int, column: int) -> bool:
    """Whether a line is the last of a value that ends at `end`, of a key in a column.

    It begins before the end, is not blank, and is no comment to what follows.
    """
    content = line[1].lstrip(" ")
    indent = len(line[1]) - len(content)
    return line.start() + indent < end and bool(content.strip()) and not (content[0] == "#" and indent <= column)


def _with_version(text: str, version: int) -> str:
    """The text with another version behind its key `schema`."""
    (node,) = [value for loc, _, value, _ in entries(text) if loc == ("schema",)]
    return f"{text[: node.start_mark.index]}{version}{text[node.end_mark.index :]}"
