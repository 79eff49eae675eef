"""A meter against a reference: by how much it differs, and how well that is known. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

COVERAGE = 2.0
"""Factor of an expanded uncertainty, about 95 %."""


@dataclass(frozen=True, slots=True)
class Series:
    """What one meter showed: mean, standard deviation and number of its samples."""

    mean: float
    deviation: float
    samples: int

    @property
    def relative_u(self) -> float:
        """Standard uncertainty of the mean by its scatter, relative; samples are taken as independent."""
        return self.deviation / math.sqrt(self.samples) / abs(self.mean) if self.samples and self.mean else math.inf


@dataclass(frozen=True, slots=True)
class Difference:
    """Meter less reference, % of the reference."""

    percent: float
    expanded_u: float
    """Of it, with a factor of 2."""


def difference(meter: Series, reference: Series, reference_percent: float) -> Difference:
    """100 (meter / reference - 1), with U = 2 sqrt((reference_percent / 2)^2 + u_meter^2 + u_reference^2).

    `reference_percent`: the expanded uncertainty (k = 2) of the reference, of its reading, as a calibration certificate
    says. Sources: JCGM 100 (propagation), JCGM 106 (a limit is kept by as much as U on its good side). ValueError where
    the reference shows nothing.
    """
    if not abs(reference.mean) > 0.0:
        raise ValueError("the reference shows 0")
    ratio = meter.mean / reference.mean
    scatter = 0.0 if meter.deviation == 0.0 else meter.relative_u
    parts = (reference_percent / COVERAGE, 100.0 * scatter, 100.0 * reference.relative_u)
    return Difference(100.0 * (ratio - 1.0), COVERAGE * math.hypot(*parts))
