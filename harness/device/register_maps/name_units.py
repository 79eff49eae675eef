"""Units that the names of a map speak of, for maps that state none. A guess: it is reported, never taken over."""

from __future__ import annotations

from collections.abc import Iterable

from harness.quantity import unit

SUFFIXES = {
    "c": "degC", "degc": "degC", "kpa": "kPa", "lpm": "L/min", "w": "W", "kw": "kW", "v": "V", "mv": "mV", "a": "A",
    "ma": "mA", "pct": "%", "rpm": "RPM", "rh": "%RH", "hz": "Hz",
}  # fmt: skip
"""Last word of a name: the unit that it speaks of."""
SPEAKS_OF = {
    "temp": "temperature", "temperature": "temperature", "pressure": "pressure", "flow": "flow", "volt": "voltage",
    "voltage": "voltage", "curr": "current", "current": "current", "power": "power", "pwr": "power",
    "hum": "humidity", "humidity": "humidity", "tach": "rotation", "freq": "frequency", "frequency": "frequency",
}  # fmt: skip
"""Word within a name: the kind of quantity that it speaks of."""


def unit_in(name: str) -> tuple[str, str]:
    """(unit that the name ends with or '', kind of quantity that it contradicts itself by or '').

    `HEX_Input_Current_V` ends with volts and speaks of a current.
    """
    words = name.strip().lower().replace(" ", "_").split("_")
    found = SUFFIXES.get(words[-1], "") if len(words) > 1 else ""
    if not found:
        return "", ""
    kinds = [SPEAKS_OF[word] for word in words[:-1] if word in SPEAKS_OF]
    spoken_of = kinds[-1] if kinds else ""
    if spoken_of in ("", unit(found).kind) or (spoken_of == "rotation" and found == "%"):
        return found, ""
    return found, spoken_of


def notes_on(names: Iterable[str]) -> list[str]:
    """What is worth saying of numbers without a unit: one line a unit, one for each name that contradicts itself."""
    by_unit: dict[str, list[str]] = {}
    notes: list[str] = []
    for name in names:
        found, spoken_of = unit_in(name)
        if spoken_of:
            notes.append(
                f"{name}: the name ends with {found} and speaks of a {spoken_of}; no unit is right by its name"
            )
        else:
            by_unit.setdefault(found, []).append(name)
    lines = [
        f"no unit in the map, and {len(names)} names speak of {found}: add `unit: {found}` to {_some(names)}"
        for found, names in by_unit.items()
        if found
    ]
    if nameless := by_unit.get("", []):
        lines.append(f"no unit in the map, and none in the name, of {_some(nameless)}")
    return [*lines, *notes]


def _some(names: list[str]) -> str:
    """Names of a list, the first four and how many more."""
    shown = ", ".join(names[:4])
    return f"{shown} and {len(names) - 4} more" if len(names) > 4 else shown
