"""What can go wrong with the plant: a catalogue of named faults, each checked when injected and undone when cleared.

A fault is written `name`, `name:arg` or `name:arg@time`. Faults of sensors change what is shown, never what is true:
the unit's own controllers keep their own sensors.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from sim.physics.faults import electrical, loop, network, sensor
from sim.physics.faults.arguments import Apply, Maker, Plant, Undo
from sim.physics.variables import nearest

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}


class Active(NamedTuple):
    """A fault that is on: how it was written, and what ends it."""

    label: str
    undo: Undo


def parse(text: str) -> tuple[str, str, float | None]:
    """Split `name[:arg][@time]` into name, arg and plant time in s (`90`, `90s`, `5 min`, `1 h`; None without)."""
    rest, at, when = text.strip().partition("@")
    name, _, arg = rest.partition(":")
    return name.strip(), arg.strip(), _time(when, text) if at else None


def _time(text: str, whole: str) -> float:
    number, unit = text.strip(), "s"
    for suffix in ("min", "h", "s"):
        if number.endswith(suffix):
            number, unit = number[: -len(suffix)].strip(), suffix
            break
    try:
        value = float(number) * _SECONDS[unit]
    except ValueError:
        value = math.nan
    if not 0.0 <= value < math.inf:
        raise ValueError(f"fault {whole!r}: time must be like 90 s, 5 min or 1 h, got {text!r}")
    return value


def prepare(plant: Plant, fault: str, arg: str) -> Apply:
    """Check a fault and its argument; the returned function applies it and gives back what undoes it."""
    maker = CATALOGUE.get(fault)
    if maker is None:
        raise ValueError(f"no fault {fault!r}{nearest(fault, CATALOGUE)}")
    try:
        return maker(plant, arg)
    except ValueError as error:
        raise ValueError(f"fault {fault}: {error}") from None


CATALOGUE: dict[str, Maker] = {**loop.FAULTS, **electrical.FAULTS, **sensor.FAULTS, **network.FAULTS}
"""Every fault by name: (plant, arg) -> what applies it; ValueError for a bad argument."""
