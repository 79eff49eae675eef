"""A withstand (hipot) tester: high DC voltage between the mains terminals of a supply, joined, and its case.

A contactor of the fixture connects the terminals to the tester only while no mains are on them. What flows is what the
insulation lets through, V / R, and while the voltage rises what charges the filter's capacitors to the case, C dV/dt.
The tester cuts off at once where the insulation alone lets more than the limit through, else at the end of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from sim.physics.shelf import Shelves
from sim.physics.variables import Input, Schedule, Variable

RISE = 1.0  # s, to the test voltage
FILTER = 20e-9  # F, capacitors of the mains filter to the case (class Y)
STOPPED, TESTING, PASSED, HIGH = 112.0, 115.0, 116.0, 33.0  # judgements, as the maker counts them


class WithstandTester:
    """Tests the first supply of the first shelf, once each time it is started."""

    def __init__(self, shelves: Shelves, schedule: Schedule, now: Callable[[], float]) -> None:
        self._shelves = shelves
        self._schedule = schedule
        self._now = now
        self.voltage = self.limit = self.time = 0.0  # V, A, s
        self.is_running = False
        self.result = STOPPED
        self._began = 0.0
        self._last = 0.0  # A, when the last test ended
        self._order = 0

    def start(self, _: float) -> None:
        """Begin a test."""
        self.is_running, self.result = True, TESTING
        self._began = self._now()
        self._order += 1
        allowed = self.limit * self._resistance()  # V, from which the insulation lets too much through
        is_weak = self.voltage > allowed
        lasts = RISE * allowed / self.voltage if is_weak else RISE + self.time
        self._schedule(self._began + lasts, partial(self._end, self._order, HIGH if is_weak else PASSED))

    def stop(self, _: float) -> None:
        """End it; it is judged as stopped."""
        self._end(self._order, STOPPED)

    def _end(self, order: int, result: float) -> None:
        if order == self._order:
            self._last = self.current() if self.is_running else 0.0
            self.is_running, self.result = False, result
            self._order += 1

    def _resistance(self) -> float:
        """Ohm between its terminals: of the insulation, or of the open contactor."""
        supply = self._shelves.supplies[0][0]
        return float("inf") if supply.has_mains else self._shelves.insulation[0]

    def current(self) -> float:
        """A, now or when the last test ended."""
        if not self.is_running:
            return self._last
        share = min(1.0, (self._now() - self._began) / RISE)
        resistance = self._resistance()
        charging = FILTER * self.voltage / RISE if share < 1.0 and resistance < float("inf") else 0.0
        return self.voltage * share / resistance + charging

    def variables(self) -> Iterator[Variable]:
        """What it shows."""
        yield Variable("hipot.running", "", lambda: float(self.is_running))
        yield Variable("hipot.begun", "", lambda: float(self.result != STOPPED))
        yield Variable("hipot.result", "", lambda: self.result)
        yield Variable("hipot.current", "A", self.current)

    def inputs(self) -> Iterator[Input]:
        """What can be commanded."""
        yield Input("hipot.voltage", "V", partial(setattr, self, "voltage"), 0.0, 6000.0)
        yield Input("hipot.limit", "A", partial(setattr, self, "limit"), 0.0, 0.01)
        yield Input("hipot.time", "s", partial(setattr, self, "time"), 0.0, 999.0)
        yield Input("hipot.start", "", self.start)
        yield Input("hipot.stop", "", self.stop)
