"""Power shelves: rectifiers that feed one common bus, share its current, droop, and take over for failed ones."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from sim.physics.bus import Bus
from sim.physics.feeds import Feed
from sim.physics.parameters import RackParameters
from sim.physics.pdu import Pdu
from sim.physics.variables import Input, Schedule, Variable, interpolate

START_DELAY = (0.5, 2.0)  # s from AC to output
EFFICIENCY = ((0.0, 0.90), (0.05, 0.93), (0.10, 0.955), (0.20, 0.968), (0.50, 0.975), (1.0, 0.966))
FAN_IDLE, FAN_FULL = 3000.0, 15000.0  # RPM
AIR_RISE = 14.0  # K through a shelf at full load


@dataclass
class Inlet:
    """One cord of a shelf, and the rectifiers behind it."""

    shelf: int
    pdu: Pdu
    outlet: int
    part: float = 1.0  # of the shelf's rectifiers
    on: bool = False
    starting: int = 0  # order of the start that is under way, 0 for none
    share: float = 0.0  # of the rack's power


class Shelves:
    """All shelves and the bus. A shelf hangs on the outlets of the PDUs; counted from 0 here and from 1 in names.

    The rectifiers of a shelf with several cords are shared out between them: one that loses a cord goes on with the
    rest.
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
        self._full = parameters.maximum_power / (n / 2)
        self.inlets = [
            Inlet(shelf - 1, pdu, outlet)
            for pdu, feed in wiring
            for outlet, shelf in enumerate(feed.shelves)
            if 0 < shelf <= n
        ]
        self.cords = [[inlet for inlet in self.inlets if inlet.shelf == i] for i in range(n)]
        for inlet in self.inlets:
            inlet.part = 1.0 / len(self.cords[inlet.shelf])
            inlet.pdu.rating[inlet.outlet] = self._full * inlet.part
        self.psu_ok = [parameters.psus] * n
        self.ac_loss = [False] * n
        self.setpoint = [parameters.bus_voltage] * n
        self.ambient: Callable[[], float] = lambda: parameters.ambient_temperature
        self._order = 0
        self._held_at = (-math.inf, 0.0)  # plant time and total power that `_held` V is of
        self._held = 0.0
        self.peak = 0.0  # largest share of one outlet
        self.bus = bus
        bus.fed_voltage = self.fed_voltage

    def is_on(self, index: int) -> bool:
        """Whether a shelf feeds the bus."""
        return any(inlet.on for inlet in self.cords[index])

    def refresh(self) -> None:
        """Follow the AC side: start what got power, drop what lost it, share the load again."""
        voltage, bulk = self.fed_voltage(), 0.0
        for inlet in self.inlets:
            if not self._is_supplied(inlet):
                bulk += self._bulk(inlet) if inlet.on else 0.0
                inlet.on = False
                inlet.starting = 0
            elif not inlet.on and not inlet.starting:
                self._order += 1
                inlet.starting = self._order
                at = self._now() + self._random.uniform(*START_DELAY)
                self._schedule(at, partial(self._start, inlet, self._order))
        self._balance(bulk, voltage)

    def _is_supplied(self, inlet: Inlet) -> bool:
        lost = self.ac_loss[inlet.shelf] or self.psu_ok[inlet.shelf] <= 0
        return not lost and inlet.pdu.is_energised(inlet.outlet)

    def _start(self, inlet: Inlet, order: int) -> None:
        if inlet.starting == order:
            inlet.starting = 0
            inlet.on = True
            self._balance(0.0, 0.0)
            self.bus.charge_bulk(self._bulk(inlet))

    def _bulk(self, inlet: Inlet) -> float:
        """J in the bulk capacitors behind a cord."""
        return self._full * inlet.part * self.parameters.holdup_time

    def _balance(self, bulk: float, voltage: float) -> None:
        """Share the load out; `bulk` J are left in what was just lost, while the shelves held `voltage` V."""
        psus = self.parameters.psus
        weights = [self.psu_ok[each.shelf] / psus * each.part if each.on else 0.0 for each in self.inlets]
        total = sum(weights)
        for inlet, weight in zip(self.inlets, weights, strict=True):
            inlet.share = weight / total if total > 0.0 else 0.0
        for pdu in self._pdus:
            carried = [0.0] * len(pdu.share)
            for inlet in self.inlets:
                if inlet.pdu is pdu:
                    carried[inlet.outlet] = inlet.share
            pdu.redistribute(carried)
        self._held_at = (-math.inf, 0.0)
        self.peak = max((inlet.share for inlet in self.inlets), default=0.0)
        self.bus.feed(total / (self.parameters.shelves / 2), bulk, voltage)

    def set_ac_loss(self, index: int, value: float) -> None:
        """Take the AC input of a shelf away at its own terminals (1) or give it back (0)."""
        self.ac_loss[index] = value >= 0.5
        self.refresh()

    def set_psus(self, index: int, good: int) -> None:
        """Say how many rectifiers of a shelf work."""
        self.psu_ok[index] = max(0, good)
        self.refresh()

    def set_voltage(self, index: int, value: float) -> None:
        """Change the output voltage setpoint [V] of a shelf."""
        self.setpoint[index] = value
        self._held_at = (-math.inf, 0.0)

    def input_power(self, index: int) -> float:
        """W AC into a shelf."""
        return sum(inlet.pdu.power(inlet.outlet) for inlet in self.cords[index])

    def loading(self, index: int) -> float:
        """Load of the rectifiers of a shelf that work, relative to their rating, 0..1."""
        cords = self.cords[index]
        alive = sum(inlet.part for inlet in cords if inlet.on) if len(cords) > 1 else 1.0
        good = self.psu_ok[index] / self.parameters.psus * alive
        return self.input_power(index) / (self._full * good) if good > 0.0 else 0.0

    def efficiency(self, index: int) -> float:
        """DC out over AC in, by load."""
        return interpolate(EFFICIENCY, self.loading(index))

    def fed_voltage(self) -> float:
        """V at which the shelves that are on hold the bus: their mean setpoint, less droop; 0 when none is.

        Worked out once for a moment: every shelf shows it.
        """
        moment = self._now(), self._pdus[0].total()
        if moment != self._held_at:
            self._held_at = moment
            setpoint = sum(self.setpoint[inlet.shelf] * inlet.share for inlet in self.inlets)
            best = max(self.loading(i) for i in range(self.parameters.shelves)) if setpoint else 0.0
            self._held = setpoint - self.parameters.bus_droop * min(1.0, best)
        return self._held

    def output_power(self, index: int) -> float:
        """W DC of a shelf."""
        return self.input_power(index) * self.efficiency(index)

    def output_current(self, index: int) -> float:
        """A DC of a shelf."""
        power = self.output_power(index)
        return power / self.bus.voltage() if power > 0.0 else 0.0

    def bus_current(self) -> float:
        """A DC on the bus."""
        return sum(self.output_current(i) for i in range(self.parameters.shelves)) + self.bus.from_store()

    def input_voltage(self, index: int) -> float:
        """V AC at the input of a shelf."""
        if self.ac_loss[index]:
            return 0.0
        return max((inlet.pdu.voltage(inlet.outlet) for inlet in self.cords[index]), default=0.0)

    def input_current(self, index: int) -> float:
        """A AC into a shelf."""
        return 0.0 if self.ac_loss[index] else sum(inlet.pdu.current(inlet.outlet) for inlet in self.cords[index])

    def outlet_temperature(self, index: int) -> float:
        """Air leaving a shelf, degC."""
        return self.ambient() + AIR_RISE * self.loading(index)

    def fan_speed(self, index: int) -> float:
        """RPM of the fans of a shelf."""
        return FAN_IDLE + (FAN_FULL - FAN_IDLE) * self.loading(index) if self.is_on(index) else 0.0

    def variables(self) -> Iterator[Variable]:
        """What the shelves and the bus measure."""
        for i in range(self.parameters.shelves):
            name = f"shelf[{i + 1}]"
            yield Variable(f"{name}.on", "", partial(lambda k: float(self.is_on(k)), i))
            yield Variable(f"{name}.psu_ok", "", partial(lambda k: float(self.psu_ok[k]), i))
            yield Variable(f"{name}.input_power", "W", partial(self.input_power, i))
            yield Variable(f"{name}.input_voltage", "V", partial(self.input_voltage, i))
            yield Variable(f"{name}.input_current", "A", partial(self.input_current, i))
            yield Variable(f"{name}.output_voltage", "V", self.bus.voltage)
            yield Variable(f"{name}.output_current", "A", partial(self.output_current, i))
            yield Variable(f"{name}.output_power", "W", partial(self.output_power, i))
            yield Variable(f"{name}.inlet_temperature", "degC", self.ambient)
            yield Variable(f"{name}.outlet_temperature", "degC", partial(self.outlet_temperature, i))
            yield Variable(f"{name}.fan_speed", "RPM", partial(self.fan_speed, i))
        yield Variable("bus.current", "A", self.bus_current)

    def inputs(self) -> Iterator[Input]:
        """What can be commanded."""
        for i in range(self.parameters.shelves):
            yield Input(f"shelf[{i + 1}].force_ac_loss", "", partial(self.set_ac_loss, i))
            yield Input(f"shelf[{i + 1}].voltage_setpoint", "V", partial(self.set_voltage, i), 40.0, 59.5)
