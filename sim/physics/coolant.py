"""Properties of the two liquids: PG25 (25 % propylene glycol by mass) in the rack loop, water on the facility side.

The PG25 fits are to CoolProp 8.0 `INCOMP::MPG[0.25]` between 20 and 60 degC (errors below 0.4 %). Temperatures in degC.
"""

from __future__ import annotations

import math

WATER_DENSITY = 997.0  # kg/m3 at 25 degC
WATER_HEAT = 4180.0  # J/(kg K)
WATER_VOLUME_HEAT = WATER_DENSITY * WATER_HEAT  # J/(m3 K)
_REFERENCE_TEMPERATURE = 35.0


def pg25_density(temperature: float) -> float:
    """Density in kg/m3."""
    return 1026.58 - 0.3095 * temperature - 0.00268 * temperature * temperature


def pg25_heat(temperature: float) -> float:
    """Specific heat capacity in J/(kg K)."""
    return 3873.1 + 2.384 * temperature


def pg25_viscosity(temperature: float) -> float:
    """Dynamic viscosity in mPa s."""
    return math.exp(1.6387 - 0.04138 * temperature + 1.993e-4 * temperature * temperature)


_LOG_VISCOSITY_35 = math.log(pg25_viscosity(_REFERENCE_TEMPERATURE))


def pg25_resistance_factor(temperature: float) -> float:
    """Factor on a hydraulic resistance given at 35 degC: (mu/mu35)^0.25, the laminar share of a turbulent loop."""
    log_ratio = 1.6387 - 0.04138 * temperature + 1.993e-4 * temperature * temperature - _LOG_VISCOSITY_35
    return math.exp(0.25 * log_ratio)
