"""Where in the data an error of pydantic happened.

An error's location mixes keys of the data with labels that pydantic adds: the tag of a union's branch, which may equal
a key, and `[key]`. Only the model's own schema can tell them apart, so it is followed along with the location.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from harness.schema.document import Loc

Schema = Mapping[str, Any]

_WRAPPERS = frozenset(
    {"default", "nullable", "function-before", "function-after", "function-wrap", "model", "dataclass", "definitions"}
)
_ITEMS = frozenset({"list", "set", "frozenset", "generator"})


@dataclass(slots=True)
class Place:
    """An error's place: the location in the data, whether its key is meant, and which unions were crossed.

    `schema` is what was expected there, None when unknown; `parent` what was expected around it. `branches` holds
    (location, label) of every untagged union on the way.
    """

    loc: Loc
    is_key: bool = False
    schema: Schema | None = None
    parent: Schema | None = None
    branches: list[tuple[Loc, str]] = field(default_factory=list)


class Walker:
    """Follows locations of one model's errors."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._root: Schema = model.__pydantic_core_schema__
        self._definitions: dict[str, Schema] = {}
        if self._root["type"] == "definitions":
            self._definitions = {entry["ref"]: entry for entry in self._root["definitions"]}

    def follow(self, loc: tuple[str | int, ...]) -> Place:
        """The place in the data that an error's location means."""
        place = Place((), schema=self._bare(self._root))
        for element in loc:
            self._step(place, element)
        return place

    def _step(self, place: Place, element: str | int) -> None:
        schema = place.schema
        kind = schema["type"] if schema is not None else ""
        if element == "[key]":
            place.is_key = True
        elif kind == "tagged-union" and schema is not None and element in schema["choices"]:
            place.schema = self._bare(schema["choices"][element])
        elif kind == "union" and schema is not None:
            place.branches.append((place.loc, str(element)))
            place.schema = self._branch(schema, str(element))
        else:
            place.parent = schema
            place.schema = self._child(schema, element)
            place.loc = (*place.loc, element)

    def _child(self, schema: Schema | None, element: str | int) -> Schema | None:
        """What is expected under a key or index of a mapping or list."""
        if schema is None:
            return None
        kind, found = schema["type"], None
        if kind in {"model-fields", "typed-dict", "dataclass-args"}:
            found = next((entry for name, entry in _fields(schema) if name == element), None)
            found = found["schema"] if found is not None else None
        elif kind == "dict":
            found = schema.get("values_schema")
        elif kind in _ITEMS:
            found = schema.get("items_schema")
        elif kind == "tuple" and isinstance(element, int):
            items, variadic = schema["items_schema"], schema.get("variadic_item_index")
            found = (
                items[min(element, len(items) - 1) if variadic is None else min(element, variadic)] if items else None
            )
        return self._bare(found) if found is not None else None

    def _branch(self, schema: Schema, label: str) -> Schema | None:
        """The branch that a label means: `str`, `Limit`, `function-after[check(), Limit]`, or a name given to it."""
        words = set(re.findall(r"[\w-]+", label))
        candidates: list[tuple[int, Schema]] = []
        for choice in schema["choices"]:
            inner, name = choice if isinstance(choice, tuple) else (choice, None)
            types, models = self._labels(inner)
            rank = 3 if label in {name, *types, *models} else 2 if models & words else 1 if types & words else 0
            candidates.append((rank, inner))
        rank, best = max(candidates, key=lambda candidate: candidate[0])
        return self._bare(best) if rank else None

    def _labels(self, schema: Schema) -> tuple[set[str], set[str]]:
        """What pydantic may call a branch: (names of types, names of models)."""
        types: set[str] = set()
        models: set[str] = set()
        current: Schema | None = schema
        while current is not None:
            if "cls" in current:
                models.add(current["cls"].__name__)
            inner = self._inner(current)
            if inner is None:
                types.add(current["type"])
            current = inner
        return types, models

    def _inner(self, schema: Schema) -> Schema | None:
        kind = schema["type"]
        if kind == "definition-ref":
            return self._definitions.get(schema["schema_ref"])
        if kind in _WRAPPERS:
            inner: Schema = schema["schema"]
            return inner
        if kind == "chain":
            last: Schema = schema["steps"][-1]
            return last
        if kind == "json-or-python":
            json: Schema = schema["json_schema"]
            return json
        if kind == "lax-or-strict":
            strict: Schema = schema["strict_schema"]
            return strict
        return None

    def _bare(self, schema: Schema) -> Schema | None:
        """The schema without defaults, validators, references and the like."""
        current: Schema | None = schema
        while current is not None and (inner := self._inner(current)) is not None:
            current = inner
        return current


def _fields(schema: Schema) -> list[tuple[str, Schema]]:
    """(the key as a file writes it, its schema) for every key of a mapping."""
    entries = schema["fields"]
    pairs = entries.items() if isinstance(entries, Mapping) else [(entry["name"], entry) for entry in entries]
    found = []
    for name, entry in pairs:
        alias = entry.get("validation_alias")
        found.append((alias if isinstance(alias, str) else name, entry))
    return found


def allowed_keys(schema: Schema | None) -> list[str]:
    """The keys that a mapping may have, in the model's order; [] when any or unknown."""
    if schema is None or schema["type"] not in {"model-fields", "typed-dict", "dataclass-args"}:
        return []
    return [name for name, _ in _fields(schema)]


def allowed_words(schema: Schema | None) -> list[str]:
    """The words of a closed choice, [] when it is none."""
    if schema is None:
        return []
    if schema["type"] == "literal":
        return [str(word) for word in schema["expected"]]
    if schema["type"] == "enum":
        return [str(member.value) for member in schema["members"]]
    return []
