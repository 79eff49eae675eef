"""The extremes of the bus that supplies keep: since it came alive, and of late."""

from __future__ import annotations

import math

LOGIC_VOLTAGE, LOGIC_HOLDS = 10.0, 5.0  # V on the bus below which the logic of a supply lives on for so many s
PERIOD = 30.0  # s; the extremes of late are those of this period and of the one before


class Capture:
    """Highest and lowest voltage, told by `note` whenever it may have changed."""

    def __init__(self) -> None:
        self.since_on = (0.0, 0.0)
        """Lowest and highest."""
        self._period = 0
        self._low_since = -math.inf
        self._now = self._before = (0.0, 0.0)
        self._noted = (math.nan, 0.0)  # V, and until when noting it again changes nothing

    def note(self, at: float, voltage: float) -> None:
        """The bus has this voltage at plant time `at`; when it comes alive after a while, they begin anew."""
        noted, until = self._noted
        if voltage == noted and at < until:
            return
        if voltage < LOGIC_VOLTAGE:
            self._low_since = min(self._low_since, at)
        elif self._low_since < math.inf:
            is_new = at - self._low_since > LOGIC_HOLDS
            self._low_since = math.inf
            if is_new:
                self.begin(at, voltage)
                return
        self._turn(int(at / PERIOD), voltage)
        self.since_on = min(self.since_on[0], voltage), max(self.since_on[1], voltage)
        self._now = min(self._now[0], voltage), max(self._now[1], voltage)
        self._noted = voltage, PERIOD * (self._period + 1)

    def begin(self, at: float, voltage: float) -> None:
        """Forget what was."""
        self._period = int(at / PERIOD)
        self.since_on = self._now = self._before = voltage, voltage
        self._noted = math.nan, 0.0

    def _turn(self, period: int, voltage: float) -> None:
        if period != self._period:
            self._before = self._now if period == self._period + 1 else (voltage, voltage)
            self._now = voltage, voltage
            self._period = period

    def recent(self, at: float, voltage: float) -> tuple[float, float]:
        """Lowest and highest of late, the present voltage included."""
        gone = int(at / PERIOD) - self._period
        known = [(voltage, voltage), *([self._now] if gone < 2 else []), *([self._before] if gone < 1 else [])]
        return min(low for low, _ in known), max(high for _, high in known)
