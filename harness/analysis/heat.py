"""The heat that the coolant carries, against the power that goes in, and how well that is known. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.analysis.coolant import coolant_heat


@dataclass(frozen=True, slots=True)
class Known:
    """A value and its standard uncertainty."""

    value: float
    u: float


@dataclass(frozen=True, slots=True)
class Balance:
    """Share of the power found in the coolant, %, and its standard uncertainty in points; heat in kW, rise in K."""

    share: float
    u: float
    heat: float
    rise: float


def heat_balance(flow: Known, supply: float, return_: float, rise_u: float, power: Known) -> Balance:
    """Q = rho(T) cp(T) V (T_return - T_supply) against P, at the mean temperature (propylene glycol 25 %).

    u(Q/P) / (Q/P) = sqrt((uV/V)^2 + (u(dT)/dT)^2 + (uP/P)^2). `rise_u` is of the difference: what both thermometers
    share is not in it, and need not be, for through rho cp 0.1 K of both is 0.001 %. Flow meter and power meter enter
    once each, so nothing else is correlated. Flow in L/min, temperatures in degC, power in kW. ValueError without
    power or rise.
    """
    rise = return_ - supply
    if power.value <= 0 or flow.value <= 0 or rise <= 0:
        raise ValueError("without power, flow and rise there is no balance")
    heat = coolant_heat(flow.value, supply, return_)
    share = 100 * heat / power.value
    relative = math.sqrt((flow.u / flow.value) ** 2 + (rise_u / rise) ** 2 + (power.u / power.value) ** 2)
    return Balance(share, share * relative, heat, rise)
