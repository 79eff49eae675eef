"""A rack PDU: three-phase outlets that switch with a latency, breakers, phases and energy."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from sim.physics.dead_man import Countdown
from sim.physics.feeds import Feed, scoped
from sim.physics.noise import stream, uniform
from sim.physics.parameters import RackParameters
from sim.physics.variables import Input, Schedule, Variable, interpolate

SWITCH_LATENCY = (0.2, 1.0)  # s
INRUSH_TAU = 0.010  # s
INRUSH_PEAK = 6.0  # times the breaker's rated current, when the mains are switched on at the top of their wave
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
        self.inrush = [0.0] * n  # A that the bulk capacitors took when the outlet closed last
        self.inrush_factor = [1.0] * n
        self.peak = [0.0] * PHASES  # A, highest since peaks are held
        self.i2t = [0.0] * PHASES  # A2 s, of the largest inrush since peaks are held
        self._holds = False
        self._closings = 0
        self.share = [0.0] * n
        self.phases = [[0.0] * PHASES for _ in range(n)]  # of the share of each outlet, what each phase carries
        self.rating = [0.0] * n  # W that what hangs on an outlet takes at full load, 0 for nothing
        self.is_warm = False  # whether a breaker has heat left from an overload
        self._energy = [0.0] * n  # J up to _mark
        self._mark = 0.0
        self._latest = [0] * n
        self._wave = stream(seed, f"inrush {feed.name}")
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
            self._rush_in(index)
        self.relay[index] = closed
        self._forget()

    def _rush_in(self, index: int) -> None:
        """The bulk capacitors behind an outlet fill, on each phase as much as its voltage is just then."""
        self.closed_at[index] = self._now()
        self._closings += 1
        angle = math.pi * uniform(self._wave, self._closings)
        most = INRUSH_PEAK * self.parameters.breaker_current * self.inrush_factor[index]
        most *= 1.0 if self.rating[index] > 0.0 else 0.0
        for phase in range(PHASES):
            amperes = most * abs(math.sin(angle + phase * math.tau / PHASES))
            self.inrush[index] = amperes if phase == 0 else max(self.inrush[index], amperes)
            if self._holds and not self.phase_lost[phase]:
                self.peak[phase] = max(self.peak[phase], amperes + math.sqrt(2.0) * self.phase_current(phase))
                self.i2t[phase] = max(self.i2t[phase], amperes * amperes * INRUSH_TAU / 2.0)

    def hold_peaks(self, *, is_held: bool) -> None:
        """Hold the highest current of each phase from now on, or stop holding it."""
        self._holds = is_held
        self.peak, self.i2t = [0.0] * PHASES, [0.0] * PHASES

    def peak_current(self, phase: int) -> float:
        """A: the crest of the current of a phase now, or the highest since peaks are held."""
        return max(self.peak[phase], math.sqrt(2.0) * self.phase_current(phase))

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
        """Whether there is voltage at the outlet, on any phase."""
        return self.relay[index] and not self.tripped[index] and not all(self.phase_lost)

    def has_phase(self, index: int, phase: int) -> bool:
        """Whether there is voltage at a phase of the outlet."""
        return self.relay[index] and not self.tripped[index] and not self.phase_lost[phase]

    def redistribute(self, phases: list[list[float]]) -> None:
        """The outlets carry other shares of the power from now on, each on its phases; energies so far are kept."""
        energy = self.settled()
        passed = energy - self._mark
        self._energy = [joule + passed * part for joule, part in zip(self._energy, self.share, strict=True)]
        self._mark = energy
        self.phases = phases
        self.share = [sum(each) for each in phases]
        self._metered_at = (-math.inf, 0.0)

    def overload(self, at: float, h: float) -> None:
        """Heat the breakers for h s up to plant time `at`, when the first trips that has enough.

        Called only when one may be overloaded, or is still warm.
        """
        for i, current in enumerate(self._meter()[1]):
            ratio = current / self.parameters.breaker_current
            self.heat[i] = max(0.0, self.heat[i] + (ratio * ratio - 1.0) * h)
            if self.heat[i] > BREAKER_HEAT and not self.tripped[i]:
                self.heat[i] = 0.0
                self._schedule(at, partial(self.set_tripped, i, tripped=True))
                break
        self.is_warm = any(self.heat)

    def power(self, index: int) -> float:
        """W through one outlet."""
        return self.total() * self.share[index]

    def power_factor(self, index: int) -> float:
        """Power factor of one outlet, by its load; 1 without any."""
        return self._meter()[0][index]

    def voltage(self, index: int) -> float:
        """V at one outlet, the mean of its phases."""
        live = sum(not lost for lost in self.phase_lost) / PHASES
        return self.parameters.line_voltage * live if self.is_energised(index) else 0.0

    def current(self, index: int) -> float:
        """A in the most loaded phase of an outlet, with the inrush of the bulk capacitors just after it closed."""
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
        if not self.is_energised(index):
            return 0.0
        share = self.share[index]
        current = power * max(self.phases[index]) / share / (self.parameters.line_voltage * factor) if share else 0.0
        return current + self._rush(index)

    def _rush(self, index: int) -> float:
        """A of inrush that are left."""
        since = self._now() - self.closed_at[index]
        return self.inrush[index] * math.exp(-since / INRUSH_TAU) if 0.0 <= since < 20 * INRUSH_TAU else 0.0

    def outlet_energy(self, index: int) -> float:
        """Energy in kWh delivered through one outlet since the start."""
        return (self._energy[index] + (self.energy() - self._mark) * self.share[index]) / 3.6e6

    def phase_current(self, phase: int) -> float:
        """A in one phase."""
        total, factors = self.total(), self._meter()[0]
        volts = self.parameters.line_voltage
        amperes = sum(total * self.phases[i][phase] / (volts * factors[i]) for i in range(len(self.share)))
        return amperes + sum(self._rush(i) for i in range(len(self.share)) if self.has_phase(i, phase))

    def phase_power(self, phase: int) -> float:
        """W in one phase."""
        return self.total() * sum(each[phase] for each in self.phases)

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
