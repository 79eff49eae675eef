"""How the parts of the plant publish what can be read and what can be commanded."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol


class Variable(NamedTuple):
    """One true quantity: name, unit, and how to get it."""

    name: str
    unit: str
    read: Callable[[], float]


class Input(NamedTuple):
    """One thing that can be commanded: name, unit, how to apply it, and the range it takes."""

    name: str
    unit: str
    apply: Callable[[float], None]
    low: float = 0.0
    high: float = 1.0


class Schedule(Protocol):
    """Ask the plant to call something at a plant time [s]; `disturbs` says the dynamics change then."""

    def __call__(self, at: float, action: Callable[[], None], *, disturbs: bool = True) -> None:
        """Schedule it."""


def interpolate(points: tuple[tuple[float, float], ...], x: float) -> float:
    """Piecewise linear interpolation, constant outside the points (which ascend in x)."""
    x0, y0 = points[0]
    if x <= x0:
        return y0
    for x1, y1 in points[1:]:
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
        x0, y0 = x1, y1
    return y0


def nearest(word: str, known: Mapping[str, object]) -> str:
    """A hint with the known words most like `word`."""
    close = difflib.get_close_matches(word, list(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(close)}?" if close else ""
