"""How an imported map is written down: names as profiles have them, values as one line of YAML, mistakes in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from harness.errors import ConfigError

_WORDS_OF_YAML = frozenset(("on", "off", "yes", "no", "true", "false", "null", "y", "n"))


def identifier(name: str) -> str:
    """A name as profiles have them: a-z first, then a-z, 0-9 and _, at most 60 characters."""
    text = "".join(char if char.isascii() and char.isalnum() else "_" for char in name.strip().lower())
    text = "_".join(part for part in text.split("_") if part)[:60]
    return text if text[:1].isalpha() else f"r_{text}"


def unique(key: str, taken: Mapping[str, Any]) -> str:
    """The key, with a number behind it when it is taken."""
    if key not in taken:
        return key
    number = 2
    while f"{key}_{number}" in taken:
        number += 1
    return f"{key}_{number}"


def needed(data: Mapping[str, Any], key: str, kind: type, where: str) -> Any:
    """A value of a map; ConfigError when it is missing or of another kind."""
    value = data.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ConfigError(f"{where}: {key!r} must be {'a text' if kind is str else 'a whole number'}, not {value!r}")
    return value


def flags_of(bits: Iterable[tuple[int, str]], where: str) -> tuple[dict[str, int], list[str]]:
    """Flags of (bit, word) pairs, and notes: a word that comes twice gets a number, words of one bit become one."""
    words: dict[int, list[str]] = {}
    for bit, word in bits:
        words.setdefault(bit, []).append(word)
    flags: dict[str, int] = {}
    notes: list[str] = []
    for bit, said in words.items():
        wanted = identifier("_or_".join(identifier(word) for word in said))
        key = unique(wanted, flags)
        if len(said) > 1:
            shown = " and ".join(repr(word) for word in said)
            notes.append(f"{where}: bit {bit} is {shown} in the map; it is called {key}")
        elif key != wanted:
            notes.append(f"{where}: flag {said[0]!r} twice; bit {bit} is called {key}")
        flags[key] = bit
    return flags, notes


def flow(value: Any) -> str:
    """One line of YAML; numbers, texts, lists and mappings only."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return json.dumps(value)


def _key(key: str) -> str:
    return json.dumps(key) if key in _WORDS_OF_YAML else key
