"""What an unquoted word in a file means, by the core rules of YAML 1.2.2 section 10.3.2.

Two rules are stricter than the standard, because serial and part numbers are typed without quotes: digits that begin
with a needless zero (`0012345`, `017`, `00.5`) stay text, and numbers that cannot be held exactly are refused.
"""

from __future__ import annotations

import math
import re

MAX_DIGITS = 18
"""Longest integer; every one of them fits a signed 64-bit number."""

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# Every pattern is linear: no two neighbouring parts can match the same character.
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_OTHER = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def resolve(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar; ValueError for a number that is not finite or too long."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _DECIMAL.fullmatch(text):
        if len(text.lstrip("+-")) > MAX_DIGITS:
            raise ValueError(f"a whole number of more than {MAX_DIGITS} digits")
        return int(text)
    if _OTHER.fullmatch(text):
        value = int(text[2:], 8 if text[1] == "o" else 16) if len(text) <= MAX_DIGITS + 2 else 10**MAX_DIGITS
        if value >= 10**MAX_DIGITS:
            raise ValueError(f"a whole number of more than {MAX_DIGITS} digits")
        return value
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is not a finite number")
    if _FLOAT.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(f"{text if len(text) <= 40 else text[:40] + '...'} is too large for a number")
        return number
    return text
