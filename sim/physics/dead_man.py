"""What a device does by itself when nobody tells it to go on: a countdown that has to be begun again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sim.physics.loop import AUTO_FLOW, Loop
from sim.physics.variables import Input, Schedule, Variable

LONGEST_WATCHDOG = 600.0  # s


class Countdown:
    """Calls `expire` when its time is over and it was neither begun again nor called off."""

    def __init__(self, schedule: Schedule, now: Callable[[], float], expire: Callable[[], None]) -> None:
        self._schedule = schedule
        self._now = now
        self._expire = expire
        self._order = 0
        self.is_running = False

    def begin(self, seconds: float) -> None:
        """Count down from `seconds`, whatever was counted before; 0 calls it off."""
        self._order += 1
        self.is_running = seconds > 0.0
        if self.is_running:
            order = self._order
            self._schedule(self._now() + seconds, lambda: self._over(order))

    def _over(self, order: int) -> None:
        if order == self._order:
            self.is_running = False
            self._expire()


class RemoteControl:
    """The coolant unit's watchdog over who controls it from afar: without a heartbeat it goes back to its own control.

    Its own control keeps the coolant moving at the design flow; the watchdog never stops a pump.
    """

    def __init__(self, loop: Loop, schedule: Schedule, now: Callable[[], float]) -> None:
        self._loop = loop
        self._flow, self._supply = loop.flow_setpoint, loop.supply_setpoint
        self._countdown = Countdown(schedule, now, self._take_back)
        self._time = self._last = 0.0
        self.is_remote = False

    def _watch(self, seconds: float) -> None:
        self._time = seconds
        if not seconds:
            self._countdown.begin(0.0)

    def _beat(self, number: float) -> None:
        self.is_remote = True
        self._last = number
        self._countdown.begin(self._time)

    def _take_back(self) -> None:
        self.is_remote = False
        loop = self._loop
        loop.run, loop.isolated, loop.mode = True, False, AUTO_FLOW
        loop.flow_setpoint, loop.supply_setpoint = self._flow, self._supply

    def variables(self) -> Iterator[Variable]:
        """Whether somebody controls the unit from afar."""
        yield Variable("remote.control", "", lambda: float(self.is_remote))
        yield Variable("remote.watchdog", "s", lambda: self._time)
        yield Variable("remote.heartbeat", "", lambda: self._last)

    def inputs(self) -> Iterator[Input]:
        """The watchdog's time (0: none), and the heartbeat."""
        yield Input("remote.watchdog", "s", self._watch, 0.0, LONGEST_WATCHDOG)
        yield Input("remote.heartbeat", "", self._beat, 0.0, 65535.0)
