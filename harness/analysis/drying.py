"""What a dew point says of the water that is left in a closed volume of gas. Pure."""

from __future__ import annotations

import math

VAPOUR = 461.5
"""J/(kg K), gas constant of water vapour."""
KELVIN = 273.15


def vapour_pressure(dew_point: float) -> float:
    """KPa of water vapour at a dew point [degC]: Magnus over water, within 0.5 % from -40 to 50 degC."""
    return 0.61094 * math.exp(17.625 * dew_point / (243.04 + dew_point))


def vapour_mass(dew_point: float, temperature: float, volume: float) -> float:
    """G of water that gas of a dew point and a temperature [degC] holds in a volume [L].

    m = e V / (R_v T). Liquid that has not evaporated is not in it: the dew point must have stayed for a while.
    """
    return vapour_pressure(dew_point) * volume / (VAPOUR * (temperature + KELVIN)) * 1e3
