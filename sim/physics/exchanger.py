"""The counterflow plate heat exchanger by effectiveness and number of transfer units."""

from __future__ import annotations

import math


def effectiveness(ntu: float, ratio: float) -> float:
    """Effectiveness of a counterflow exchanger; ratio is Cmin/Cmax in 0..1."""
    if ratio > 0.999999:
        return ntu / (1.0 + ntu)
    decay = math.exp(-ntu * (1.0 - ratio))
    return (1.0 - decay) / (1.0 - ratio * decay)


def duty(conductance: float, hot_rate: float, cold_rate: float, difference: float) -> float:
    """Heat in W from hot to cold; rates are capacity rates in W/K, difference is between the two inlets in K."""
    if hot_rate <= 0.0 or cold_rate <= 0.0:
        return 0.0
    least, most = (hot_rate, cold_rate) if hot_rate < cold_rate else (cold_rate, hot_rate)
    return effectiveness(conductance / least, least / most) * least * difference
