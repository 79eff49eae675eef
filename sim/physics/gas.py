"""The rack filled with dry gas for its leak test: ideal gas that warms as it is filled in, and cools down to the room.

```
 supply --[regulator, fill]-- line --[isolate]-- rack (V, n, T)        p = n R T / V
                               |                                       dT/dt = -(T - T_room) / tau
                             [vent]                                    dn/dt = -leak
                               |
                             room
```

What is between the three valves is the line: closed off and vented, it tells by its own pressure of a valve that leaks
by. The gas cools to the room with a time constant of minutes, so that a tight rack loses pressure for half an hour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

from sim.physics.noise import gauss, stream, uniform
from sim.physics.variables import Input, Variable

R = 8.314462618
"""J/(mol K)."""
KELVIN = 273.15
SCCM = 101325.0 * 1e-6 / 60.0 / (R * KELVIN)
"""mol/s of one standard cubic centimetre a minute: of 0 degC and 101.325 kPa."""
VOLUME, VOLUME_SPREAD = 60.0, 0.015
"""L of a rack without coolant, and by how much racks differ (standard deviation, relative)."""
LINE_VOLUME = 0.5
TEST_PRESSURE = 500.0
"""kPa absolute at which leaks have the size that they are called by."""
TAU, RISE = (5.0, 15.0), (5.0, 15.0)
"""Between these each rack has its time constant [min], and its rise by fast filling to the test pressure [K]."""
MISTRACK = 0.02
"""Standard deviation of the share by which a thermometer follows the mean temperature of the gas too much or little."""
FILL_RATE = 8.0
"""kPa/s at most that the regulator fills the rack with, of the rack at room temperature."""
REGULATOR_TAU, VENT_TAU, LINE_TAU = 4.0, 20.0, 0.5
FINE = 0.05
"""s between two steps while gas flows."""
ROOM_PRESSURE, ROOM_SWING = 101.3, 0.3
"""kPa of the room, and how far the weather takes it up and down in half a day."""
DRY_DEW_POINT = -40.0
HALF_DAY = 43200.0


class Gas:
    """The gas in rack and line, the valves of the panel, and what its thermometers are in."""

    def __init__(self, seed: int, spread: float, room: Callable[[], float], now: Callable[[], float]) -> None:
        """`room` gives the temperature of the room, degC; `now` plant time, s."""

        def between(name: str, low: float, high: float) -> float:
            middle = 0.5 * (low + high)
            return middle + spread * (low + (high - low) * uniform(stream(seed, f"gas.{name}"), 0) - middle)

        def drawn(name: str) -> float:
            return spread * gauss(stream(seed, f"gas.{name}"), 0)

        self.tau = 60.0 * between("tau", *TAU)
        self.rise = between("rise", *RISE)
        self.volume = VOLUME * (1.0 + VOLUME_SPREAD * drawn("volume"))
        self.tracking = [1.0 + MISTRACK * drawn(f"tracking[{k}]") for k in (1, 2)]
        self._room, self._now = room, now
        self._phase = between("weather", 0.0, 2.0 * math.pi)
        self.excess = 0.0  # K of the gas over the room
        self.setpoint = ROOM_PRESSURE
        self.fill_open, self.isolated, self.vent_open = False, False, True
        self.leak, self.fill_passes, self.isolate_passes = 0.0, 0.0, 0.0  # sccm at the test pressure
        self.is_moving = False
        """Whether anything was ever done with the gas: before it nothing has to be computed."""
        self.moist = 0.0  # mL of liquid left in the rack
        self.amount = self._at(self.room_pressure, self.volume)
        self.line = self._at(self.room_pressure, LINE_VOLUME)

    # ---- states

    @property
    def room_pressure(self) -> float:
        """KPa."""
        return ROOM_PRESSURE + ROOM_SWING * math.sin(self._phase + 2.0 * math.pi * self._now() / HALF_DAY)

    @property
    def temperature(self) -> float:
        """Mean of the gas in the rack, degC."""
        return self._room() + self.excess

    @property
    def pressure(self) -> float:
        """Of the rack, kPa absolute."""
        return self.amount * R * (self.temperature + KELVIN) / self.volume

    @property
    def line_pressure(self) -> float:
        """Of what is between the valves, kPa absolute."""
        return self.line * R * (self._room() + KELVIN) / LINE_VOLUME if self.isolated else self.pressure

    def _at(self, pressure: float, volume: float) -> float:
        """Mol in a volume [L] at a pressure [kPa] and room temperature."""
        return pressure * volume / (R * (self._room() + KELVIN))

    def lost(self) -> float:
        """Sccm that leave the rack through its leak now: viscous, so it goes with the difference of the squares."""
        at_test = TEST_PRESSURE**2 - ROOM_PRESSURE**2
        return self.leak * (self.pressure**2 - self.room_pressure**2) / at_test

    def exhaust_dew_point(self) -> float:
        """Of what leaves the rack, degC: that of the dry gas once nothing is wet any more."""
        wet = self.temperature - 1.0
        return (
            DRY_DEW_POINT if self.moist <= 0.0 else DRY_DEW_POINT + (wet - DRY_DEW_POINT) * min(1.0, self.moist / 2.0)
        )

    # ---- time

    def step(self, h: float) -> None:
        """Let h s pass."""
        while h > 1e-9:
            dt = min(h, FINE) if self.fill_open or self.vent_open else h
            self._part(dt)
            h -= dt

    def _part(self, h: float) -> None:
        self.excess *= math.exp(-h / self.tau)
        self.amount -= self.lost() * SCCM * h
        passing = TEST_PRESSURE - ROOM_PRESSURE
        if self.isolated:
            between = (self.pressure - self.line_pressure) / passing * self.isolate_passes * SCCM * h
            self.amount -= between
            self.line += between
        if self.fill_open:
            self._flow(self.setpoint, REGULATOR_TAU, h, is_in=True)
        elif self.fill_passes:
            into = max(0.0, self.setpoint - self.line_pressure) / passing * self.fill_passes * SCCM * h
            if self.isolated:
                self.line += into
            else:
                self.amount += into
        if self.vent_open:
            self._flow(self.room_pressure, VENT_TAU, h, is_in=False)

    def _flow(self, goal: float, tau: float, h: float, *, is_in: bool) -> None:
        """Gas in from the regulator, or out to the room, towards a pressure; a regulator lets nothing back."""
        if self.isolated:
            away = goal - self.line_pressure
            if away > 0.0 or not is_in:
                self.line += self._at(away, LINE_VOLUME) * (1.0 - math.exp(-h / LINE_TAU))
            return
        away = goal - self.pressure
        if is_in and away <= 0.0:
            return
        moved = away * (1.0 - math.exp(-h / tau))
        moved = max(-FILL_RATE * h, min(FILL_RATE * h, moved))
        self.amount += self._at(moved, self.volume)
        self.excess += self.rise * moved / (TEST_PRESSURE - ROOM_PRESSURE)
        if not is_in or self.vent_open:
            self.moist = max(0.0, self.moist - 0.05 * h)

    # ---- commands and faults

    def isolate(self, value: float) -> None:
        """Close the valve to the rack (1), or open it: line and rack are one then."""
        wanted = value >= 0.5
        if wanted and not self.isolated:
            self.line = self._at(self.pressure, LINE_VOLUME)
        elif self.isolated and not wanted:
            self.amount += self.line - self._at(self.pressure, LINE_VOLUME)
        self.isolated = wanted

    def lose(self, pressure: float) -> None:
        """Let go of some gas at once, kPa of it."""
        self.is_moving = True
        self.amount -= self._at(max(0.0, min(pressure, self.pressure - self.room_pressure)), self.volume)

    def variables(self) -> Iterator[Variable]:
        """What is true of the gas, and what the places of the panel's sensors have."""
        yield Variable("gas.pressure", "kPa", lambda: self.pressure)
        yield Variable("gas.pressure_check", "kPa", lambda: self.pressure)
        yield Variable("gas.line_pressure", "kPa", lambda: self.line_pressure)
        yield Variable("gas.room_pressure", "kPa", lambda: self.room_pressure)
        yield Variable("gas.room_temperature", "degC", self._room)
        yield Variable("gas.mean_temperature", "degC", lambda: self.temperature)
        for k in (1, 2):
            yield Variable(f"gas.temperature[{k}]", "degC", partial(self._thermometer, k - 1))
        yield Variable("gas.dew_point", "degC", self.exhaust_dew_point)
        yield Variable("gas.amount", "", lambda: self.amount)
        yield Variable("gas.lost", "", self.lost)
        yield Variable("gas.volume", "L", lambda: self.volume)
        yield Variable("gas.fill", "", lambda: float(self.fill_open))
        yield Variable("gas.isolate", "", lambda: float(self.isolated))
        yield Variable("gas.vent", "", lambda: float(self.vent_open))

    def _thermometer(self, index: int) -> float:
        return self._room() + self.tracking[index] * self.excess

    def inputs(self) -> Iterator[Input]:
        """What the panel takes."""

        def assign(name: str, value: object) -> None:
            self.is_moving = True
            setattr(self, name, value)

        def isolate(value: float) -> None:
            self.is_moving = True
            self.isolate(value)

        yield Input("gas.setpoint", "kPa", partial(assign, "setpoint"), 100.0, 800.0)
        yield Input("gas.fill", "", lambda value: assign("fill_open", value >= 0.5))
        yield Input("gas.isolate", "", isolate)
        yield Input("gas.vent", "", lambda value: assign("vent_open", value >= 0.5))
