"""Counters that wrap and reset, turned into numbers that only grow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


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

    def unroll(self, values: npt.NDArray[np.float64]) -> str:
        """Replace the counters' values; returns a note when the device restarted, else ''."""
        if not len(self._index):
            return ""
        rebooted = False
        if self._uptime >= 0:
            uptime = float(values[self._uptime])
            rebooted = uptime < self._last_uptime
            if uptime == uptime:
                self._last_uptime = uptime
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
                note = f"{int(reset.sum())} counter(s) started again from zero: the device restarted or was cleared"
        known = ~np.isnan(now)
        self._last[known] = now[known]
        values[self._index] = now + self._added
        return note
