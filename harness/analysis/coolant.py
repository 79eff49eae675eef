"""Properties of the coolant, propylene glycol 25 %, and the heat that it carries. Pure."""

from __future__ import annotations

import math

WATER = 4.16
"""Volumetric heat capacity of water, kJ/(L K), 20 to 40 degC within 0.3 %."""


def rho_cp(temperature: float) -> float:
    """Volumetric heat capacity of PG25 (25 % propylene glycol by mass), kJ/(L K), 5 to 60 degC.

    Fits to CoolProp INCOMP::MPG[0.25]: density within 0.004 %, heat capacity within 0.01 %.
    """
    density = 1026.58 - 0.3095 * temperature - 0.00268 * temperature**2
    capacity = 3873.1 + 2.384 * temperature
    return density * capacity / 1e6


def coolant_heat(flow: float, supply: float, return_: float) -> float:
    """Heat taken up by PG25, kW, from flow in L/min and temperatures in degC."""
    return rho_cp((supply + return_) / 2) * flow / 60 * (return_ - supply)


def exchanger_effectiveness(flow: float, supply: float, return_: float, facility: float, facility_flow: float) -> float:
    """Eps = Q / (Cmin (T_return - T_facility)), %: heat exchanged over the most that could be.

    Flows in L/min, temperatures in degC; PG25 on one side, water (`facility`: as it comes in) on the other. NaN
    without flow, or where the facility is not the colder one.
    """
    smaller = min(rho_cp((supply + return_) / 2) * flow, WATER * facility_flow) / 60
    span = return_ - facility
    return 100 * coolant_heat(flow, supply, return_) / (smaller * span) if smaller > 0 and span > 0 else math.nan
