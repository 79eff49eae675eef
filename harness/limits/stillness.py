"""How long a live value may stand still: what its noise and its resolution leave to chance."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CHANCE = 1e-9
"""A value that repeats itself so often that noise allows it less than this is frozen."""

_erf = np.frompyfunc(math.erf, 1, 1)


def repeat_chance(noise: Floats, step: Floats) -> Floats:
    """How likely a value measured again is shown as the one before (0 to 1), at most, for noise and resolution.

    `noise` is the standard deviation, `step` the resolution, in one unit. It is the chance in the middle of a step,
    where it is greatest. Where noise is less than the step it is 1: there, standing still says nothing.
    """
    judged = (noise >= step) & (noise > 0)
    ratio = np.divide(step, noise, out=np.zeros_like(noise), where=judged) / (2 * math.sqrt(2))
    return np.where(judged, np.asarray(_erf(ratio), np.float64), 1.0)


def repeats_allowed(chance: Floats) -> Floats:
    """How often in a row such a value may repeat itself; infinity where standing still says nothing."""
    logs = np.log(chance, out=np.zeros_like(chance), where=chance < 1.0)
    return np.where(chance < 1.0, np.ceil(np.divide(math.log(CHANCE), logs, out=logs, where=logs < 0)), math.inf)
