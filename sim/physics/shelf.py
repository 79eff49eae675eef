"""Power shelves: rectifiers that feed one common bus, share its current, droop, and take over for failed ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial

from sim.physics.parameters import RackParameters
from sim.physics.pdu import Pdu
from sim.physics.rack import Rack
from sim.physics.variables import Input, Schedule, Variable, interpolate

START_DELAY = (0.5, 2.0)  # s from AC to output
EFFICIENCY = ((0.0, 0.90), (0.05, 0.93), (0.10, 0.955), (0.20, 0.968), (0.50, 0.975), (1.0, 0.966))
FAN_IDLE, FAN_FULL = 3000.0, 15000.0  # RPM
AIR_RISE = 14.0  # K through a shelf at full load


class Shelves:
    """All shelves and the bus. Shelf i hangs on outlet i; counted from 0 here and from 1 in names."""

    def __init__(
        self, parameters: RackParameters, seed: int, pdu: Pdu, rack: Rack, schedule: Schedule, now: Callable[[], float]
    ) -> None:
        n = parameters.outlets
        self.parameters = parameters
        self._pdu = pdu
        self._rack = rack
        self._schedule = schedule
        self._now = now
        self._random = random.Random(f"{seed}/shelf")
        self.on = [False] * n
        self.psu_ok = [parameters.psus] * n
        self.ac_loss = [False] * n
        self.setpoint = [parameters.bus_voltage] * n
        self.ambient: Callable[[], float] = lambda: parameters.ambient_temperature
        self._starting = [0] * n  # order of the start that is under way, 0 for none
        self._order = 0
        self._full = parameters.maximum_power / (n / 2)
        self.peak = 0.0  # largest share of one outlet

    def refresh(self) -> None:
        """Follow the AC side: start shelves that got power, drop those that lost it, share the load anew."""
        for i in range(len(self.on)):
            if not (self._pdu.is_energised(i) and not self.ac_loss[i] and self.psu_ok[i] > 0):
                self.on[i] = False
                self._starting[i] = 0
            elif not self.on[i] and not self._starting[i]:
                self._order += 1
                self._starting[i] = self._order
                at = self._now() + self._random.uniform(*START_DELAY)
                self._schedule(at, partial(self._start, i, self._order))
        self._balance()

    def _start(self, index: int, order: int) -> None:
        if self._starting[index] == order:
            self._starting[index] = 0
            self.on[index] = True
            self._balance()

    def _balance(self) -> None:
        weights = [ok / self.parameters.psus if on else 0.0 for on, ok in zip(self.on, self.psu_ok, strict=True)]
        total = sum(weights)
        share = [weight / total for weight in weights] if total > 0.0 else [0.0] * len(weights)
        self._pdu.redistribute(share)
        self.peak = max(share)
        self._rack.capacity = total / (len(weights) / 2)
        if total == 0.0:
            self._rack.tripped = False  # without bus power the trays forget that they tripped

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

    def loading(self, index: int) -> float:
        """Load of a shelf relative to its rating, 0..1."""
        good = self.psu_ok[index] / self.parameters.psus
        return self._pdu.power(index) / (self._full * good) if good > 0.0 else 0.0

    def efficiency(self, index: int) -> float:
        """DC out over AC in, by load."""
        return interpolate(EFFICIENCY, self.loading(index))

    def bus_voltage(self) -> float:
        """V on the bus: the mean setpoint of the shelves that are on, less droop; 0 when none is."""
        share = self._pdu.share
        setpoint = sum(volt * part for volt, part in zip(self.setpoint, share, strict=True))
        if setpoint == 0.0:
            return 0.0
        best = max(self.loading(i) for i in range(len(share)))
        return setpoint - self.parameters.bus_droop * best

    def output_voltage(self, index: int) -> float:
        """V at the output of a shelf, 0 when it is off."""
        return self.bus_voltage() if self.on[index] else 0.0

    def output_power(self, index: int) -> float:
        """W DC of a shelf."""
        return self._pdu.power(index) * self.efficiency(index)

    def output_current(self, index: int) -> float:
        """A DC of a shelf."""
        voltage = self.output_voltage(index)
        return self.output_power(index) / voltage if voltage > 0.0 else 0.0

    def bus_current(self) -> float:
        """A DC on the bus."""
        return sum(self.output_current(i) for i in range(len(self.on)))

    def input_voltage(self, index: int) -> float:
        """V AC at the input of a shelf."""
        return 0.0 if self.ac_loss[index] else self._pdu.voltage(index)

    def input_current(self, index: int) -> float:
        """A AC into a shelf."""
        return 0.0 if self.ac_loss[index] else self._pdu.current(index)

    def outlet_temperature(self, index: int) -> float:
        """Air leaving a shelf, degC."""
        return self.ambient() + AIR_RISE * self.loading(index)

    def fan_speed(self, index: int) -> float:
        """RPM of the fans of a shelf."""
        return FAN_IDLE + (FAN_FULL - FAN_IDLE) * self.loading(index) if self.on[index] else 0.0

    def variables(self) -> Iterator[Variable]:
        """What the shelves and the bus measure."""
        for i in range(len(self.on)):
            name = f"shelf[{i + 1}]"
            yield Variable(f"{name}.on", "", partial(lambda k: float(self.on[k]), i))
            yield Variable(f"{name}.psu_ok", "", partial(lambda k: float(self.psu_ok[k]), i))
            yield Variable(f"{name}.input_power", "W", partial(self._pdu.power, i))
            yield Variable(f"{name}.input_voltage", "V", partial(self.input_voltage, i))
            yield Variable(f"{name}.input_current", "A", partial(self.input_current, i))
            yield Variable(f"{name}.output_voltage", "V", partial(self.output_voltage, i))
            yield Variable(f"{name}.output_current", "A", partial(self.output_current, i))
            yield Variable(f"{name}.output_power", "W", partial(self.output_power, i))
            yield Variable(f"{name}.inlet_temperature", "degC", self.ambient)
            yield Variable(f"{name}.outlet_temperature", "degC", partial(self.outlet_temperature, i))
            yield Variable(f"{name}.fan_speed", "RPM", partial(self.fan_speed, i))
        yield Variable("bus.voltage", "V", self.bus_voltage)
        yield Variable("bus.current", "A", self.bus_current)

    def inputs(self) -> Iterator[Input]:
        """What can be commanded."""
        for i in range(len(self.on)):
            yield Input(f"shelf[{i + 1}].force_ac_loss", "", partial(self.set_ac_loss, i))
            yield Input(f"shelf[{i + 1}].voltage_setpoint", "V", partial(self.set_voltage, i), 40.0, 59.5)
