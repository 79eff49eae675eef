"""How people write numbers, units and times, and what was probably meant: guesses for messages, never for values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_MEANT = {
    "degC": "°c ℃ ºc c celsius centigrade deg.c degc degreec degreesc degcelsius oc",
    "degF": "°f ℉ ºf f fahrenheit deg.f degf",
    "K": "kelvin °k degk delta-k",
    "L/min": "lpm l/m l/min lmin l/minute ltr/min liter/min litre/min liters/min litres/min slpm",
    "L/h": "lph l/h l/hr l/hour",
    "L/s": "lps l/sec l/second",
    "m3/h": "m³/h m^3/h cmh cbm/h m3/hr",
    "gpm": "gal/min usgpm gpm gallon/min gallons/min",
    "L": "l ltr liter litre liters litres",
    "mL": "ml cc",
    "m3": "m³ m^3 cbm",
    "kPa": "kpa kilopascal kilopascals",
    "Pa": "pa pascal pascals",
    "mbar": "millibar",
    "psi": "psig psia lb/in2",
    "W": "watt watts",
    "kW": "kilowatt kilowatts kws",
    "kWh": "kwh kw/h kw*h",
    "V": "volt volts vdc vac vrms",
    "mV": "millivolt millivolts",
    "A": "amp amps ampere amperes adc aac arms",
    "mA": "milliamp milliamps",
    "ohm": "ω ohms r",
    "mohm": "mω mohms milliohm milliohms",
    "kohm": "kω kohms kiloohm",
    "Hz": "hertz cps",
    "RPM": "rpm u/min 1/min rev/min r/min",
    "%": "percent pct prozent",
    "%RH": "%rh rh %rel %r.h.",
    "dB": "decibel decibels",
    "s": "sec secs second seconds",
    "ms": "msec msecs millisecond milliseconds",
    "us": "µs μs usec microsecond microseconds",
    "min": "m mins minute minutes",
    "h": "hr hrs hour hours",
    "d": "day days",
    "uS/cm": "µs/cm μs/cm microsiemens/cm",
    "pH": "ph",
    "kg": "kilo kilogram kilograms",
    "VA": "voltampere",
}
_ALIASES = {word: name for name, words in _MEANT.items() for word in words.split()}
_MINUS = "\u2212\u2013\u2014"
"""Minus sign and dashes: what a text processor makes of '-'."""
_CUTOFF = 0.6
MAX_COMPARED = 100_000
"""Names that one check compares misspelt ones with, over all its guesses: about half a second of work."""
_COMMA = re.compile(r"[-+]?[0-9]+,[0-9]+")
_SPACED = re.compile(r"[-+]?[0-9]{1,3}([\u00a0\u2009\u202f '][0-9]{3})+(?![0-9])")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-5][0-9])")
_PARAMETER = re.compile(r"\$?\{?([a-z][a-z0-9_]*)\}?")


def unit_as_written(text: str, known: Iterable[str]) -> str:
    """The unit that a device's text names, in its own spelling or a usual other one; '' when it is none for certain."""
    if text in known:
        return text
    return _ALIASES.get("".join(text.split()).removeprefix("deg").removeprefix("\N{DEGREE SIGN}").casefold(), "")


def meant_unit(name: str, known: Iterable[str]) -> str:
    """The unit that was probably meant, '' when nobody can say."""
    folded = "".join(name.split()).casefold()
    units = list(known)
    same = [unit for unit in units if unit.casefold() == folded]
    if same:
        return same[0]
    if folded in _ALIASES:
        return _ALIASES[folded]
    return (difflib.get_close_matches(name, units, n=1, cutoff=_CUTOFF) or [""])[0]


def meant_number(text: str) -> str:
    """The text with its number written as numbers are written here; '' when that is not what is wrong with it."""
    text = text.strip()
    rest = text.translate(dict.fromkeys(map(ord, _MINUS), "-"))
    if _COMMA.match(rest):
        rest = rest.replace(",", ".", 1)
    if spaced := _SPACED.match(rest):
        rest = re.sub(r"[^0-9+-]", "", spaced[0]) + rest[spaced.end() :]
    return rest if rest != text else ""


def meant_duration(text: str, known: Iterable[str]) -> str:
    """A duration with its units as they are written here, two with a comma between them where it may be either.

    '' when that is not what is wrong with it.
    """
    text = meant_number(text) or text.strip()
    if clock := _CLOCK.fullmatch(text):
        first, second = int(clock[1]), int(clock[2])
        return f"{first} min {second} s, {first} h {second} min"  # people read it both ways
    parts = re.findall(r"([0-9.]+)\s*([^\s0-9.]+)", text)
    if not parts or re.sub(r"[0-9.]+\s*[^\s0-9.]+|\s", "", text):
        return ""
    units = list(known)
    named = [(number, meant_unit(name, units)) for number, name in parts]
    return " ".join(f"{number} {name}" for number, name in named) if all(name in units for _, name in named) else ""


def meant_parameter(value: object) -> str:
    """`${name}` where somebody wrote `$name` or `{name}`; '' for anything else."""
    if isinstance(value, dict):
        value = f"{{{next(iter(value))}}}" if len(value) == 1 and None in value.values() else ""
    found = _PARAMETER.fullmatch(value) if isinstance(value, str) and value[:1] in ("$", "{") else None
    return f"${{{found[1]}}}" if found and value != f"${{{found[1]}}}" else ""


class Guesses:
    """What was probably meant, for the first mistakes of a check: many names among many would cost minutes.

    Each guess compares a word with every known one. Once MAX_COMPARED have been compared there are no more guesses; the
    mistakes are all reported.
    """

    def __init__(self) -> None:
        self.left = MAX_COMPARED

    def may_compare(self, count: int) -> bool:
        """Whether there is time to compare a word with so many names; counts them."""
        is_time = self.left > 0
        self.left -= count
        return is_time

    def hint(self, word: str, known: Iterable[str]) -> str:
        """`, did you mean 'x'?` for the nearest of the known names, or ''."""
        names = list(known)
        if not self.may_compare(len(names)):
            return ""
        same = [name for name in names if name.casefold() == word.casefold()]
        near = same or difflib.get_close_matches(word, names, n=1, cutoff=_CUTOFF)
        return f", did you mean {near[0]!r}?" if near else ""
