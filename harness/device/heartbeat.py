"""The heartbeat of a device: a signal that changes for as long as what measures in it lives."""

from __future__ import annotations

FROZEN_AFTER_S = 5.0


class Heartbeat:
    """Watches one signal of a device, which is read every `period` seconds; a number or a text (a date)."""

    def __init__(self, name: str, period: float) -> None:
        self._name = name
        self._longest = max(FROZEN_AFTER_S, 5 * period)
        self._last: float | str | None = None
        self._since = 0.0
        self.standstill = ""
        """Why nothing of the device is believed; '' while the heart beats."""

    def beat(self, shown: float | str, now: float, *, is_good: bool) -> bool:
        """Take in what the signal shows at `now` (monotonic); True when it begins to stand still, or beats again.

        A heartbeat that cannot be read any more stands still; one that never could be read says nothing.
        """
        if is_good and shown != self._last:
            self._last, self._since = shown, now
        was_still = bool(self.standstill)
        is_still = self._last is not None and now - self._since > self._longest
        self.standstill = f"{self._name} has stood still for {now - self._since:.0f} s" if is_still else ""
        return is_still != was_still
