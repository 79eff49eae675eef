"""How much coolant is where: reservoir, static pressure, leaks, the pans that catch them, and what runs dry.

What is known is the mass. What the loop does not hold at its temperature is in the reservoir; when that is empty, the
loop itself drains. A hole gives what its local pressure drives through it, Cd A sqrt(2 p / rho): faults say how much
that is at the pressures of the design point.
"""

from __future__ import annotations

import math

from sim.physics.coolant import pg25_density
from sim.physics.parameters import RackParameters

PAN_THRESHOLD = 10.0  # mL in a pan that bridge its sensor
TRAY_PAN = 300.0  # mL that a tray holds before it runs over into the pan of the rack
SENSOR_LATENCY = 2.0  # s
VACUUM_LIMIT = -60.0  # kPa gauge, the loop draws air before it gets lower
ZONES = ("rack", "cdu")
PRESSURE_SHARE = {"rack": 0.7, "cdu": 1.0}
"""Of the rack's pressure drop, that stands over a hole beside the static pressure."""
COLD = 30.0  # degC of the coolant in the reservoir
PRIME = 0.3  # share of the loop without coolant, from which pumps draw nothing


class Pan:
    """What catches a leak, and the sensor in it, which latches."""

    def __init__(self) -> None:
        self.volume = 0.0  # mL
        self._wet_for = 0.0
        self.is_latched = False

    def fill(self, h: float, volume: float) -> None:
        """Let `volume` mL drip in during h seconds."""
        self.volume += volume
        if self.volume > PAN_THRESHOLD:
            self._wet_for += h
            if self._wet_for >= SENSOR_LATENCY:
                self.is_latched = True

    @property
    def is_undecided(self) -> bool:
        """Whether it is wet and the sensor has not answered yet."""
        return self.volume > PAN_THRESHOLD and not self.is_latched

    def clear(self) -> None:
        """Dry it."""
        self.volume = self._wet_for = 0.0
        self.is_latched = False


class Inventory:
    """Coolant in the loop. Volumes of the reservoir in L, of leaks in mL."""

    def __init__(self, parameters: RackParameters) -> None:
        p = parameters
        self.parameters = p
        self.loop_volume = p.rack_volume + p.return_volume + p.exchanger_volume + p.supply_volume
        self.temperature = COLD  # mean of the loop, degC; the loop keeps it
        self.over_pressure = 0.0  # kPa, a fault
        self.leak_rate = dict.fromkeys(ZONES, 0.0)  # mL/s at the pressures of the design point
        self.tray_rate = [0.0] * sum(group.number for group in p.trays)
        self._tray_leaks = 0.0
        self.pans = {zone: Pan() for zone in ZONES}
        self.tray_pans = [Pan() for _ in self.tray_rate]
        self._undecided = False
        self.leaked = 0.0  # mL since the start, everywhere
        self._cold_density = pg25_density(COLD)
        self._start = p.reservoir_volume * p.initial_level * 0.01
        self.initial_mass = (self._start + self.loop_volume) * self._cold_density * 1e-3  # kg
        self.mass = self.initial_mass
        self.lost_mass = 0.0  # kg leaked or drained
        self.air = 0.0  # share that pumps draw because the level is low
        self.void = 0.0  # share of the loop that is empty
        self._trapped: float | None = None  # kPa in the rack while it is isolated

    @property
    def balance(self) -> float:
        """L that the reservoir holds; negative: that the loop lacks, the reservoir being empty."""
        in_loop = self.loop_volume * pg25_density(self.temperature) * 1e-3
        return (self.mass - in_loop) / (self._cold_density * 1e-3)

    @property
    def reservoir(self) -> float:
        """L in the reservoir. It takes what the loop has no room for when it gets warm."""
        return max(0.0, self.balance)

    def counted(self) -> float:
        """Kg of coolant by what is where: the level that is read, and the loop at its temperature."""
        reservoir = 0.01 * self.level * self.parameters.reservoir_volume * self._cold_density * 1e-3
        missing = min(0.0, self.balance) * self._cold_density * 1e-3
        return reservoir + self.loop_volume * pg25_density(self.temperature) * 1e-3 + missing

    @property
    def level(self) -> float:
        """Reservoir level in %."""
        return 100.0 * self.reservoir / self.parameters.reservoir_volume

    @property
    def head_left(self) -> float:
        """Share of their head that pumps have in a loop that is partly empty."""
        return 0.0 if self.void > PRIME else max(0.0, 1.0 - 2.0 * self.void)

    @property
    def is_losing(self) -> bool:
        """Whether there is a leak to integrate or a wet pan whose sensor has not answered yet."""
        rates = self.leak_rate
        return rates["rack"] > 0.0 or rates["cdu"] > 0.0 or self._tray_leaks > 0.0 or self._undecided

    @property
    def static_pressure(self) -> float:
        """Pressure in kPa gauge at the pumps' inlet; a loop that has run dry has let air in."""
        p, balance = self.parameters, self.balance
        pressure = p.static_pressure + p.expansion_stiffness * (balance - self._start)
        return max(VACUUM_LIMIT if balance >= 0.0 else 0.0, pressure) + self.over_pressure

    def leak_tray(self, index: int, change: float) -> None:
        """Make the hole in a tray larger or smaller, in mL/s at the pressures of the design point."""
        self.tray_rate[index] = max(0.0, self.tray_rate[index] + change)
        self._tray_leaks = sum(self.tray_rate)

    def step(self, h: float, static: float, drop: float, *, is_isolated: bool) -> None:
        """Leak for h seconds at a `static` pressure and a `drop` of the rack in kPa; an isolated rack has its own."""
        p = self.parameters
        density = pg25_density(self.temperature)
        self._trapped = None if not is_isolated else static if self._trapped is None else self._trapped
        for zone in ZONES:
            share = PRESSURE_SHARE[zone]
            pressure = static + share * drop
            if zone == "rack" and self._trapped is not None:
                pressure = self._trapped
            root = 0.0
            if pressure > 0.0:
                root = math.sqrt(pressure / (p.static_pressure + share * p.rack_drop)) * h
            out = self._drip(self.pans[zone], h, self.leak_rate[zone] * root, density)
            if zone == "rack" and (self._tray_leaks or self._undecided):
                for rate, pan in zip(self.tray_rate, self.tray_pans, strict=True):
                    if rate > 0.0 or pan.is_undecided:
                        out += self._drip(pan, h, rate * root, density)
                        over = max(0.0, pan.volume - TRAY_PAN)
                        pan.volume -= over
                        self.pans["rack"].fill(0.0, over)
            if zone == "rack" and self._trapped is not None:
                self._trapped = max(0.0, self._trapped - p.trapped_stiffness * out * 1e-3)
        self._undecided = any(pan.is_undecided for pan in (*self.pans.values(), *self.tray_pans))
        self._look()

    def _drip(self, pan: Pan, h: float, volume: float, density: float) -> float:
        """Let `volume` mL of coolant run into a pan, and return what did."""
        volume = min(volume, max(0.0, self.mass) / (density * 1e-6))
        pan.fill(h, volume)
        self.leaked += volume
        self.mass -= volume * density * 1e-6
        self.lost_mass += volume * density * 1e-6
        return volume

    def set_level(self, percent: float) -> None:
        """Drain (or refill) the reservoir to `percent`."""
        change = (self.balance - self.parameters.reservoir_volume * percent * 0.01) * self._cold_density * 1e-3
        self.mass -= change
        self.lost_mass += change
        self._look()

    def _look(self) -> None:
        """See whether air is drawn in, and whether the loop is full."""
        low = self.parameters.low_level
        self.air = min(1.0, max(0.0, (low - self.level) / low))
        self.void = min(1.0, max(0.0, -self.balance / self.loop_volume))

    def clear(self) -> None:
        """Empty the pans and reset the latched sensors; a leak that still runs fills them again."""
        for pan in (*self.pans.values(), *self.tray_pans):
            pan.clear()
