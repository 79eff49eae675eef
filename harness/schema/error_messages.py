"""The errors of pydantic in the words of somebody who writes a plan: what was expected, what was found, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from harness.schema.error_places import Place, allowed_keys, allowed_words
from harness.schema.problems import did_you_mean, shown
from harness.schema.versions import is_retired

KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "mapping_type": "a mapping (key: value)",
    "dataclass_type": "a mapping (key: value)",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "none_required": "nothing",
}
"""What each error of kind expected."""

_BOUNDS = {
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "finite_number": "must be a finite number",
    "string_pattern_mismatch": "must have the form {pattern}",
}
_MAX_LISTED = 16
MIGRATE = "see `harness migrate`"
MAX_MESSAGE = 240


@dataclass(frozen=True, slots=True)
class Words:
    """Code, message and hint of a problem; `inner` names the key below the error's place that is meant."""

    code: str
    message: str
    hint: str = ""
    inner: str = ""


def found(value: Any) -> str:
    """What a file has in a place, for `expected ..., found ...`."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping (key: value)"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return shown(value)
    return f"the text {shown(value)}" if isinstance(value, str) else f"the number {shown(value)}"


def kinds_expected(kinds: Iterable[str], value: Any) -> Words:
    """Words for a value that is none of the kinds that its place takes."""
    kinds = list(dict.fromkeys(kinds))
    expected = list(dict.fromkeys(KINDS[kind] for kind in kinds))
    return Words("HX-1205", f"expected {_alternatives(expected)}, found {found(value)}", _kind_hint(kinds, value))


def _kind_hint(kinds: list[str], value: Any) -> str:
    if "string_type" in kinds and isinstance(value, bool | int | float):
        return "quote it"
    if isinstance(value, str) and any(KINDS[kind].endswith("number") for kind in kinds):
        if re.fullmatch(r"[-+.0-9eE]{1,40}", value):
            return "remove the quotes"
        return "write the number alone" if value[:1].isdigit() else ""
    if isinstance(value, str) and "bool_type" in kinds and value.lower() in {"on", "off", "yes", "no", "y", "n"}:
        return f"write {'true' if value.lower() in {'on', 'yes', 'y'} else 'false'}"
    if any(KINDS[kind] == "a list" for kind in kinds) and not isinstance(value, list) and value is not None:
        return "begin each entry with '- '"
    return ""


def _alternatives(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def say(details: ErrorDetails, place: Place, value: Any) -> Words:
    """Words for one error."""
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden" and is_retired("profile", place.loc):
        return Words("HX-1203", f"unknown key {shown(place.loc[-1])}", f"it did nothing and is gone, {MIGRATE}")
    if kind == "extra_forbidden":
        return _unknown_key(str(place.loc[-1]), allowed_keys(place.parent))
    if kind == "missing" and isinstance(place.loc[-1], int):
        return Words("HX-1208", f"entry {place.loc[-1] + 1} of the list is missing")
    if kind == "missing":
        return Words("HX-1204", f"missing key {str(place.loc[-1])!r}")
    if _is_of_other_version(details, place, value):
        return _version(value, int(context["expected"]))
    if kind in {"literal_error", "enum"}:
        words = allowed_words(place.schema) or _quoted(str(context.get("expected", "")))
        return _choice(value, words)
    if kind == "union_tag_invalid":
        key = _discriminator(context)
        tag = value.get(key) if isinstance(value, dict) and key in value else context.get("tag")
        chosen = _choice(tag, _quoted(str(context.get("expected_tags", ""))))
        return Words(chosen.code, chosen.message, chosen.hint, key if isinstance(value, dict) and key in value else "")
    if kind == "union_tag_not_found":
        if not isinstance(value, dict):
            return kinds_expected(["dict_type"], value)
        key = _discriminator(context)
        return Words("HX-1204", f"missing key {key!r}") if key else Words("HX-1206", "it is not clear what is meant")
    if kind in KINDS:
        return kinds_expected([kind], value)
    if kind in _BOUNDS:
        return Words("HX-1208", f"{shown(value) if _is_scalar(value) else 'this'} {_bound(kind, context)}")
    if kind in {"value_error", "assertion_error"}:
        message, _, hint = str(context.get("error", details["msg"])).partition("; ")
        return Words("HX-1206", _short(message) or "not accepted", _short(hint))
    return Words("HX-1206", _plain(details["msg"]))


def _is_of_other_version(details: ErrorDetails, place: Place, value: Any) -> bool:
    """Whether an error says that the file is of another version than its model."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return details["type"] == "literal_error" and place.loc == ("schema",) and is_number


def _version(value: int, expected: int) -> Words:
    hint = "a newer harness reads it" if value > expected else MIGRATE if value > 0 else ""
    return Words("HX-1209", f"this file is of schema {value}, this harness reads {expected}", hint)


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _bound(kind: str, context: dict[str, Any]) -> str:
    text = _BOUNDS[kind].format_map(context)
    return text.replace("1 entries", "1 entry").replace("1 characters", "1 character") if " 1 " in text else text


def _unknown_key(key: str, allowed: list[str]) -> Words:
    hint = did_you_mean(key, allowed)
    if not hint and 0 < len(allowed) <= _MAX_LISTED:
        hint = f"allowed here: {', '.join(allowed)}"
    return Words("HX-1203", f"unknown key {shown(key)}", hint)


def _choice(value: Any, words: list[str]) -> Words:
    if isinstance(value, bool):
        hint = "quote it, or write on or off" if {"on", "off"} & set(words) else "quote it if it is meant as text"
    else:
        hint = did_you_mean(value, words) if isinstance(value, str) else ""
    if value in words:
        hint = "write it without quotes: it is a number here"
    listed = ", ".join(words[:_MAX_LISTED]) + (", ..." if len(words) > _MAX_LISTED else "")
    what = "one of " if len(words) > 1 else ""
    shown_value = shown(value) if isinstance(value, str) else found(value)
    return Words("HX-1207", f"expected {what}{listed}, found {shown_value}", hint)


def _quoted(text: str) -> list[str]:
    return re.findall(r"'([^']*)'", text)


def _discriminator(context: dict[str, Any]) -> str:
    return (_quoted(str(context.get("discriminator", ""))) or [""])[0]


def _short(text: str) -> str:
    """Text of a validator that may repeat a long value of the file."""
    return text if len(text) <= MAX_MESSAGE else f"{text[: MAX_MESSAGE // 2]} ... {text[-MAX_MESSAGE // 2 :]}"


def _plain(message: str) -> str:
    """A message of pydantic that has no words here yet, at least in the voice of the others."""
    text = message.replace("Input should be", "expected").replace("Value error, ", "")
    return text[:1].lower() + text[1:]
