"""Statistics over a window of samples: what a measurement is made of."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.quantity import SignalInfo, difference_unit

Statistic = Literal["mean", "min", "max", "median", "p05", "p95", "std", "range", "slope", "delta", "last", "first"]


DIFFERENCES = ("range", "delta", "std", "slope")
"""Statistics in the unit of a difference (K for degC; a slope: in that unit a second)."""

_NEEDED = {"range": 2, "delta": 2, "std": 2, "slope": 2, "p05": 20, "p95": 20}
"""GOOD samples below which a statistic says nothing: of one sample every range is 0, of ten the 95th percentile is the
highest."""


def samples_needed(statistic: Statistic) -> int:
    """How many GOOD samples a statistic needs."""
    return _NEEDED.get(statistic, 1)


def statistic_info(info: SignalInfo, statistic: str) -> SignalInfo:
    """What a statistic of a signal is: its unit, and what values it can have at all."""
    if statistic not in DIFFERENCES:
        return info
    valid = (0.0, math.inf) if statistic in ("range", "std") else (-math.inf, math.inf)
    return SignalInfo(info.name, difference_unit(info.unit), valid=valid)


class Window:
    """Samples of one signal: times (monotonic seconds), values and whether each was GOOD."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.values: list[float] = []
        self.seen = 0
        """Samples that came, good or not."""

    def add(self, mono: float, value: float, *, is_good: bool) -> None:
        """Take a sample; only GOOD ones count towards the statistic."""
        self.seen += 1
        if is_good and math.isfinite(value):
            self.times.append(mono)
            self.values.append(value)

    def take(self, mono: float, value: float, quality: int) -> None:
        """Take a sample as a listener is told it."""
        self.add(mono, value, is_good=quality == 0)

    @property
    def good(self) -> int:
        """GOOD samples."""
        return len(self.values)

    def statistic(self, name: Statistic) -> float:
        """The statistic over the GOOD samples; NaN when there are fewer than it needs.

        Slope is a least-squares fit in units per second. `range` is max - min, `delta` last - first.
        """
        if self.good < samples_needed(name):
            return math.nan
        values = np.asarray(self.values)
        if name == "slope":
            return slope(np.asarray(self.times), values)
        simple = {"last": values[-1], "first": values[0], "delta": values[-1] - values[0], "range": np.ptp(values)}
        if name in simple:
            return float(simple[name])
        if name in ("p05", "p95"):
            return float(np.percentile(values, 5 if name == "p05" else 95))
        return float(getattr(np, name)(values))


def slope(times: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> float:
    """Least-squares slope in units per second; NaN for fewer than two different times."""
    if len(times) < 2:
        return math.nan
    centred = times - times.mean()
    spread = float((centred * centred).sum())
    return float((centred * (values - values.mean())).sum()) / spread if spread > 0 else math.nan
