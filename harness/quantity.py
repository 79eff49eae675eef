"""Quantities with units, qualities, readings and frames: the value types that everything else passes around.

Units are a closed list, each of one kind. Conversion happens when a file is loaded, never per sample. Kelvin is a
temperature *difference* here and degC a temperature: `3 K` and `3 degC` are not interchangeable.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from harness.spelling import meant_duration, meant_number, meant_unit

if TYPE_CHECKING:
    # Only for annotations: `harness check` and `--help` do not pay for numpy.
    import numpy as np
    import numpy.typing as npt

MAX_DURATION_S = 14 * 86400.0
"""Longest duration that a file may ask for, seconds."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of one kind: canonical = value * factor + offset."""

    name: str
    kind: str
    factor: float = 1.0
    offset: float = 0.0


_TABLE: dict[str, dict[str, float | tuple[float, float]]] = {
    "temperature": {"degC": 1.0, "degF": (5 / 9, -160 / 9)},
    "temperature difference": {"K": 1.0, "mK": 1e-3},
    "pressure": {"kPa": 1.0, "Pa": 1e-3, "hPa": 0.1, "mbar": 0.1, "bar": 100.0, "MPa": 1000.0, "psi": 6.894757293168},
    "flow": {"L/min": 1.0, "L/s": 60.0, "L/h": 1 / 60, "m3/h": 1000 / 60, "gpm": 3.785411784},
    "leak rate": {"sccm": 1.0, "Pa m3/s": 6e7 / 101325, "mbar L/s": 6e6 / 101325},
    "volume": {"L": 1.0, "mL": 1e-3, "m3": 1000.0},
    "power": {"W": 1.0, "mW": 1e-3, "kW": 1e3, "MW": 1e6},
    "apparent power": {"VA": 1.0, "kVA": 1e3},
    "reactive power": {"var": 1.0, "kvar": 1e3},
    "energy": {"Wh": 1.0, "kWh": 1e3, "J": 1 / 3600, "kJ": 1 / 3.6, "MJ": 1e3 / 3.6},
    "voltage": {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "kV": 1e3},
    "current": {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "kA": 1e3},
    "charge": {"Ah": 1.0, "mAh": 1e-3},
    "resistance": {"ohm": 1.0, "mohm": 1e-3, "kohm": 1e3, "Mohm": 1e6},
    "frequency": {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6},
    "rotation": {"RPM": 1.0},
    "angle": {"deg": 1.0, "rad": 180 / math.pi},
    "ratio": {"%": 1.0, "1": 100.0, "ppm": 1e-4},
    "number": {"": 1.0},
    "level": {"dBm": 1.0},
    "attenuation": {"dB": 1.0},
    "time": {"s": 1.0, "us": 1e-6, "ms": 1e-3, "min": 60.0, "h": 3600.0, "d": 86400.0},
    "bit rate": {"Mb/s": 1.0, "kb/s": 1e-3, "Gb/s": 1e3, "b/s": 1e-6},
    "conductivity": {"uS/cm": 1.0, "mS/cm": 1e3},
    "acidity": {"pH": 1.0},
    "length": {"m": 1.0, "mm": 1e-3, "cm": 1e-2},
    "mass": {"kg": 1.0, "g": 1e-3},
    "humidity": {"%RH": 1.0},
    "pressure rate": {"kPa/min": 1.0, "Pa/s": 0.06},
    "velocity": {"m/s": 1.0},
    "thermal resistance": {"K/kW": 1.0, "K/W": 1e3},
}


def _units() -> dict[str, Unit]:
    table: dict[str, Unit] = {}
    for kind, entries in _TABLE.items():
        for name, conversion in entries.items():
            factor, offset = conversion if isinstance(conversion, tuple) else (conversion, 0.0)
            table[name] = Unit(name, kind, factor, offset)
    return table


UNITS: Mapping[str, Unit] = _units()
"""Every unit a file may name."""

_DIFFERENCES = {"temperature": "K", "level": "dB"}
_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_QUANTITY = re.compile(rf"\s*({_NUMBER})\s*(.*?)\s*")
DURATIONS = ("us", "ms", "s", "min", "h", "d")
_LONGEST_SHOWN = 64
_DURATION_PART = re.compile(rf"\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*({'|'.join(DURATIONS)})(?![a-zA-Z])")


def unit(name: str) -> Unit:
    """Look a unit up by its name; ValueError names the nearest."""
    found = UNITS.get(name)
    if found is None:
        guess = meant_unit(name, UNITS)
        raise ValueError(f"unknown unit {name!r}" + (f"; did you mean {guess!r}?" if guess else ""))
    return found


def convert(value: float, source: str, target: str) -> float:
    """Convert between two units of one kind; ValueError when the kinds differ."""
    if source == target:
        return value
    one, other = unit(source), unit(target)
    if not source:
        raise ValueError(f"the unit is missing behind {value:g}; a {other.kind} is needed, like '{value:g} {target}'")
    if not target:
        raise ValueError(f"a bare number is needed, without a unit, not one in {source!r} ({one.kind})")
    if one.kind != other.kind:
        raise ValueError(f"{source!r} is a {one.kind}, but {target!r} ({other.kind}) is needed")
    return (value * one.factor + one.offset - other.offset) / other.factor


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit, as a file states it."""

    value: float
    unit: str

    def to(self, target: str) -> float:
        """The value in another unit of the same kind."""
        return convert(self.value, self.unit, target)

    def __str__(self) -> str:
        return f"{self.value:g} {self.unit}".rstrip()


def parse_quantity(text: str | float) -> Quantity:
    """Parse `45 degC`, `1.5 bar`, `99.5 %` or a bare number (unit ''); finite values only."""
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise ValueError(f"{text!r} is not a quantity; write a number and a unit, like '45 degC'")
    meant = meant_number(text) if isinstance(text, str) else ""
    if meant:
        raise ValueError(f"{text!r} is not written as numbers are here; did you mean {meant!r}?")
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a quantity; write a number and a unit, like '45 degC'")
    value = float(match[1])
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not finite")
    return Quantity(value, unit(match[2]).name)


def parse_duration(text: str) -> float:
    """Parse `30 s`, `4 h`, `1 h 30 min` into seconds, 0 to 14 days; a unit is required."""
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is not a duration; write a unit, like '30 s' or '4 h'")
    position, total = 0, 0.0
    while match := _DURATION_PART.match(text, position):
        total += float(match[1]) * UNITS[match[2]].factor
        position = match.end()
    if position == 0 or text[position:].strip():
        meant = meant_duration(text[:_LONGEST_SHOWN], DURATIONS).replace(", ", "' or '")
        hint = f"did you mean '{meant}'?" if meant else "write a number and one of us, ms, s, min, h, d, like '30 s'"
        raise ValueError(f"{text!r} is not a duration; {hint}")
    if total > MAX_DURATION_S:
        raise ValueError(f"{text!r} is longer than 14 d")
    return total


def canonical(text: str | float) -> tuple[str, float]:
    """(kind, value in the canonical unit) of a quantity or a duration like `1 h 30 min`; ValueError for others."""
    try:
        quantity = parse_quantity(text)
    except ValueError:
        if not isinstance(text, str) or _DURATION_PART.match(text) is None:
            raise
        return "time", parse_duration(text)
    found = UNITS[quantity.unit]
    return found.kind, quantity.value * found.factor + found.offset


def difference_unit(name: str) -> str:
    """The unit of a difference of two values in `name`: K of temperatures, dB of levels, else the unit itself."""
    return _DIFFERENCES.get(unit(name).kind, name)


def parse_rate(text: str) -> tuple[Quantity, float]:
    """Parse `0.1 K/min` into (change, per seconds)."""
    if not isinstance(text, str) or "/" not in text:
        raise ValueError(f"{text!r} is not a rate; write it like '0.1 K/min'")
    change, _, per = text.rpartition("/")
    period = UNITS.get(per.strip())
    if period is None or period.kind != "time":
        raise ValueError(f"{text!r} is not a rate; end it with /s, /min or /h")
    return parse_quantity(change), period.factor


class Quality(IntEnum):
    """Whether a value may be believed. Only GOOD ever passes a limit."""

    GOOD = 0
    STALE = 1
    BAD_NAN = 2
    BAD_SENTINEL = 3
    BAD_RANGE = 4
    BAD_REFUSED = 5
    BAD_MISSING = 6
    BAD_TIMEOUT = 7
    BAD_VIOLATION = 8
    BAD_DECODE = 9
    BAD_INPUT = 10

    @property
    def word(self) -> str:
        """`GOOD`, `STALE` or `BAD (reason)`."""
        return _WORDS[self]


_WORDS = {
    Quality.GOOD: "GOOD",
    Quality.STALE: "STALE",
    Quality.BAD_NAN: "BAD (not a number)",
    Quality.BAD_SENTINEL: "BAD (device says: not available)",
    Quality.BAD_RANGE: "BAD (outside the valid range)",
    Quality.BAD_REFUSED: "BAD (refused by the device)",
    Quality.BAD_MISSING: "BAD (missing in the reply)",
    Quality.BAD_TIMEOUT: "BAD (no answer)",
    Quality.BAD_VIOLATION: "BAD (reply does not match the request)",
    Quality.BAD_DECODE: "BAD (cannot be decoded)",
    Quality.BAD_INPUT: "BAD (an input of a derived signal is bad)",
}


@dataclass(frozen=True, slots=True)
class SignalInfo:
    """What is known of a signal apart from its values.

    `name` is the full name (`pdu.outlet[7].current`). `labels` maps the values of an enumerated signal to words,
    `flags` the bit numbers of a flags signal to names. `valid` is the physically possible band in `unit`.
    """

    name: str
    unit: str = ""
    labels: Mapping[float, str] = field(default_factory=dict)
    flags: Mapping[int, str] = field(default_factory=dict)
    is_text: bool = False
    valid: tuple[float, float] = (-math.inf, math.inf)
    description: str = ""

    def word(self, value: float) -> str:
        """The word that an enumerated or flags signal shows for `value`; '' for plain numbers."""
        if self.labels:
            return self.labels.get(value, f"unknown ({value:g})") if math.isfinite(value) else "unknown"
        if self.flags and math.isfinite(value):
            bits = int(value)
            return "+".join(name for bit, name in sorted(self.flags.items()) if bits >> bit & 1) or "none"
        return ""


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one signal, with everything needed to decide whether to believe it.

    `text` holds the word of an enumerated signal or the text of a text signal, else ''. `reason` says why a value that
    came in time is STALE all the same, where that is known.
    """

    signal: str
    value: float
    unit: str
    quality: Quality
    wall_ns: int
    mono: float
    text: str = ""
    reason: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the value may be used."""
        return self.quality is Quality.GOOD

    def __lt__(self, other: Quantity | str | float) -> bool:
        """Whether the value is less: of a number, a quantity, or one that is written (`150 L/min`). Not GOOD: never."""
        return self.is_good and self.value < self._in_its_unit(other)

    def __le__(self, other: Quantity | str | float) -> bool:
        return self.is_good and self.value <= self._in_its_unit(other)

    def __gt__(self, other: Quantity | str | float) -> bool:
        return self.is_good and self.value > self._in_its_unit(other)

    def __ge__(self, other: Quantity | str | float) -> bool:
        return self.is_good and self.value >= self._in_its_unit(other)

    def __eq__(self, other: object) -> bool:
        """Whether it shows this word, number or quantity. Not GOOD: neither this nor another (see `!=`)."""
        if isinstance(other, Reading):
            return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)
        return self.is_good and self._shows(other)

    def __ne__(self, other: object) -> bool:
        if isinstance(other, Reading):
            return not self == other
        return self.is_good and not self._shows(other)

    def __hash__(self) -> int:
        return hash((self.signal, self.wall_ns))

    def _shows(self, other: object) -> bool:
        if self.text:
            return self.text == other
        if not isinstance(other, str | float | int | Quantity):
            return False
        return math.isclose(self.value, self._in_its_unit(other), rel_tol=1e-9)  # converted: 1.8 m3/h is 30 L/min

    def _in_its_unit(self, other: Quantity | str | float) -> float:
        if isinstance(other, str):
            other = parse_quantity(other)
        return other.to(self.unit) if isinstance(other, Quantity) else float(other)

    def __str__(self) -> str:
        shown = self.text or f"{self.value:.6g} {self.unit}".rstrip()
        why = f": {self.reason}" if self.reason else ""
        return shown if self.is_good else f"{self.quality.word}{why} [{shown}]"


@dataclass(frozen=True, slots=True)
class Frame:
    """All readings that one poll of one device gave.

    `values` is float64[n] in canonical units, `qualities` uint8[n] (see `Quality`), both in the order of the device's
    signal list. `texts` holds text signals by index. `mono` is when the poll was answered.
    """

    device: str
    wall_ns: int
    mono: float
    values: npt.NDArray[np.float64]
    qualities: npt.NDArray[np.uint8]
    texts: Mapping[int, str] = field(default_factory=dict)
    reasons: Mapping[int, str] = field(default_factory=dict)
    """Why a value is none, by index, where more is known than its quality says."""


def as_json(value: Any) -> Any:
    """A float that JSON can hold: NaN and infinities become None."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
