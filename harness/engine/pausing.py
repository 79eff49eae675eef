"""Pausing: a gate that steps wait at, and a clock that stands still while the gate is closed.

Only the steps' time stops. Polling, interlocks, the journal and the guardian's heartbeat live on the run's own clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

from harness.clock import Clock

T = TypeVar("T")
_LEAST_S = 1e-6
"""A timer may come early by the resolution of the loop's clock; what is left then is waited for by at least this."""


class PauseGate:
    """Whether steps may go on, and how long they have been held so far."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._opened = asyncio.Event()
        self._opened.set()
        self._since = 0.0
        self._held = 0.0

    @property
    def is_open(self) -> bool:
        """Whether steps go on."""
        return self._opened.is_set()

    def close(self) -> None:
        """Hold the steps where they are."""
        if self.is_open:
            self._since = self._clock.monotonic()
            self._opened.clear()

    def open(self) -> None:
        """Let the steps go on."""
        if not self.is_open:
            self._held += self._clock.monotonic() - self._since
            self._opened.set()

    def held_s(self) -> float:
        """Seconds that the steps have been held, all pauses together, the present one included."""
        now = 0.0 if self.is_open else self._clock.monotonic() - self._since
        return self._held + now

    async def passed(self) -> None:
        """Return at once when the gate is open, else when it opens."""
        await self._opened.wait()


class StepClock(Clock):
    """The clock that steps see: durations do not advance while the gate is closed; stamps do."""

    def __init__(self, clock: Clock, gate: PauseGate) -> None:
        self._clock = clock
        self._gate = gate
        self.rate = clock.rate
        self.is_virtual = clock.is_virtual

    def monotonic(self) -> float:
        """Seconds on the monotonic clock without those spent in pauses."""
        return self._clock.monotonic() - self._gate.held_s()

    def wall_ns(self) -> int:
        """UTC nanoseconds since 1970."""
        return self._clock.wall_ns()

    def wall_step_s(self) -> float:
        """Seconds by which the system's wall clock has been stepped."""
        return self._clock.wall_step_s()

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of the step's time: a pause under way makes it longer by as much."""
        await self.sleep_until(self.monotonic() + max(0.0, seconds))

    async def sleep_until(self, mono: float) -> None:
        """Wait until the step's clock reads `mono` and the gate is open; at least one turn of the loop."""
        left = mono - self.monotonic()
        while True:
            await self._clock.sleep(max(left, _LEAST_S) if left > 0 else 0.0)
            await self._gate.passed()
            left = mono - self.monotonic()
            if left <= 0:
                return

    def timeout(self, seconds: float | None) -> asyncio.Timeout:
        """A deadline on the run's clock: what talks to devices does not wait longer because of a pause."""
        return self._clock.timeout(seconds)

    async def blocking(self, executor: Executor | None, work: Callable[..., T], *args: Any) -> T:
        """Run blocking work off the loop."""
        return await self._clock.blocking(executor, work, *args)
