"""The fall of a held liquid pressure over time, compensated for its temperature, with its uncertainty. Pure.

```
p_c(t) = p(t) - beta (T(t) - T(0))     a closed volume of liquid gains beta kPa with each K
drop   = - slope of p_c over t, times the time; where the fall is no straight line, p_c at the begin less p_c at the end
```

Straight line by least squares; begin and end are lines through a fiftieth of the samples, so a fall counts whole
wherever in the time it was. Expanded uncertainty (k = 2), the root of the sum of squares of the slope's noise (from the
residuals, with their lag-1 correlation), of what the transducer may walk, and of a share of the compensation, since
beta depends on hoses and air.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.analysis.leak_decay import LEAST_SAMPLES
from harness.analysis.straight import Series, line


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
    held = p - per_kelvin * (warm - warm[0])
    slope, slope_u = line(t, held)
    warms, _ = line(t, warm)
    compensated = per_kelvin * warms * lasts
    drop, noise = -slope * lasts, 2.0 * slope_u * lasts
    ends, ends_noise = _between_ends(t, held)
    if abs(ends - drop) > max(2.0 * ends_noise, walk):
        drop, noise = ends, ends_noise
    return Held(drop, math.sqrt(noise**2 + walk**2 + (per_kelvin_share * compensated) ** 2), compensated)


def _between_ends(t: Series, y: Series) -> tuple[float, float]:
    """Fall between the ends of lines through the first and the last fiftieth, and its noise (k = 2)."""
    part = max(LEAST_SAMPLES // 2, len(t) // 50)
    ends = []
    for cut, at in ((np.s_[:part], t[0]), (np.s_[-part:], t[-1])):
        slope, _ = line(t[cut], y[cut])
        ends.append(float(y[cut].mean()) + slope * float(at - t[cut].mean()))
    steps = np.diff(y)
    sigma = 1.4826 * float(np.median(np.abs(steps - np.median(steps)))) / math.sqrt(2.0)
    return ends[0] - ends[1], 2.0 * sigma * math.sqrt(2.0 * 4.0 / part)
