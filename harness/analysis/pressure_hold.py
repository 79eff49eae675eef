"""The fall of a held liquid pressure over time, compensated for its temperature, with its uncertainty. Pure.

```
p_c(t) = p(t) - beta (T(t) - T(0))     a closed volume of liquid gains beta kPa with each K
drop   = - slope of p_c over t, times the time
```

Straight line by least squares. Expanded uncertainty (k = 2), the root of the sum of squares of the slope's noise (from
the residuals, with their lag-1 correlation), of what the transducer may walk, and of a share of the compensation, since
beta depends on hoses and air.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.analysis.leak_decay import LEAST_SAMPLES, line


@dataclass(frozen=True, slots=True)
class Held:
    """How far a pressure fell while it was held; kPa, positive for a fall."""

    drop: float
    expanded: float
    """Expanded uncertainty (k = 2) of it."""
    compensated: float
    """What the change of temperature did, taken out of it."""


def evaluate(
    times: ArrayLike,
    pressures: ArrayLike,
    celsius: ArrayLike,
    per_kelvin: float,
    per_kelvin_share: float,
    walk: float,
) -> Held:
    """The drop from series of one length: s, kPa, degC; beta [kPa/K] is known to its share (k = 2), the walk in kPa.

    ValueError: too few samples, all at one time, or no numbers.
    """
    t, p, warm = np.asarray(times, float), np.asarray(pressures, float), np.asarray(celsius, float)
    if not len(t) == len(p) == len(warm) or len(t) < LEAST_SAMPLES:
        raise ValueError(f"{LEAST_SAMPLES} samples of pressure and temperature are needed, there are {len(t)}")
    if not (np.isfinite(t).all() and np.isfinite(p).all() and np.isfinite(warm).all()):
        raise ValueError("a sample is no number")
    lasts = float(t[-1] - t[0])
    if lasts <= 0.0:
        raise ValueError("all samples are of one time")
    slope, slope_u = line(t, p - per_kelvin * (warm - warm[0]))
    warms, _ = line(t, warm)
    compensated = per_kelvin * warms * lasts
    expanded = math.sqrt((2.0 * slope_u * lasts) ** 2 + walk**2 + (per_kelvin_share * compensated) ** 2)
    return Held(-slope * lasts, expanded, compensated)
