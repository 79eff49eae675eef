"""The zeros of sensors: what they show beside what is true, in a state in which that is known. Pure.

Two such states need no reference instrument. What must show a known value (a pressure difference of stopped pumps, the
power of open outlets) is out by what it shows beside it. What must show the same (thermometers in coolant that flows
without heat) is out by what it shows beside the mean of all: the differences are known from then on, the mean itself
only as well as before, by 1 / sqrt(n). Who is out of order shows against the others, without itself in their mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LEAST_SAMPLES = 10


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of a steady series, and its standard uncertainty from the scatter."""

    value: float
    u: float


@dataclass(frozen=True, slots=True)
class SensorZero:
    """The offset of one sensor. `own_u` is what stays uncertain of it alone, `shared_u` with those zeroed with it."""

    offset: float
    own_u: float
    shared_u: float = 0.0


def steady_mean(values: Sequence[float]) -> Mean:
    """The mean of a series, u = s / sqrt(n) times sqrt((1 + r) / (1 - r)) for noise that remembers itself (r > 0).

    r is the correlation of neighbours. ValueError: fewer than ten samples.
    """
    count = len(values)
    if count < LEAST_SAMPLES:
        raise ValueError(f"{LEAST_SAMPLES} samples are needed, there are {count}")
    mean = math.fsum(values) / count
    rest = [value - mean for value in values]
    squares = math.fsum(each * each for each in rest)
    if squares == 0.0:
        return Mean(mean, 0.0)
    neighbours = math.fsum(a * b for a, b in pairwise(rest)) / squares
    r = min(max(neighbours, 0.0), 0.99)
    return Mean(mean, math.sqrt(squares / (count - 1) / count * (1 + r) / (1 - r)))


def zero_to(mean: Mean, expected: float, remains: float) -> SensorZero:
    """The zero of a sensor that must show `expected`. `remains`: the limit of what no zero takes off, in its unit."""
    return SensorZero(mean.value - expected, math.hypot(mean.u, remains / math.sqrt(3)))


def zero_together(
    means: Sequence[Mean], rises: Sequence[float], limits: Sequence[float], remains: Sequence[float]
) -> list[SensorZero]:
    """The zeros of sensors that must show the same, each but for its own rise (known to its own size).

    `limits` are the limits of their errors: what they share is the error of their mean, sqrt(sum limit^2 / 3) / n.
    Where they differ by more than their limits explain, that is as much too small: it is multiplied by the Birge ratio
    sqrt(sum (x - mean)^2 / u^2 / (n - 1)), where that is above 1 (R. T. Birge, Phys. Rev. 40 (1932) 207).
    ValueError: fewer than two.
    """
    count = len(means)
    if count < 2:
        raise ValueError("what must show the same is at least two")
    shown = [mean.value - rise for mean, rise in zip(means, rises, strict=True)]
    middle = math.fsum(shown) / count
    shared = math.sqrt(math.fsum(limit * limit for limit in limits) / 3) / count
    rest = math.fsum(3 * ((x - middle) / limit) ** 2 for x, limit in zip(shown, limits, strict=True) if limit)
    shared *= max(1.0, math.sqrt(rest / (count - 1)))
    found = []
    for value, mean, rise, left in zip(shown, means, rises, remains, strict=True):
        own = math.sqrt(mean.u**2 + (left**2 + rise**2) / 3)
        found.append(SensorZero(value - middle, own, shared))
    return found


@dataclass(frozen=True, slots=True)
class Apart:
    """By how much a sensor is away from the mean of `others` (their indices), and by how much it may be."""

    by: float
    limit: float
    others: tuple[int, ...]


def apart(shown: Sequence[float], limits: Sequence[float]) -> list[Apart]:
    """How far each sensor is from the others, itself not among them: d = x - mean, L^2 = L_x^2 + sum L_o^2 / (n - 1)^2.

    Of two, both are compared with each other, and nothing says which of them is out. Of more, the worst one that is
    out by more than its L does not count against the others: they are compared without it.
    """
    left, found = list(range(len(shown))), {}
    while True:
        for each in left:
            others = tuple(other for other in left if other != each)
            mean = math.fsum(shown[other] for other in others) / len(others)
            limit = math.hypot(limits[each], math.hypot(*(limits[other] for other in others)) / len(others))
            found[each] = Apart(shown[each] - mean, limit, others)
        worst = max(left, key=lambda each: abs(found[each].by) / found[each].limit)
        if len(left) == 2 or not abs(found[worst].by) > found[worst].limit:
            return [found[each] for each in range(len(shown))]
        left.remove(worst)


def friction_rise(pressure_drop: float, volume_heat: float) -> float:
    """By how much coolant warms through a pressure drop without heat, K: dp q / (rho cp q), the flow cancels.

    `pressure_drop` in kPa, `volume_heat` (rho cp) in kJ/(L K): 1 kPa L is 1 J. 60 kPa of PG25: 0.015 K.
    """
    return pressure_drop / (1000 * volume_heat)
