"""Optical modules: readings against the thresholds that the module itself holds. Pure.

A module (SFF-8472, CMIS) holds thresholds of its own for alarms and warnings: its maker knows it better than a plan. A
module without a threshold shows zeros, or the ends of the range (RFC 3433: -1 000 000 000 and 1 000 000 000), never a
band. Accuracy by SFF-8472: temperature 3 K, power 3 dB, bias 10 %; thresholds are in the module's own readings, so this
is no uncertainty of the comparison.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Band:
    """Between these a reading is well; one of them may be missing (NaN)."""

    low: float
    high: float


def own_band(low: float, high: float) -> Band | None:
    """The band of a module's thresholds, NaN for what it does not show; None where it has none."""
    has_low, has_high = math.isfinite(low), math.isfinite(high)
    if not (has_low or has_high) or (has_low and has_high and low >= high):
        return None
    return Band(low if has_low else math.nan, high if has_high else math.nan)


def worst(values: Sequence[float], band: Band) -> float:
    """The reading with the least margin inside the band, or the farthest beyond it; NaN when one is no number."""
    if not values or not all(math.isfinite(value) for value in values):
        return math.nan

    def margin(value: float) -> float:
        sides = [value - band.low, band.high - value]
        return min(side for side in sides if side == side)

    return min(values, key=margin)
