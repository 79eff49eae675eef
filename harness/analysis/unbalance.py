"""How unequal the currents of phases are, and how well that is known. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unbalance:
    """Of currents around their mean."""

    mean: float
    percent: float
    """Largest deviation from the mean, of the mean."""
    percent_u: float
    """Standard uncertainty of it, of the same kind."""
    worst: int
    """Place of the current that deviates most."""


def unbalance(currents: Sequence[float], us: Sequence[float] = ()) -> Unbalance:
    """Max |I_i - I_mean| / I_mean, in %; with standard uncertainties `us` of the currents, that of the result.

    Source: the definition of NEMA MG 1 for voltages, which PDUs show for currents too. Uncertainty: with
    d = I_k / I_mean, dd/dI_k = (1 - d/n) / I_mean and dd/dI_j = -d / (n I_mean); currents are taken as independent, so
    what one meter has wrong with all of them alike (which changes nothing) is counted as well: an upper bound.

    ValueError for fewer than two currents, or a mean that is not above 0.
    """
    n = len(currents)
    if n < 2:
        raise ValueError("an unbalance is one of two currents or more")
    mean = math.fsum(currents) / n
    if not mean > 0.0:
        raise ValueError("no current flows")
    worst = max(range(n), key=lambda k: abs(currents[k] - mean))
    ratio = currents[worst] / mean
    parts = [((1.0 if k == worst else 0.0) - ratio / n) * u / mean for k, u in enumerate(us)]
    return Unbalance(mean, 100.0 * abs(ratio - 1.0), 100.0 * math.sqrt(math.fsum(p * p for p in parts)), worst)
