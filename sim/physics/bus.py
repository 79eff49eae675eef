"""The DC bus: bulk capacitors and batteries that carry it when the mains go, and how it bleeds when nothing does.

Powers are W at the inputs of shelves of nominal efficiency, as everywhere in the plant but on the mains' side. What a
load takes from capacitors or batteries is what it would have taken from there: heat does not depend on who feeds it.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from sim.physics.battery import Battery
from sim.physics.capture import Capture
from sim.physics.parameters import RackParameters
from sim.physics.rack import Rack
from sim.physics.variables import Input, Schedule, Variable

NOMINAL_EFFICIENCY = 0.975  # of the shelves at half their rating: W on the bus for a W at their inputs
HELD_AT_MOST = 0.1  # s, after which supplies without mains switch off whatever is left
MOMENT = 1e-5  # s, what is nearer than that has come
HORIZON = 1.0  # s, the longest step of the plant: what ends sooner is scheduled


class Mode(enum.Enum):
    """Who holds the bus."""

    FED = enum.auto()  # shelves on the mains, maybe with batteries beside them
    HELD = enum.auto()  # the bulk capacitors of shelves that lost the mains, at the voltage they had
    BATTERY = enum.auto()
    LEFT = enum.auto()  # nobody: the capacitors of the bus feed what is left of the load, and bleed


class Bus:
    """Voltage, stored energy and sources of the bus. It decides what share of the rack's load can be carried.

    `draw` and `warm` take J that come from the mains and go into the air at once.
    """

    def __init__(
        self,
        parameters: RackParameters,
        rack: Rack,
        schedule: Schedule,
        now: Callable[[], float],
        load: Callable[[], float],
    ) -> None:
        p = self.parameters = parameters
        self._rack = rack
        self._schedule = schedule
        self._now = now
        self._load = load
        self.fed_voltage: Callable[[], float] = lambda: 0.0
        self.draw: Callable[[float], None] = lambda _: None
        self.warm: Callable[[float], None] = lambda _: None
        rating = p.shelf_rating
        self.batteries = [
            Battery(rating, rating * p.battery_time, p.battery_time, p.battery_cells) for _ in range(p.batteries)
        ]
        self.mode = Mode.LEFT
        self.is_calm = False
        """Whether the shelves carry everything and nothing is stored or taken out of store."""
        self._mains = 0.0  # share of full power that the shelves can carry
        self._bulk = 0.0  # J in the bulk capacitors of the shelves
        self._alone = 0.0  # J of it in those that lost the mains just before the others
        self._held = 0.0  # V at which they hold the bus
        self._until = 0.0  # plant time at which they stop
        self.is_starting = False
        """Whether the bus has just come alive and supplies are still starting: trays take what there is by then."""
        self.capture = Capture()
        self._energy = 0.0  # J in the capacitors of the bus, at plant time _at
        self._at = 0.0
        self._order = 0
        self._stored = self.stored

    # ---- what the shelves say

    def feed(self, mains: float, dropped: float, voltage: float) -> None:
        """The shelves can carry this share of full power from now on.

        `dropped` J were in the bulk capacitors of those that just lost the mains; when the last of them did, they hold
        the bus with it, at the `voltage` V that they had.
        """
        before, self._mains = self._mains, mains
        if mains > 0.0:
            if dropped > 0.0:
                self._alone += dropped
                self._schedule(self._now() + HELD_AT_MOST, partial(self._waste, dropped), disturbs=False)
            if self.mode is not Mode.FED:
                self._enter(Mode.FED)
                wanted = self._joules(self.fed_voltage())
                self.draw(wanted - self._energy)
                self._energy = wanted
                if any(each.is_active for each in self.batteries):
                    self._later(self.parameters.battery_return, self._stand_by)
                else:
                    self._stand_by()
            self._carry()
        elif before > 0.0:
            lately = self._energy
            self._energy = self._joules(voltage)
            self.warm(lately - self._energy)  # the load has moved the voltage since the shelves charged the bus
            self._enter(Mode.HELD)
            self._alone = 0.0
            self._held, self._until = voltage, self._now() + HELD_AT_MOST
            self._rack.capacity = 2.0  # trays see a bus, not what is left in it
            self._watch_bulk()

    def charge_bulk(self, joules: float) -> None:
        """A shelf that starts fills its bulk capacitors from the mains."""
        self.draw(joules)
        self._bulk += joules

    def change_bulk(self, joules: float) -> None:
        """Bulk capacitors hold more from the mains, or have lost some of it as heat."""
        self._bulk += joules
        (self.draw if joules > 0.0 else self.warm)(abs(joules))

    def refill(self, joules: float) -> None:
        """Supplies whose mains were away for less than their bulk capacitors last have them full again, so many J."""
        self.draw(joules - self._bulk)
        self._bulk, self._alone = joules, 0.0

    def note(self, at: float, voltage: float) -> None:
        """Keep the extremes, as the supplies do, whose logic lives on the bus."""
        self.capture.note(at, voltage)

    def _waste(self, joules: float) -> None:
        """A shelf that lost the mains a while ago, and was not needed to hold the bus, has become empty."""
        joules = min(joules, self._alone)
        self._alone -= joules
        self._bulk -= joules
        self.warm(joules)

    def _enter(self, mode: Mode) -> None:
        """Change who holds the bus; whatever was expected is off."""
        if self.mode is not Mode.FED:
            self.note(self._now(), self.voltage())
        self.mode = mode
        self._order += 1
        self._at = self._now()
        self._settle()

    def _settle(self) -> None:
        resting = all(not each.is_active and each.is_full for each in self.batteries)
        self.is_calm = self.mode is Mode.FED and resting

    def _carry(self) -> None:
        """Say what the rack may take: from the mains, and from batteries as long as they are active."""
        active = sum(each.rating for each in self.batteries if each.is_active) / self.parameters.maximum_power
        mains = 2.0 if self._mains > 0.0 and not self.is_starting else self._mains
        self._rack.capacity = min(2.0, mains + active)

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        self._expect(self._now() + seconds, action)

    def _expect(self, at: float, action: Callable[[], None]) -> None:
        """Call `action` at plant time `at`, if by then nobody else has come to hold the bus."""
        order = self._order

        def act() -> None:
            if order == self._order:
                action()

        self._schedule(at, act)

    # ---- what happens next

    def _stand_by(self) -> None:
        """The mains have held the bus for long enough: batteries that feed it stop, and wait for the next time."""
        for battery in self.batteries:
            battery.rest()
        self._settle()
        self._carry()

    def _watch_bulk(self) -> None:
        load, left = self._load(), self._until - self._now()
        if self._bulk > load * MOMENT and left > MOMENT:
            self._later(min(self._bulk / load, left) if load > 0.0 else left, self._watch_bulk)
            return
        self.warm(self._bulk)
        self._bulk = 0.0
        self._leave()

    def _leave(self) -> None:
        """Nobody holds the bus any more: it falls."""
        self._enter(Mode.LEFT)
        self._watch_takeover()
        self._watch_trays()

    def _watch_takeover(self) -> None:
        """Batteries see the bus below their voltage, and take over a little later."""
        p = self.parameters
        if any(each.is_ready for each in self.batteries):
            self._when(p.battery_voltage, self._watch_takeover, lambda: self._later(p.battery_delay, self._take_over))

    def _take_over(self) -> None:
        ready = [each for each in self.batteries if each.is_ready]
        if self._load() > Battery.OVERLOAD * sum(each.rating for each in ready):
            return
        for battery in ready:
            battery.is_active = True
        wanted = self._joules(self._battery_level())
        ready[0].energy -= wanted - self._energy
        self._energy = wanted
        self._enter(Mode.BATTERY)
        self._carry()

    def _watch_trays(self) -> None:
        """Trays draw nothing below their under-voltage level, and forget that they tripped."""
        self._when(self.parameters.under_voltage, self._watch_trays, self._drop_trays)

    def _drop_trays(self) -> None:
        self._rack.capacity = self._rack.power = 0.0
        self._rack.tripped = False

    def _when(self, voltage: float, again: Callable[[], None], action: Callable[[], None]) -> None:
        """Act now if the bus is below `voltage` V, else look `again` when it should be."""
        half = self.parameters.bus_bleed_tau / 2.0
        bleed = self._load() * half
        seconds = half * math.log((self._energy + bleed) / (self._joules(voltage) + bleed))
        if seconds < MOMENT:
            action()
        else:
            self._later(seconds, again)

    # ---- energy

    def _joules(self, voltage: float) -> float:
        return 0.5 * self.parameters.bus_capacitance * voltage * voltage

    def _after(self, h: float, load: float) -> float:
        """J in the capacitors of a bus that nobody holds, after h s under a load: dE/dt = -load - 2 E / tau."""
        half = self.parameters.bus_bleed_tau / 2.0
        return max(0.0, (self._energy + load * half) * math.exp(-h / half) - load * half)

    def step(self, at: float, h: float, load: float) -> float:
        """Let h s from plant time `at` pass under a mean `load` W; the mean W from the mains."""
        if self.mode is Mode.FED:
            return self._step_fed(h, load)
        if self.mode is Mode.HELD:
            self._bulk -= load * h
        elif self.mode is Mode.BATTERY:
            bleeding = 2.0 * self._energy / self.parameters.bus_bleed_tau
            self.warm(bleeding * h)
            self._discharge(at + h, h, load + bleeding)
            self.note(at + h, self._battery_level())
        else:
            after = self._after(h, load)
            self.warm(self._energy - after - load * h)
            self._energy, self._at = after, at + h
            self.note(at + h, math.sqrt(2.0 * after / self.parameters.bus_capacitance))
        return 0.0

    def _step_fed(self, h: float, load: float) -> float:
        if any(each.is_active for each in self.batteries):
            rest = self._beyond_mains(load)
            self._discharge(0.0, h, rest)
            return load - rest
        taken = sum(each.charge(h) for each in self.batteries)
        self._settle()
        return load + taken / h

    def _beyond_mains(self, load: float) -> float:
        """W of a load that batteries carry beside the mains."""
        return max(0.0, load - self._mains * self.parameters.maximum_power)

    def _discharge(self, end: float, h: float, power: float) -> None:
        """Take from the active batteries for h s up to plant time `end`; the first that ends says so in time."""
        active = [each for each in self.batteries if each.is_active]
        each = power / len(active)
        for battery in active:
            battery.discharge(h, each)
        due = min(battery.left(each) for battery in active)
        if self.mode is Mode.BATTERY and due < HORIZON:
            self._expect(end + due, self.reconsider)

    def reconsider(self) -> None:
        """Batteries that are empty, or may not go on, stop; with none left the bus falls."""
        stopped = [each for each in self.batteries if each.is_active and not each.is_ready]
        for battery in stopped:
            battery.is_active = False
        active = sum(each.rating for each in self.batteries if each.is_active)
        if self.mode is Mode.BATTERY and stopped and (active == 0.0 or self._load() > Battery.OVERLOAD * active):
            for battery in self.batteries:
                battery.is_active = False
            self._leave()
        elif stopped:
            self._carry()

    def set_charge(self, shares: Sequence[float]) -> None:
        """Give the batteries another charge (0..1 each) from nowhere."""
        for battery, share in zip(self.batteries, shares, strict=True):
            self._stored += share * battery.capacity - battery.energy
            battery.energy = share * battery.capacity
        self._settle()
        self.reconsider()

    @property
    def stored(self) -> float:
        """J in capacitors and batteries."""
        return self._energy + self._bulk + sum(each.energy for each in self.batteries)

    def balance(self) -> float:
        """J that capacitors and batteries gained since the start."""
        return self.stored - self._stored

    # ---- reading

    def drawn(self, load: float) -> float:
        """W from the mains under a load of so many W."""
        if self.mode is not Mode.FED:
            return 0.0
        if any(each.is_active for each in self.batteries):
            return load - self._beyond_mains(load)
        return load + sum(each.charging for each in self.batteries)

    def _battery_level(self) -> float:
        active = sum(each.rating for each in self.batteries if each.is_active)
        load = min(1.0, self._load() / active) if active > 0.0 else 0.0
        return self.parameters.battery_voltage - self.parameters.battery_droop * load

    def voltage(self) -> float:
        """V on the bus."""
        if self.mode is Mode.FED:
            is_helped = not self.is_calm and self._from_batteries() > 0.0
            return self._battery_level() if is_helped else self.fed_voltage()
        if self.mode is Mode.HELD:
            return self._held
        if self.mode is Mode.BATTERY:
            return self._battery_level()
        energy = self._after(self._now() - self._at, self._load())
        return math.sqrt(2.0 * energy / self.parameters.bus_capacitance)

    def _from_batteries(self) -> float:
        """W that batteries give now."""
        if self.mode is Mode.BATTERY:
            return self._load() + 2.0 * self._energy / self.parameters.bus_bleed_tau
        if self.mode is Mode.FED and any(each.is_active for each in self.batteries):
            return self._beyond_mains(self._load())
        return 0.0

    def power(self, battery: Battery) -> float:
        """W into a battery, negative out of it."""
        if battery.is_active:
            return -self._from_batteries() / sum(each.is_active for each in self.batteries)
        return battery.charging if self.mode is Mode.FED else 0.0

    def current(self, battery: Battery) -> float:
        """A into a battery's pack, negative out of it."""
        power = self.power(battery)
        return power / battery.voltage if power else 0.0

    def from_store(self) -> float:
        """A that capacitors and batteries give to the loads."""
        power = self._from_batteries() if self.mode is Mode.FED else self._load()
        voltage = self.voltage()
        return NOMINAL_EFFICIENCY * power / voltage if power > 0.0 and voltage > 0.0 else 0.0

    def variables(self) -> Iterator[Variable]:
        """What can be measured of the bus and the batteries; a rack without any has one empty bay."""
        yield Variable("bus.voltage", "V", self.voltage)
        yield Variable("bus.voltage_max", "V", lambda: max(self.capture.since_on[1], self.voltage()))
        yield Variable("bus.voltage_min", "V", lambda: min(self.capture.since_on[0], self.voltage()))
        yield Variable("bus.recent_max", "V", lambda: self.capture.recent(self._now(), self.voltage())[1])
        yield Variable("bus.recent_min", "V", lambda: self.capture.recent(self._now(), self.voltage())[0])
        yield Variable("battery.current", "A", lambda: sum(self.current(each) for each in self.batteries))
        yield Variable("battery.power", "W", lambda: sum(self.power(each) for each in self.batteries))
        for i, battery in enumerate(self.batteries or [Battery.nothing()], 1):
            name = f"battery[{i}]"
            yield Variable(f"{name}.current", "A", partial(self.current, battery))
            yield Variable(f"{name}.voltage", "V", lambda each=battery: each.voltage)  # type: ignore[misc]
            yield Variable(f"{name}.charge", "%", lambda each=battery: each.share * 100.0)  # type: ignore[misc]
            yield Variable(f"{name}.discharging", "", lambda each=battery: float(each.is_active))  # type: ignore[misc]
            yield Variable(f"{name}.charging", "", lambda each=battery: float(self.power(each) > 0.0))  # type: ignore[misc]
            yield Variable(f"{name}.run_time", "s", partial(self._run_time, battery))

    def _run_time(self, battery: Battery) -> float:
        """S until a battery is empty, at the present load or a full one."""
        power = -self.power(battery) if battery.is_active else battery.rating
        return battery.energy / power if power > 0.0 else battery.energy

    def inputs(self) -> Iterator[Input]:
        """What can be commanded."""
        for i, battery in enumerate(self.batteries or [Battery.nothing()], 1):
            yield Input(f"battery[{i}].maximum_discharge", "s", partial(self._limit, battery), 0.0, 600.0)

    def _limit(self, battery: Battery, seconds: float) -> None:
        battery.maximum = seconds
        self.reconsider()
