"""A Redfish resource: JSON read strictly, and a value in it found by its pointer (RFC 6901)."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any

from harness.transport.redfish.http import BadResponse

JsonObject = dict[str, Any]


MAX_VALUES = 16_000
"""Most values in a body, counted by what begins or parts them. Its size alone bounds no time: a megabyte of empty lists
takes a third of a second, in one piece that no thread can interrupt."""
FEW_VALUES = 3_000
"""So many are parsed in some milliseconds, if they are not long."""
SHORT = 128 * 1024
"""So many bytes are."""
_LONGEST_INTEGER = 40
"""Digits of a whole number at most; reading long ones takes quadratic time."""


_PATH = re.compile(r"/redfish/[!$%&'()*+,\-./0-9:;=@A-Z\[\]_a-z~]*")


class Missing:
    """What a pointer finds where nothing is."""


class Undecodable:
    """What stands for a value that is none in JSON (NaN), or that stands there twice."""


MISSING = Missing()
UNDECODABLE = Undecodable()


def weight(body: bytes) -> int:
    """How many values a body may hold, at most; without looking at it as JSON."""
    return body.count(b",") + body.count(b"{") + body.count(b"[")


def parse_resource(body: bytes) -> JsonObject:
    """The JSON object of a body (RFC 8259). BadResponse when the whole is none: cut short, no UTF-8, no object.

    A NaN or a key that stands there twice costs that value and no other: it is `UNDECODABLE`.
    """
    if weight(body) > MAX_VALUES:
        raise BadResponse(f"the JSON holds more than {MAX_VALUES} values")
    try:
        text = body.decode("utf-8")
        data = json.loads(text, parse_constant=_no_constant, parse_int=_integer, object_pairs_hook=_once)
    except RecursionError:
        raise BadResponse("the JSON is nested too deeply") from None
    except ValueError as error:
        raise BadResponse(f"expected JSON, got {body[:48]!r} ({error})") from None
    if not isinstance(data, dict):
        raise BadResponse(f"expected a JSON object, got {body[:48]!r}")
    return data


def _no_constant(text: str) -> Undecodable:  # noqa: ARG001 (NaN or an infinity)
    return UNDECODABLE


def _integer(text: str) -> int | Undecodable:
    return int(text) if len(text) <= _LONGEST_INTEGER else UNDECODABLE


def _once(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        for name, count in Counter(name for name, _ in pairs).items():
            if count > 1:
                found[name] = UNDECODABLE
    return found


def same_path(one: str, other: str) -> bool:
    """Whether two paths name the same resource: with or without a slash at the end (DSP0266, 6.3)."""
    return one.rstrip("/") == other.rstrip("/")


def is_path(text: object) -> bool:
    """Whether a text is the path of a resource of this service: no other host, no query, no way out of /redfish/."""
    if not isinstance(text, str) or len(text) > 1024 or _PATH.fullmatch(text) is None:
        return False
    return "/." not in text or not any(part in (".", "..") for part in text.split("/"))


def at(resource: JsonObject, pointer: str) -> Any:
    """What stands at a pointer such as `/FlowLitersPerMinute/Reading`; MISSING when nothing does."""
    found: Any = resource
    for token in pointer.split("/")[1:]:
        found = step(found, token)
    return found


def step(place: Any, token: str) -> Any:
    """What stands under one token of a pointer; MISSING when nothing does."""
    key = token.replace("~1", "/").replace("~0", "~")
    if isinstance(place, dict):
        return place.get(key, MISSING)
    if isinstance(place, list) and key.isascii() and key.isdigit() and len(key) < 10 and int(key) < len(place):
        return place[int(key)]
    return MISSING


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
