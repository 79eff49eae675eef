"""A rack PDU: outlets that switch with a latency, breakers, phases and energy. Phases take turns."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from sim.physics.dead_man import Countdown
from sim.physics.feeds import Feed, scoped
from sim.physics.parameters import RackParameters
from sim.physics.variables import Input, Schedule, Variable, interpolate

SWITCH_LATENCY = (0.2, 1.0)  # s
INRUSH_TAU = 0.010  # s
INRUSH_PEAK = 6.0  # times the breaker's rated current
BREAKER_HEAT = 60.0  # s of (I/In)^2 - 1
POWER_FACTOR = ((0.0, 0.60), (0.10, 0.90), (0.20, 0.97), (0.40, 0.99))
PHASES = 3
LONGEST_DELAY = 7200.0  # s that an outlet can be told to wait


class Pdu:
    """Outlets are counted from 0 here and from 1 in names. `share` is what each outlet carries of the rack's power.

    The first PDU of a rack has `place` 0. One that is alone carries all of the rack's power and has plain names.
    """

    def __init__(
        self,
        parameters: RackParameters,
        seed: int,
        schedule: Schedule,
        now: Callable[[], float],
        feed: Feed,
        place: int,
    ) -> None:
        n = len(feed.shelves)
        self.parameters = parameters
        self.name = feed.name
        self.scope = ""
        """What the names of its variables begin with: nothing, or its own name when there are several."""
        self._schedule = schedule
        self._now = now
        self._random = random.Random(f"{seed}/pdu{place + 1 if place else ''}")
        self.wanted = [False] * n
        self.relay = [False] * n
        self.pending = [False] * n
        self.stuck = [False] * n
        self.tripped = [False] * n
        self.heat = [0.0] * n  # s, what an overloaded breaker has collected
        self.phase_lost = [0] * PHASES  # by how many faults
        self.closed_at = [-math.inf] * n
        self.share = [0.0] * n
        self.rating = [0.0] * n  # W that what hangs on an outlet takes at full load, 0 for nothing
        self._energy = [0.0] * n  # J up to _mark
        self._mark = 0.0
        self._latest = [0] * n
        self.countdown = [Countdown(schedule, now, partial(self.command, i, 0.0)) for i in range(n)]
        """What opens an outlet by itself."""
        self.changed: Callable[[], None] = lambda: None
        self.total: Callable[[], float] = lambda: 0.0  # W AC of the whole rack
        self.settled: Callable[[], float] = lambda: 0.0  # J, integral of it up to the last computed state
        self.energy: Callable[[], float] = lambda: 0.0  # J, the same up to now
        self._metered_at = (-math.inf, 0.0)  # plant time and total power that `_metered` is of
        self._metered: tuple[list[float], list[float]] = ([], [])  # power factors, A

    def command(self, index: int, value: float) -> None:
        """Ask outlet `index` to close (1) or open (0); the relay follows 0.2 to 1 s later, if it follows."""
        wanted = value >= 0.5
        if wanted == self.wanted[index] and (self.pending[index] or self.relay[index] == wanted):
            return
        self.wanted[index] = wanted
        self.pending[index] = True
        self._latest[index] += 1
        at = self._now() + self._random.uniform(*SWITCH_LATENCY)
        self._schedule(at, partial(self._follow, index, self._latest[index]))

    def hold(self, index: int, seconds: float) -> None:
        """Close outlet `index` and open it by itself after `seconds`; 0 opens it now, -1 leaves the timer as it is."""
        if seconds >= 0.0:
            self.countdown[index].begin(seconds)
        self.command(index, 1.0 if seconds else 0.0)

    def _follow(self, index: int, order: int) -> None:
        if order != self._latest[index]:
            return
        self.pending[index] = False
        if not self.stuck[index]:
            self.set_relay(index, closed=self.wanted[index])

    def set_relay(self, index: int, *, closed: bool) -> None:
        """Move the contact now, whoever asked."""
        if closed and not self.relay[index]:
            self.closed_at[index] = self._now()
        self.relay[index] = closed
        self._forget()

    def set_tripped(self, index: int, *, tripped: bool) -> None:
        """Open or reset the breaker of an outlet; the relay stays where it is."""
        self.tripped[index] = tripped
        self._forget()

    def lose_phases(self, phases: Sequence[int], faults: int) -> None:
        """So many faults more (or fewer) take supply phases (0..2) away, all at once."""
        for phase in phases:
            self.phase_lost[phase] += faults
        self._forget()

    def _forget(self) -> None:
        self._metered_at = (-math.inf, 0.0)
        self.changed()

    def is_energised(self, index: int) -> bool:
        """Whether there is voltage at the outlet."""
        return self.relay[index] and not self.tripped[index] and not self.phase_lost[index % PHASES]

    def redistribute(self, share: list[float]) -> None:
        """The outlets carry other shares of the power from now on (their energies so far are kept)."""
        energy = self.settled()
        passed = energy - self._mark
        self._energy = [joule + passed * part for joule, part in zip(self._energy, self.share, strict=True)]
        self._mark = energy
        self.share = share
        self._metered_at = (-math.inf, 0.0)

    def overload(self, at: float, h: float) -> None:
        """Heat the breakers for h s up to plant time `at`, when the first trips that has enough.

        Called only when one may be overloaded.
        """
        for i in range(len(self.share)):
            ratio = self.current(i) / self.parameters.breaker_current
            self.heat[i] = max(0.0, self.heat[i] + (ratio * ratio - 1.0) * h)
            if self.heat[i] > BREAKER_HEAT and not self.tripped[i]:
                self.heat[i] = 0.0
                self._schedule(at, partial(self.set_tripped, i, tripped=True))
                return

    def power(self, index: int) -> float:
        """W through one outlet."""
        return self.total() * self.share[index]

    def power_factor(self, index: int) -> float:
        """Power factor of one outlet, by its load; 1 without any."""
        return self._meter()[0][index]

    def voltage(self, index: int) -> float:
        """V at one outlet."""
        return self.parameters.line_voltage if self.is_energised(index) else 0.0

    def current(self, index: int) -> float:
        """A through one outlet, with the inrush of the bulk capacitors just after it closed."""
        return self._meter()[1][index]

    def _meter(self) -> tuple[list[float], list[float]]:
        """Power factors and currents of all outlets, worked out once for a moment: phases and totals ask for all."""
        total = self.total()
        moment = (self._now(), total)
        if moment != self._metered_at:
            powers = [total * share for share in self.share]
            factors = [
                interpolate(POWER_FACTOR, power / full) if power > 0.0 else 1.0
                for power, full in zip(powers, self.rating, strict=True)
            ]
            self._metered = (
                factors,
                [
                    self._current(i, power, factor)
                    for i, (power, factor) in enumerate(zip(powers, factors, strict=True))
                ],
            )
            self._metered_at = moment
        return self._metered

    def _current(self, index: int, power: float, factor: float) -> float:
        voltage = self.voltage(index)
        if voltage == 0.0:
            return 0.0
        current = power / (voltage * factor)
        since = self._now() - self.closed_at[index]
        if 0.0 <= since < 20 * INRUSH_TAU and self.rating[index] > 0.0:
            current += INRUSH_PEAK * self.parameters.breaker_current * math.exp(-since / INRUSH_TAU)
        return current

    def outlet_energy(self, index: int) -> float:
        """Energy in kWh delivered through one outlet since the start."""
        return (self._energy[index] + (self.energy() - self._mark) * self.share[index]) / 3.6e6

    def phase_current(self, phase: int) -> float:
        """A in one phase."""
        return sum(self.current(i) for i in range(phase, len(self.share), PHASES))

    def phase_power(self, phase: int) -> float:
        """W in one phase."""
        return sum(self.power(i) for i in range(phase, len(self.share), PHASES))

    def phase_voltage(self, phase: int) -> float:
        """V of one phase to neutral."""
        return 0.0 if self.phase_lost[phase] else self.parameters.line_voltage

    def carried(self) -> float:
        """W of the whole PDU."""
        return self.total() * sum(self.share) if self.scope else self.total()

    def delivered(self) -> float:
        """KWh of the whole PDU since the start."""
        if not self.scope:
            return self.energy() / 3.6e6
        return sum(self.outlet_energy(i) for i in range(len(self.share)))

    def apparent_power(self) -> float:
        """VA of all outlets."""
        return sum(self.power(i) / self.power_factor(i) for i in range(len(self.share)))

    def total_power_factor(self) -> float:
        """Power over apparent power of all outlets."""
        apparent = self.apparent_power()
        return self.carried() / apparent if apparent > 0.0 else 1.0

    def variables(self) -> Iterator[Variable]:
        """What the PDU measures."""
        for i in range(len(self.share)):
            name = scoped(self.scope, f"outlet[{i + 1}]")
            yield Variable(f"{name}.state", "", partial(lambda k: float(self.relay[k]), i))
            yield Variable(
                f"{name}.pending", "", partial(lambda k: float(self.pending[k] or self.countdown[k].is_running), i)
            )
            yield Variable(f"{name}.power", "W", partial(self.power, i))
            yield Variable(f"{name}.current", "A", partial(self.current, i))
            yield Variable(f"{name}.voltage", "V", partial(self.voltage, i))
            yield Variable(f"{name}.energy", "kWh", partial(self.outlet_energy, i))
            yield Variable(f"{name}.power_factor", "", partial(self.power_factor, i))
        for i in range(PHASES):
            name = scoped(self.scope, f"phase[{i + 1}]")
            yield Variable(f"{name}.current", "A", partial(self.phase_current, i))
            yield Variable(f"{name}.voltage", "V", partial(self.phase_voltage, i))
            yield Variable(f"{name}.power", "W", partial(self.phase_power, i))
        whole = partial(scoped, self.scope)
        yield Variable(whole("pdu.power"), "W", self.carried)
        yield Variable(whole("pdu.energy"), "kWh", self.delivered)
        yield Variable(whole("pdu.frequency"), "Hz", lambda: self.parameters.line_frequency)
        yield Variable(whole("pdu.power_factor"), "", self.total_power_factor)

    def metered(self) -> list[str]:
        """The names of what its meter measures."""
        return [each.name for each in self.variables() if each.name.rpartition(".")[2] not in ("state", "pending")]

    def inputs(self) -> Iterator[Input]:
        """What can be commanded."""
        for i in range(len(self.share)):
            name = scoped(self.scope, f"outlet[{i + 1}]")
            yield Input(name, "", partial(self.command, i))
            yield Input(f"{name}.off_in", "s", self.countdown[i].begin, 0.0, LONGEST_DELAY)
            yield Input(f"{name}.on_for", "s", partial(self.hold, i), -1.0, LONGEST_DELAY)
