"""The rack as a heat source: workload to electrical power, power to cold plates, and what the trays do when hot."""

from __future__ import annotations

import math

from sim.physics.parameters import LITRES_PER_MINUTE, RackParameters

THROTTLE_BAND = 5.0  # K of plate temperature over which the workload is reduced from full to nothing


class Rack:
    """Workload, electrical power (first order) and the cold plates (one lump). Powers are W AC, temperatures degC."""

    def __init__(self, parameters: RackParameters, temperature: float) -> None:
        self.parameters = parameters
        self.workload = 0.0  # commanded, 0..1
        self.capacity = 0.0  # what feeds the bus relative to the half of the shelves that full load needs, 0..2
        self.booting = False
        self.shut = False  # trays were shut down
        self.tripped = False  # trays shut themselves off for over-temperature, until the rack lost all power
        self.extra = 0.0  # W AC drawn from the bus by the electronic load, all of it heat into air
        self.power = 0.0  # W AC without the electronic load
        self.plate = temperature
        self.heat = 0.0  # W into the coolant, mean of the last step
        self.thermal = 1.0  # share of the workload that plate temperature leaves
        self.running = 0.0  # workload that really runs, 0..1
        self._flow_scale = 1.0 / (parameters.design_flow * LITRES_PER_MINUTE)

    @property
    def is_on(self) -> bool:
        """Whether the trays have bus power and are not shut down, by themselves or on command."""
        return self.capacity > 0.0 and not self.tripped and not self.shut

    @property
    def is_throttling(self) -> bool:
        """Whether the trays run less than they were asked to, for heat or for want of shelves."""
        return self.is_on and (self.thermal < 1.0 or (self.capacity < 1.0 and self.workload > 0.0))

    def target(self) -> float:
        """The power in W AC the trays would settle at now."""
        p = self.parameters
        if self.plate > p.trip_temperature:
            self.tripped = True
        if self.capacity <= 0.0 or self.tripped or self.shut:
            self.running = 0.0
            return 0.0
        self.thermal = min(1.0, max(0.0, 1.0 - (self.plate - p.throttle_temperature) / THROTTLE_BAND))
        share = min(1.0, self.capacity)
        load = 0.0 if self.booting else self.workload * self.thermal
        self.running = load * share
        return (p.idle_power + load * (p.maximum_power - p.idle_power)) * share

    def electrical(self, h: float) -> float:
        """Advance the electrical power by h seconds and return its mean over them in W AC."""
        target = self.target()
        gap = self.power - target
        if -0.01 < gap < 0.01:
            self.power = target
            return target
        decay = math.exp(-h / self.parameters.electrical_tau)
        self.power = target + gap * decay
        return target + gap * (1.0 - decay) * self.parameters.electrical_tau / h

    def plates(self, h: float, power: float, fluid: float, flow: float) -> float:
        """Advance the plates by h seconds under `power` W AC and return the mean heat in W that went into the coolant.

        Exact for constant power, fluid temperature [degC] and flow [m3/s], so a step may be longer than the plates'
        time constant of about 1 s. Heat transfer goes with flow^0.6 and keeps a rest at 2 % of the design flow.
        """
        p = self.parameters
        ratio = flow * self._flow_scale
        conductance = p.plate_conductance * (ratio if ratio > 0.02 else 0.02) ** 0.6
        liquid = power * p.liquid_share
        final = fluid + liquid / conductance
        before = self.plate
        self.plate = final + (before - final) * math.exp(-h * conductance / p.plate_capacity)
        self.heat = liquid - p.plate_capacity * (self.plate - before) / h
        return self.heat
