"""A Redfish resource: JSON read strictly, and a value in it found by its pointer (RFC 6901)."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from harness.transport.redfish.http import BadResponse

JsonObject = dict[str, Any]


class Missing:
    """What a pointer finds where nothing is."""


MISSING = Missing()


def parse_resource(body: bytes) -> JsonObject:
    """The JSON object of a body (RFC 8259). BadResponse for anything else: NaN, a key twice, text that is no UTF-8."""
    try:
        data = json.loads(body.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_once)
    except RecursionError:
        raise BadResponse("the JSON is nested too deeply") from None
    except ValueError as error:
        raise BadResponse(f"expected JSON, got {body[:48]!r} ({error})") from None
    if not isinstance(data, dict):
        raise BadResponse(f"expected a JSON object, got {body[:48]!r}")
    return data


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{double[:32]!r} stands there twice")
    return found


def same_path(one: str, other: str) -> bool:
    """Whether two paths name the same resource: with or without a slash at the end (DSP0266, 6.3)."""
    return one.rstrip("/") == other.rstrip("/")


def is_path(text: object) -> bool:
    """Whether a text is the path of a resource of this service: no other host, no query, no way out of /redfish/."""
    if not isinstance(text, str) or not text.startswith("/redfish/") or len(text) > 1024:
        return False
    plain = all("!" <= char <= "~" and char not in '?#"<>\\^`{|}' for char in text)
    return plain and not any(part in (".", "..") for part in text.split("/"))


def at(resource: JsonObject, pointer: str) -> Any:
    """What stands at a pointer such as `/FlowLitersPerMinute/Reading`; MISSING when nothing does."""
    found: Any = resource
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isascii() and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        else:
            return MISSING
    return found


def number(value: Any) -> float:
    """A JSON number as a float; NaN for anything else, a text such as 'Out of range' and true included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        as_float = float(value)
    except OverflowError:
        return math.nan
    return as_float if math.isfinite(as_float) else math.nan


def word(value: Any) -> str:
    """A JSON text, number or truth value as the text that `answers` compares; '' for anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return value if isinstance(value, str) else ""
