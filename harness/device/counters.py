"""Counters that wrap and reset, turned into numbers that only grow."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_NEARLY = 0.999
"""Share of its counter beyond which an uptime that falls has wrapped: half a day of 497."""


class CounterUnroller:
    """Unrolls counters in place: a wrap adds the counter's size, a reset goes on from where the counter was.

    `counters` are (position, size in the signal's unit), `uptime` the position of the device's uptime or -1.

    A drop is a wrap when the counter was in its upper half and is now in its lower, and the device's uptime (when
    there is one) did not fall; else the device restarted.
    """

    def __init__(self, counters: Sequence[tuple[int, float]], uptime: int) -> None:
        self._index = np.array([index for index, _ in counters], dtype=np.intp)
        self._size = np.array([size for _, size in counters])
        self._last = np.full(len(counters), np.nan)
        self._added = np.zeros(len(counters))
        self._uptime = uptime
        self._last_uptime = -1.0
        self._wraps_at = next((size for index, size in counters if index == uptime), math.inf)
        self.restarts = 0
        """How often the device's uptime fell and had not come to the end of its counter."""
        self.resets = 0
        """How often a counter started again from zero: what it had counted since it was last read is not known."""

    def unroll(self, values: npt.NDArray[np.float64]) -> str:
        """Replace the counters' values; returns a note when the device restarted, else ''."""
        rebooted = False
        if self._uptime >= 0:
            uptime = float(values[self._uptime])
            rebooted = uptime < self._last_uptime
            self.restarts += rebooted and self._last_uptime < _NEARLY * self._wraps_at
            if uptime == uptime:
                self._last_uptime = uptime
        if not len(self._index):
            return ""
        now = values[self._index]
        if not rebooted and (now >= self._last).all():  # as nearly always; NaN compares as False
            self._last = now
            values[self._index] = now + self._added
            return ""
        fell = now < self._last
        note = ""
        if np.count_nonzero(fell):
            half = self._size / 2
            wrapped = fell & (self._last >= half) & (now < half) & (not rebooted)
            self._added[wrapped] += self._size[wrapped]
            reset = fell & ~wrapped
            self._added[reset] += self._last[reset]
            if reset.any():
                self.resets += 1
                note = f"{int(reset.sum())} counter(s) started again from zero: the device restarted or was cleared"
        known = ~np.isnan(now)
        self._last[known] = now[known]
        values[self._index] = now + self._added
        return note
