"""The counterflow plate heat exchanger by effectiveness and number of transfer units, with a film on each side."""

from __future__ import annotations

import math

FILM_EXPONENT = -0.8
"""Resistance of a turbulent film goes with the flow to this power (Dittus-Boelter)."""
LEAST_FILM = 0.02
"""Of the reference flow, below which a film gets no thicker: water that stands still conducts and turns over."""


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


def two_sided(conductance: float, hot_share: float, cold_share: float) -> float:
    """Conductance in W/K, `conductance` at the reference flows, of which each side has the share given.

    1/UA = 0.5/UA0 (hot share)^-0.8 + 0.5/UA0 (cold share)^-0.8: each side is half of the resistance.
    """
    hot: float = (hot_share if hot_share > LEAST_FILM else LEAST_FILM) ** FILM_EXPONENT
    cold: float = (cold_share if cold_share > LEAST_FILM else LEAST_FILM) ** FILM_EXPONENT
    return 2.0 * conductance / (hot + cold)
