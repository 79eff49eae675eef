"""Sensors that follow the truth slowly: resistance thermometers, the flow meter, and the meters of the PDUs."""

from __future__ import annotations

import math
from collections.abc import Callable

from sim.physics.loop import Loop
from sim.physics.variables import Variable

RTD_TAU, FLOW_TAU, METER_TAU = 5.0, 1.0, 1.0  # s
_PLACES = {"loop.supply_temperature": 0, "loop.return_temperature": 1, "facility.return_temperature": 2}


class SlowSensors:
    """First-order lags behind the loop and behind the power (W, `total` gives the true one)."""

    def __init__(self, loop: Loop, total: Callable[[], float]) -> None:
        self._loop = loop
        self._total = total
        self._meter = 0.0  # W
        self._h, self._keep = 0.0, (1.0, 1.0, 1.0)
        self._lags = [loop.supply, loop.back, loop.facility_return, loop.flow]

    def follow(self, h: float, power: float) -> None:
        """Let h s pass with the present loop and a mean `power` W."""
        lags, loop = self._lags, self._loop
        if h != self._h:
            self._h = h
            self._keep = math.exp(-h / RTD_TAU), math.exp(-h / FLOW_TAU), math.exp(-h / METER_TAU)
        keep, keep_flow, keep_meter = self._keep
        lags[0] = loop.supply + (lags[0] - loop.supply) * keep
        lags[1] = loop.back + (lags[1] - loop.back) * keep
        water = loop.facility_return
        lags[2] = water + (lags[2] - water) * keep
        lags[3] = loop.flow + (lags[3] - loop.flow) * keep_flow
        self._meter = power + (self._meter - power) * keep_meter

    def of(self, variable: Variable) -> Callable[[], float]:
        """How a variable reads behind its sensor; the variable itself when that is fast."""
        name, read, lags = variable.name, variable.read, self._lags
        place = _PLACES.get(name)
        if place is not None:
            return lambda: lags[place]
        if name == "loop.flow":
            return lambda: read() * lags[3] / self._loop.flow if self._loop.flow > 0.0 else lags[3] * 60000.0
        return read

    def power(self, variable: Variable) -> Callable[[], float]:
        """How a power reads behind the meter of a PDU: its share of what the meter shows."""
        read = variable.read

        def metered() -> float:
            power = self._total()
            return read() * self._meter / power if power > 1.0 else read()

        return metered
