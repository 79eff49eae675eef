"""What is wrong with the OIDs and queries of a profile: a slip that would else show as a missing value at the rack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from harness.schema.profile import Profile, ScpiProfile, SnmpProfile

Place = tuple[str | int, ...]
_OID_KEYS = frozenset(
    (
        *("oid", "fallbacks", "digits", "scale_from", "precision_from", "factor_from", "divisor_from"),
        *("labels", "join", "walk", "column"),
    )
)
_PART = r"(?:[0-9]+|\{[a-z0-9_.]+\})"
_OID = re.compile(rf"{_PART}(?:\.{_PART})*(?:\.\*(?:\.[0-9]+)+)?")
_NAME = re.compile(r"\{([a-z0-9_.]+)\}")
_ROW = re.compile(r"i(?:\.[0-9]+)?")
_SCPI_KEYS = frozenset(("query", "set", "texts", "at_open"))


def template_problems(profile: Profile) -> list[tuple[Place, str]]:
    """OIDs that are none, and {names} that nothing puts a number in for: (location, message)."""
    if not isinstance(profile, SnmpProfile | ScpiProfile):
        return []
    problems: list[tuple[Place, str]] = []
    keys = _OID_KEYS if isinstance(profile, SnmpProfile) else _SCPI_KEYS
    parts = {"signals", "controls", "repeat", "scpi"}
    for place, text in _texts(profile.model_dump(include=parts), ()):
        if not keys.intersection(map(str, place)):
            continue
        if isinstance(profile, SnmpProfile) and _names_key(place) in keys and not _is_oid(text):
            problems.append(
                (
                    place,
                    f"{text!r} is no OID: numbers with dots between (none in front); {{i}} and {{name}} stand for some",
                )
            )
            continue
        known = {*profile.parameters, *(("value",) if "set" in place else ())}
        names = [name for name in _NAME.findall(text) if name not in known and _ROW.fullmatch(name) is None]
        if names and "equals" not in place:
            shown = ", ".join(f"{{{name}}}" for name in ("i", *sorted(known)))
            problems.append((place, f"{{{names[0]}}} stands for nothing here; known are {shown}"))
    return problems


def _names_key(place: Place) -> str:
    """The key that a text stands under, past the index of a list."""
    return next((each for each in reversed(place) if isinstance(each, str)), "")


def _is_oid(text: str) -> bool:
    return not text or _OID.fullmatch(text) is not None


def _texts(data: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _texts(value, (*place, key))
    elif isinstance(data, list | tuple):
        for index, value in enumerate(data):
            yield from _texts(value, (*place, index))
    elif isinstance(data, str):
        yield place, data
