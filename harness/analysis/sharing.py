"""How equally sources share a load. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence


def sharing(outputs: Sequence[float], rating: float) -> tuple[float, int]:
    """(largest deviation from the mean, % of the rating; place of it) of what equal sources give.

    Relative to the rating, as the sharing of supplies is specified: a deviation of setpoints makes the same difference
    of currents at every load. ValueError without outputs or rating.
    """
    if not outputs or not rating > 0.0:
        raise ValueError("no outputs, or no rating")
    mean = math.fsum(outputs) / len(outputs)
    worst = max(range(len(outputs)), key=lambda k: abs(outputs[k] - mean))
    return 100.0 * abs(outputs[worst] - mean) / rating, worst
