"""Values of SCPI: numbers with units, words, channel lists, and how a reply is written (SCPI-99 vol. 1, ch. 7)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

MAX_CHANNELS = 1000
"""A channel list longer than this is refused."""

MAX_NUMBER = 64
"""Characters of a number; longer ones are not numbers (and cost time in a regular expression)."""

INFINITY = "9.9E+37"
NOT_A_NUMBER = "9.91E+37"

_NUMBER = re.compile(
    r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:\s*E\s*[+-]?\d{1,5})?)\s*([A-Z%/]*)\s*", re.IGNORECASE | re.ASCII
)
_BASES = {"#H": 16, "#Q": 8, "#B": 2}
_PREFIXES = {"EX": 18, "PE": 15, "T": 12, "G": 9, "MA": 6, "K": 3, "": 0, "M": -3, "U": -6, "N": -9, "P": -12, "F": -15}

MESSAGES = {
    0: "No error",
    -102: "Syntax error",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -113: "Undefined header",
    -114: "Header suffix out of range",
    -131: "Invalid suffix",
    -141: "Invalid character data",
    -171: "Invalid expression",
    -200: "Execution error",
    -221: "Settings conflict",
    -222: "Data out of range",
    -224: "Illegal parameter value",
    -350: "Queue overflow",
    -363: "Input buffer overrun",
    -410: "Query INTERRUPTED",
    -420: "Query UNTERMINATED",
}
"""Texts of the error numbers used here (SCPI-99 vol. 2, ch. 21.8)."""


class ScpiError(Exception):
    """A command cannot be done: goes to the error queue as `code,"text"`."""

    def __init__(self, code: int, detail: str = "") -> None:
        text = MESSAGES.get(code, "SimulatedDevice-specific error")
        super().__init__(f"{text};{detail}" if detail else text)
        self.code = code


def number(
    text: str,
    *,
    unit: str = "",
    minimum: float = -math.inf,
    maximum: float = math.inf,
    default: float | None = None,
) -> float:
    """A numeric parameter in the base unit: decimal with unit and prefix ("1.5 kW"), #H1F, MIN, MAX, DEF, INF, NINF."""
    word = text.strip().upper()
    if len(word) > MAX_NUMBER:
        raise ScpiError(-104)
    if word in ("MIN", "MINIMUM", "MAX", "MAXIMUM"):
        value = minimum if word.startswith("MIN") else maximum
        if math.isinf(value):
            raise ScpiError(-224)
    elif word in ("DEF", "DEFAULT") and default is not None:
        value = default
    elif word in ("INF", "INFINITY"):
        value = math.inf
    elif word in ("NINF", "NINFINITY"):
        value = -math.inf
    elif word[:2] in _BASES:
        value = _integer(word[2:], _BASES[word[:2]])
    else:
        value = _decimal(text, unit)
    if not minimum <= value <= maximum:
        raise ScpiError(-222)
    return value


def _integer(digits: str, base: int) -> float:
    try:
        if not digits.isalnum():
            raise ValueError(digits)
        return float(int(digits, base))
    except ValueError:
        raise ScpiError(-104) from None


def _decimal(text: str, unit: str) -> float:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ScpiError(-104)
    value = float("".join(match[1].split()))
    suffix, wanted = match[2].upper(), unit.upper()
    if not suffix:
        return value
    if not wanted or not suffix.endswith(wanted):
        raise ScpiError(-131)
    prefix = suffix[: len(suffix) - len(wanted)]
    # IEEE 488.2 table 7-2: M is mega with hertz and ohm, milli with everything else.
    power = 6 if prefix == "M" and wanted in ("HZ", "OHM") else _PREFIXES.get(prefix)
    if power is None:
        raise ScpiError(-131)
    return value * 10.0**power if power >= 0 else value / 10.0**-power


def boolean(text: str) -> bool:
    """ON, OFF or a number that is rounded: zero is off."""
    word = text.strip().upper()
    if word in ("ON", "OFF"):
        return word == "ON"
    value = number(text)
    return math.isinf(value) or round(value) != 0


def channels(text: str) -> tuple[int, ...]:
    """A channel list in its order: "(@101:103,105)" -> 101, 102, 103, 105; a range may run backwards."""
    body = text.strip()
    if not (body.startswith("(@") and body.endswith(")")):
        raise ScpiError(-171)
    found: list[int] = []
    for part in body[2:-1].split(","):
        ends = [end.strip() for end in part.split(":")]
        if len(ends) > 2 or not all(end.isascii() and end.isdigit() and len(end) <= 9 for end in ends):
            raise ScpiError(-171)
        first, last = int(ends[0]), int(ends[-1])
        if len(found) + abs(last - first) >= MAX_CHANNELS:
            raise ScpiError(-224)
        found += range(first, last + 1) if last >= first else range(first, last - 1, -1)
    return tuple(found)


def forms(word: str) -> tuple[str, str]:
    """Short and long form of a mnemonic written as in a manual: "VOLTage" -> ("VOLT", "VOLTAGE")."""
    return "".join(character for character in word if not character.islower()), word.upper()


def reply(value: object) -> str:
    """A reply as an instrument writes it: 1 and 0, integers, NR3 with 9.9E37 and 9.91E37, lists with commas."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        if math.isnan(value):
            return NOT_A_NUMBER
        if math.isinf(value):
            return INFINITY if value > 0 else "-" + INFINITY
        return f"{value:+.6E}"
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ",".join(reply(each) for each in value)
    return str(value)


def split(text: str, separator: str) -> list[str]:
    """Split at `separator` outside of quotes and parentheses."""
    if separator not in text:
        return [text]
    parts: list[str] = []
    start = depth = 0
    quote = ""
    for position, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == separator and depth <= 0:
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    return parts
