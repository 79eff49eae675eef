"""Names in braces that nothing puts a number in: a slip that would else show as a missing value at the rack."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from harness.schema.profile import Profile

Place = tuple[str | int, ...]
_NAME = re.compile(r"\{([a-z0-9_.]+)\}")
_ROW = re.compile(r"i(?:\.[0-9]+)?")


def texts_under(profile: Profile, keys: Collection[str], parts: Collection[str]) -> Iterator[tuple[Place, str]]:
    """(location, text) of all texts of some parts of a profile that stand under one of the keys, however deep."""
    for place, text in _texts(profile.model_dump(include=set(parts)), ()):
        if not set(keys).isdisjoint(map(str, place)):
            yield place, text


def unfilled(profile: Profile, place: Place, text: str) -> list[tuple[Place, str]]:
    """The first {name} of a text that stands for nothing: (location, message), or none."""
    known = {*profile.parameters, *(("value",) if "set" in place else ())}
    names = [name for name in _NAME.findall(text) if name not in known and _ROW.fullmatch(name) is None]
    if not names or "equals" in place:
        return []
    shown = ", ".join(f"{{{name}}}" for name in ("i", *sorted(known)))
    return [(place, f"{{{names[0]}}} stands for nothing here; known are {shown}")]


def _texts(data: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _texts(value, (*place, key))
    elif isinstance(data, list | tuple):
        for index, value in enumerate(data):
            yield from _texts(value, (*place, index))
    elif isinstance(data, str):
        yield place, data
