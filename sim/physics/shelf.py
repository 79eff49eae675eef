"""Power shelves: supplies that feed one common bus, share its current by their setpoints, and droop.

A shelf of equal supplies gives I = (setpoint - V) / R, with R so that its rated current droops the bus by
`bus_droop`. One that gives more than `OVERLOAD` times its rating for `OVERLOAD_TIME` switches itself off until its
mains were gone. What a shelf takes from the mains is what it gives, over its efficiency.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from sim.physics.bus import NOMINAL_EFFICIENCY, Bus, Mode
from sim.physics.feeds import Feed
from sim.physics.noise import gauss, stream
from sim.physics.parameters import RackParameters
from sim.physics.pdu import PHASES, Pdu
from sim.physics.sharing import share
from sim.physics.supplies import Supply, supplies_of
from sim.physics.variables import Schedule, interpolate

START_DELAY = (0.5, 2.0)  # s from AC to output
EFFICIENCY = ((0.0, 0.90), (0.05, 0.93), (0.10, 0.955), (0.20, 0.968), (0.50, NOMINAL_EFFICIENCY), (1.0, 0.966))
FAN_IDLE, FAN_FULL = 3000.0, 15000.0  # RPM
AIR_RISE = 14.0  # K through a shelf at full load
INSULATION = 1e9  # Ohm between the mains terminals of a supply and its case
OVERLOAD, OVERLOAD_TIME = 1.1, 1.0  # times the rating, s
NEVER = float("inf")


class Shared(NamedTuple):
    """Who carries how much of a load: V, A and W AC of each shelf, W AC together."""

    voltage: float
    currents: list[float]
    inputs: list[float]
    total: float


class Shelves:
    """All shelves and the bus. A shelf hangs on the outlets of the PDUs; counted from 0 here and from 1 in names.

    The supplies of a shelf with several cords are shared out between them, and those of a cord between its phases: a
    shelf that loses a cord or a phase goes on with the rest.
    """

    def __init__(
        self,
        parameters: RackParameters,
        seed: int,
        wiring: Sequence[tuple[Pdu, Feed]],
        bus: Bus,
        schedule: Schedule,
        now: Callable[[], float],
    ) -> None:
        n = parameters.shelves
        self.parameters = parameters
        self._pdus = [pdu for pdu, _ in wiring]
        self._schedule = schedule
        self._now = now
        self._random = random.Random(f"{seed}/shelf")
        self._full = parameters.shelf_rating  # W AC
        self._rated = self._full * NOMINAL_EFFICIENCY / parameters.bus_voltage  # A
        self.supplies = supplies_of(wiring, n, parameters.psus)
        self.all = [supply for row in self.supplies for supply in row]
        self.setpoint = [parameters.bus_voltage] * n
        self.offset = [parameters.setpoint_spread * gauss(stream(seed, f"setpoint[{i}]"), 0) for i in range(n)]
        self.bulk_share = [1.0] * n
        deviations = [gauss(stream(seed, f"insulation[{i}]"), 0) for i in range(n)]
        self.insulation = [INSULATION * parameters.insulation_spread**each for each in deviations]
        self.latched = [False] * n  # switched off for overload
        self._overloaded = [0] * n  # order of the switch-off that is awaited, 0 for none
        self.ambient: Callable[[], float] = lambda: parameters.ambient_temperature
        self.demand: Callable[[], float] = lambda: 0.0
        """W, at nominal efficiency, that the bus takes from the shelves."""
        self._before = (-NEVER, 0.0)  # plant time of the last change, V before it
        self._order = 0
        self._on = [0] * n  # supplies of each shelf that feed the bus
        self._solved: dict[float, Shared] = {}
        self._placed: Shared | None = None
        self._strain = NEVER  # W of demand from which a shelf may be overloaded
        self.peak = 0.0  # largest share of one phase of an outlet
        self.bus = bus
        bus.fed_voltage = self.fed_voltage
        self.rewire()

    def rewire(self) -> None:
        """Tell the PDUs what hangs on them."""
        for pdu in self._pdus:
            pdu.rating = [0.0] * len(pdu.rating)
        for supply in self.all:
            if supply.pdu is not None:
                supply.pdu.rating[supply.outlet] += self._full / self.parameters.psus

    def is_on(self, index: int) -> bool:
        """Whether a shelf feeds the bus."""
        return self._on[index] > 0

    # ---- who feeds the bus

    def refresh(self) -> None:
        """Follow the AC side: start what got power, drop what lost it, share the load again."""
        if self._now() != self._before[0]:  # what changes in one moment changes at once, from what was before it
            self._before = self._now(), self.fed_voltage()
        voltage, bulk = self._before[1], 0.0
        resumed = False
        delays: dict[tuple[int, int, int], float] = {}
        for row in self.supplies:
            for supply in row:
                supply.count()
            if self.latched[row[0].shelf] and not any(supply.has_mains for supply in row):
                self.latched[row[0].shelf] = False
            for supply in row:
                if not supply.is_good or not supply.has_mains or self.latched[supply.shelf]:
                    if supply.on:
                        bulk += self._bulk(supply)
                        supply.lost_at = self._now()
                    supply.on = False
                    supply.starting = 0
                elif not supply.on and self._rides_through(supply):
                    supply.on = resumed = True
                elif not supply.on and not supply.starting:
                    self._order += 1
                    supply.starting = self._order
                    cord = (supply.shelf, id(supply.pdu), supply.outlet)
                    if cord not in delays:
                        delays[cord] = self._now() + self._random.uniform(*START_DELAY)
                    self._schedule(delays[cord], partial(self._start, supply, self._order))
        self._balance(bulk, voltage)
        if resumed:
            self.bus.refill(sum(self._bulk(supply) for supply in self.all if supply.on))

    def _rides_through(self, supply: Supply) -> bool:
        """Whether its bulk capacitors are not empty yet: the mains were away for a moment only."""
        if self.bus.mode is Mode.HELD:
            return supply.lost_at > -NEVER
        lasts = self.parameters.holdup_time * self.bulk_share[supply.shelf]
        return self.bus.mode is Mode.FED and self._now() - supply.lost_at < lasts

    def drop_out(self, seconds: float) -> None:
        """The mains of everything are away for so long, by a source that can do that."""

        def phases(faults: int) -> None:
            for pdu in self._pdus:
                pdu.lose_phases(range(PHASES), faults)

        phases(1)
        self._schedule(self._now() + seconds, partial(phases, -1))

    def _start(self, supply: Supply, order: int) -> None:
        if supply.starting == order:
            supply.starting = 0
            supply.on = True
            self._balance(0.0, 0.0)
            self.bus.charge_bulk(self._bulk(supply))

    def _bulk(self, supply: Supply) -> float:
        """J in the bulk capacitors of a supply."""
        p = self.parameters
        return self._full / p.psus * p.holdup_time * self.bulk_share[supply.shelf]

    def _balance(self, bulk: float, voltage: float) -> None:
        """Share the load out; `bulk` J are left in what was just lost, while the shelves held `voltage` V."""
        p = self.parameters
        self._on = [sum(supply.on for supply in row) for row in self.supplies]
        self._solved.clear()
        self._strain = self._strained()
        self._place(self._share(self.demand()))
        is_starting = any(supply.starting for supply in self.all)
        self.bus.is_starting = is_starting and (self.bus.is_starting or self.bus.mode is not Mode.FED)
        self.bus.feed(sum(self._on) * p.supply_rating / p.maximum_power, bulk, voltage)

    # ---- who carries how much

    def _regulated(self, index: int) -> float:
        """V that a shelf regulates to."""
        return self.setpoint[index] + self.offset[index]

    def _share(self, demand: float) -> Shared:
        """Who carries a demand of so many W; worked out once for each until something changes."""
        found = self._solved.get(demand)
        if found is None:
            if len(self._solved) > 8:
                self._solved.clear()
            found = self._solved[demand] = self._worked_out(demand)
        return found

    def _worked_out(self, demand: float) -> Shared:
        psus = self.parameters.psus
        ohm = self.parameters.bus_droop / self._rated
        conductances = [on / psus / ohm for on in self._on]
        setpoints = [self._regulated(i) for i in range(len(conductances))]
        voltage, currents = share(setpoints, conductances, demand * NOMINAL_EFFICIENCY)
        whole = self._full * NOMINAL_EFFICIENCY / psus
        inputs = [
            current * voltage / interpolate(EFFICIENCY, current * voltage / (whole * on)) if on else 0.0
            for current, on in zip(currents, self._on, strict=True)
        ]
        return Shared(voltage, currents, inputs, sum(inputs))

    def _place(self, shared: Shared) -> None:
        """Tell the PDUs what each outlet and phase carries of the whole."""
        if shared is self._placed:
            return
        self._placed = shared
        weights = shared.inputs if shared.total > 0.0 else [float(on) for on in self._on]
        total = sum(weights)
        carried = {id(pdu): [[0.0] * PHASES for _ in pdu.share] for pdu in self._pdus}
        for supply in self.all:
            if supply.on and supply.pdu is not None:
                part = weights[supply.shelf] / total / self._on[supply.shelf]
                carried[id(supply.pdu)][supply.outlet][supply.phase] += part
        for pdu in self._pdus:
            pdu.redistribute(carried[id(pdu)])
        self.peak = max((max(each) for pdu in self._pdus for each in pdu.phases), default=0.0)

    def drawn(self, demand: float) -> float:
        """W AC from the mains for a demand of so many W."""
        return self._share(demand).total if demand > 0.0 else 0.0

    def carry(self, at: float, h: float, demand: float) -> float:
        """Let h s from plant time `at` pass under a mean demand; the mean W AC from the mains."""
        if demand <= 0.0:
            if self.bus.mode is not Mode.FED:
                return 0.0
            demand = 0.0
        shared = self._share(demand)
        self._place(shared)
        self.bus.note(at + h, shared.voltage)
        if demand > self._strain:
            self._watch(at + h, shared)
        self.bus.warm((shared.total - demand) * h)
        return shared.total

    # ---- overload

    def _strained(self) -> float:
        """W of demand at which the first shelf gives `OVERLOAD` times its rating; 0 while a switch-off is awaited."""
        if any(self._overloaded):
            return 0.0
        using = [i for i, on in enumerate(self._on) if on]
        if not using:
            return NEVER
        droop, psus = self.parameters.bus_droop, self.parameters.psus
        voltage = max(self._regulated(i) for i in using) - OVERLOAD * droop
        given = sum(max(0.0, self._regulated(i) - voltage) / droop * self._rated * self._on[i] / psus for i in using)
        return voltage * given / NOMINAL_EFFICIENCY

    def _watch(self, at: float, shared: Shared) -> None:
        """A shelf that is overloaded switches off a while later, if it still is then."""
        for i, current in enumerate(shared.currents):
            is_over = current > OVERLOAD * self._rated * self._on[i] / self.parameters.psus
            if is_over and not self._overloaded[i]:
                self._order += 1
                self._overloaded[i] = self._order
                self._schedule(at + OVERLOAD_TIME, partial(self._switch_off, i, self._order))
            elif not is_over:
                self._overloaded[i] = 0
        self._strain = self._strained()

    def _switch_off(self, index: int, order: int) -> None:
        if self._overloaded[index] == order:
            self._overloaded[index] = 0
            self.latched[index] = True
            self.refresh()

    # ---- what is done to them

    def set_ac_loss(self, supplies: Sequence[Supply], value: float) -> None:
        """Take the AC input of supplies away at their own terminals (1) or give it back (0)."""
        for supply in supplies:
            supply.ac_loss = value >= 0.5
        self.refresh()

    def set_good(self, supply: Supply, *, good: bool) -> None:
        """Break a supply or mend it."""
        supply.is_good = good
        self.refresh()

    def set_voltage(self, index: int, value: float) -> None:
        """Change the output voltage setpoint [V] of a shelf."""
        self.setpoint[index] = value
        self._solved.clear()
        self._strain = self._strained()
        self._place(self._share(self.demand()))

    def set_bulk(self, index: int, part: float) -> None:
        """The bulk capacitors of a shelf hold this part of what they should; what they lose becomes heat."""
        before = sum(self._bulk(supply) for supply in self.supplies[index] if supply.on)
        self.bulk_share[index] = part
        after = sum(self._bulk(supply) for supply in self.supplies[index] if supply.on)
        self.bus.change_bulk(after - before)

    def swap_cords(self, first: tuple[Pdu, int], second: tuple[Pdu, int]) -> None:
        """Exchange what hangs on two outlets."""
        places = {first: second, second: first}
        for supply in self.all:
            if supply.pdu is not None and (to := places.get((supply.pdu, supply.outlet))) is not None:
                supply.pdu, supply.outlet = to
        self.rewire()
        self.refresh()

    # ---- reading

    def _now_shared(self) -> Shared:
        return self._share(self.demand())

    def good(self, index: int) -> int:
        """How many supplies of a shelf work."""
        return sum(supply.is_good for supply in self.supplies[index])

    def input_power(self, index: int) -> float:
        """W AC into a shelf."""
        demand = self.demand()
        return self._share(demand).inputs[index] if demand > 0.0 else 0.0

    def loading(self, index: int) -> float:
        """What a shelf gives relative to the rating of its supplies that are on, 0..1 and above."""
        on = self._on[index]
        return self.output_current(index) * self.parameters.psus / (self._rated * on) if on else 0.0

    def fed_voltage(self) -> float:
        """V at which the shelves that are on hold the bus; 0 when none is."""
        return self._now_shared().voltage

    def output_power(self, index: int) -> float:
        """W DC of a shelf."""
        shared = self._now_shared()
        return shared.currents[index] * shared.voltage

    def output_current(self, index: int) -> float:
        """A DC of a shelf."""
        return self._now_shared().currents[index]

    def bus_current(self) -> float:
        """A DC on the bus."""
        return sum(self._now_shared().currents) + self.bus.from_store()

    def outlet_temperature(self, index: int) -> float:
        """Air leaving a shelf, degC."""
        return self.ambient() + AIR_RISE * self.loading(index)

    def fan_speed(self, index: int) -> float:
        """RPM of the fans of a shelf."""
        return FAN_IDLE + (FAN_FULL - FAN_IDLE) * self.loading(index) if self.is_on(index) else 0.0
