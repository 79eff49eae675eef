"""A curve `y = a x^n` through points, and how well they know it; the viscosity that a pressure drop goes with. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

REFERENCE_C = 35.0
"""Temperature that a pressure drop is told for, degC."""
VISCOSITY_POWER = 0.25
"""A turbulent pressure drop goes with viscosity to this power (Blasius: friction factor ~ Re^-0.25)."""
LEAST_POINTS = 3
"""Two points have no residual: nothing would be known of the uncertainty."""


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """A straight line through the logarithms, by least squares."""

    exponent: float
    exponent_u: float
    """Standard uncertainty of it, from the residuals."""
    log_factor: float
    scatter: float
    """Standard deviation of the residuals, relative (0.01: 1 %)."""
    mean_log_x: float
    spread_log_x: float
    points: int

    def at(self, x: float) -> float:
        """The curve at x."""
        return math.exp(self.log_factor + self.exponent * math.log(x))

    def relative_u(self, x: float) -> float:
        """Standard uncertainty of the curve at x, relative, from the residuals alone."""
        away = math.log(x) - self.mean_log_x
        return self.scatter * math.sqrt(1.0 / self.points + away * away / self.spread_log_x)


def fit_power_law(xs: Sequence[float], ys: Sequence[float]) -> PowerLaw:
    """The curve through points (all > 0). ValueError: fewer than three, all at one x, or not positive."""
    if len(xs) < LEAST_POINTS or len(xs) != len(ys):
        raise ValueError(f"{LEAST_POINTS} points are needed, there are {min(len(xs), len(ys))}")
    if not all(value > 0 and math.isfinite(value) for value in (*xs, *ys)):
        raise ValueError("a point is zero, negative or no number")
    u, v = [math.log(x) for x in xs], [math.log(y) for y in ys]
    mean_u, mean_v = math.fsum(u) / len(u), math.fsum(v) / len(v)
    spread = math.fsum((each - mean_u) ** 2 for each in u)
    if spread < 1e-6:
        raise ValueError("all points are at one place")
    exponent = math.fsum((a - mean_u) * (b - mean_v) for a, b in zip(u, v, strict=True)) / spread
    log_factor = mean_v - exponent * mean_u
    rest = math.fsum((b - log_factor - exponent * a) ** 2 for a, b in zip(u, v, strict=True))
    scatter = math.sqrt(rest / (len(u) - 2))
    return PowerLaw(exponent, scatter / math.sqrt(spread), log_factor, scatter, mean_u, spread, len(u))


def viscosity_factor(temperature: float) -> float:
    """By what a pressure drop at a temperature [degC] is more than at 35 degC, for propylene glycol 25 %.

    Viscosity: fit to CoolProp's INCOMP::MPG[0.25], 20 to 60 degC, within 0.34 %.
    """
    return math.exp(VISCOSITY_POWER * (_log_viscosity(temperature) - _log_viscosity(REFERENCE_C)))


def _log_viscosity(temperature: float) -> float:
    return 1.6387 - 0.04138 * temperature + 1.993e-4 * temperature * temperature
