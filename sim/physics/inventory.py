"""How much coolant is where: reservoir, static pressure, leaks, the pans that catch them, and air drawn in when low."""

from __future__ import annotations

import math

from sim.physics.coolant import PG25_EXPANSION, pg25_density
from sim.physics.parameters import RackParameters

PAN_THRESHOLD = 10.0  # mL in the pan that bridge the sensor
SENSOR_LATENCY = 2.0  # s
VACUUM_LIMIT = -60.0  # kPa gauge, the loop draws air before it gets lower
ZONES = ("rack", "cdu")


class Inventory:
    """Coolant in the loop. Volumes of the reservoir in L, of leaks in mL."""

    def __init__(self, parameters: RackParameters) -> None:
        p = parameters
        self.parameters = p
        self.reservoir = p.reservoir_volume * p.initial_level * 0.01
        self.loop_volume = p.rack_volume + p.return_volume + p.exchanger_volume + p.supply_volume
        self.over_pressure = 0.0  # kPa, a fault
        self.leak_rate = dict.fromkeys(ZONES, 0.0)  # mL/s at the normal static pressure
        self.pan = dict.fromkeys(ZONES, 0.0)
        self._wet_for = dict.fromkeys(ZONES, 0.0)
        self.latched = dict.fromkeys(ZONES, False)
        self.leaked = 0.0  # mL since the start, both zones
        density = pg25_density(p.facility_temperature)
        self.initial_mass = (self.reservoir + self.loop_volume) * density * 1e-3  # kg
        self.mass = self.initial_mass
        self.lost_mass = 0.0  # kg leaked or drained
        self.air = 0.0
        self._start = self.reservoir

    @property
    def level(self) -> float:
        """Reservoir level in %."""
        return 100.0 * self.reservoir / self.parameters.reservoir_volume

    @property
    def is_losing(self) -> bool:
        """Whether there is a leak to integrate or a wet pan whose sensor has not answered yet."""
        if self.leak_rate["rack"] > 0.0 or self.leak_rate["cdu"] > 0.0:
            return True
        return any(self.pan[zone] > PAN_THRESHOLD and not self.latched[zone] for zone in ZONES)

    def static_pressure(self, temperature: float) -> float:
        """Pressure in kPa gauge at the pumps' inlet for a mean loop temperature in degC."""
        p = self.parameters
        expansion = self.loop_volume * PG25_EXPANSION * (temperature - 30.0)
        pressure = p.static_pressure + p.expansion_stiffness * (self.reservoir - self._start + expansion)
        return max(VACUUM_LIMIT, pressure) + self.over_pressure

    def step(self, h: float, pressure: float, density: float, *, rack_isolated: bool) -> None:
        """Leak for h seconds at `pressure` kPa gauge; the hole's flow goes with the root of the pressure."""
        for zone in ZONES:
            rate = self.leak_rate[zone]
            if rate > 0.0 and pressure > 0.0 and not (rack_isolated and zone == "rack"):
                volume = rate * math.sqrt(pressure / self.parameters.static_pressure) * h  # mL
                volume = min(volume, self.reservoir * 1e3)
                self.pan[zone] += volume
                self.leaked += volume
                self.remove(volume * 1e-3, density)
            if self.pan[zone] > PAN_THRESHOLD:
                self._wet_for[zone] += h
                if self._wet_for[zone] >= SENSOR_LATENCY:
                    self.latched[zone] = True

    def remove(self, volume: float, density: float) -> None:
        """Take `volume` L of coolant of `density` kg/m3 out of the reservoir."""
        self.reservoir -= volume
        self.mass -= volume * density * 1e-3
        self.lost_mass += volume * density * 1e-3
        self._draw_air()

    def set_level(self, percent: float, density: float) -> None:
        """Drain (or refill) the reservoir to `percent`."""
        self.remove(self.reservoir - self.parameters.reservoir_volume * percent * 0.01, density)

    def _draw_air(self) -> None:
        low = self.parameters.low_level
        self.air = min(1.0, max(0.0, (low - self.level) / low))

    def clear(self) -> None:
        """Empty the pans and reset the latched sensors; a leak that still runs fills them again."""
        for zone in ZONES:
            self.pan[zone] = self._wet_for[zone] = 0.0
            self.latched[zone] = False
