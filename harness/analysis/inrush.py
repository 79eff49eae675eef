"""The inrush of capacitors that are switched onto mains. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

THREE_PHASES = math.sqrt(3.0) / 2.0
"""The highest of three phases is switched on at this part of the crest of its wave or above, whenever it is."""


def let_through(peak: float, decay: float) -> float:
    """Integral of the square of a current that falls as peak e^(-t/decay): peak^2 decay / 2, in A2 s.

    What a breaker is heated by. Uncertainty: twice that of the peak, and that of the decay, relative.
    """
    return peak * peak * decay / 2.0


def worst_case(peaks: Sequence[Sequence[float]]) -> tuple[float, float]:
    """(highest peak seen, what it may be at the worst moment of switching) of several closings, each of three phases.

    The moment within the wave is not known, but the highest of three phases is at least 87 % of the crest, each time:
    the crest is at most the lowest of these over 0.87, and no less than what was seen. ValueError without a closing, or
    for other than three phases.
    """
    if not peaks or any(len(phases) != 3 for phases in peaks):
        raise ValueError("inrush is judged of three phases")
    each = [max(phases) for phases in peaks]
    return max(each), max(*each, min(each) / THREE_PHASES)
