"""A line of coolant: first in, first out, and a mixed volume at its end.

What enters is kept as slugs that wait their turn, so the dead time does not hang on the step; the mixed volume spreads
what comes out. The line as a whole has the mean and the variance of residence times of six mixed cells in a row.
Pipes alone would be sharper (Taylor: variance over mean squared about 0.6 d/L, hundreds of cells); filters, headers and
bends are what mixes.
"""

from __future__ import annotations

import math
from collections import deque

MIXED_SHARE = 6.0**-0.5
"""Of the volume: n cells in a row spread residence by V/q / sqrt(n), one mixed volume by its own V/q."""
FINEST = 64
"""Slugs are not made smaller than this part of the volume."""


class Line:
    """Volumes in m3, temperatures in degC. In each step the same volume enters and leaves, in either order."""

    def __init__(self, volume: float, temperature: float) -> None:
        self.end = temperature
        """Temperature at the outlet now."""
        self._mixed = MIXED_SHARE * volume
        waiting = volume - self._mixed
        self._least = waiting / FINEST
        self._slugs: deque[list[float]] = deque([[waiting, temperature]])

    def leave(self, volume: float) -> float:
        """Let a volume leave, and return its mean temperature."""
        slugs = self._slugs
        first = slugs[0]
        if volume < first[0]:
            first[0] -= volume
            coming = first[1]
        else:
            left, heat = volume, 0.0
            while len(slugs) > 1 and left >= slugs[0][0]:
                size, temperature = slugs.popleft()
                heat += size * temperature
                left -= size
            slugs[0][0] -= left  # never all of it: a step moves less than a line holds
            coming = (heat + left * slugs[0][1]) / volume
        x = volume / self._mixed
        lost = -math.expm1(-x)
        gap = coming - self.end
        mean = self.end + gap * (1.0 - lost / x)
        self.end += gap * lost
        return mean

    def enter(self, volume: float, temperature: float) -> None:
        """Let a volume of this temperature enter."""
        last = self._slugs[-1]
        if last[0] < self._least:
            whole = last[0] + volume
            last[1] += (temperature - last[1]) * volume / whole
            last[0] = whole
        else:
            self._slugs.append([volume, temperature])

    def content(self) -> float:
        """Volume times temperature of all that is in the line, K m3."""
        return self._mixed * self.end + sum(size * temperature for size, temperature in self._slugs)
