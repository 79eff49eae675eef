"""How sources with droop share the load of one bus."""

from __future__ import annotations

import math
from collections.abc import Sequence


def share(setpoints: Sequence[float], conductances: Sequence[float], power: float) -> tuple[float, list[float]]:
    """V of the bus and A of each source under a load of constant power [W].

    Source i gives I_i = (setpoint_i - V) * conductance_i, never backwards; the currents add up to power / V. With G and
    A the sums of conductances and of setpoint times conductance, G V^2 - A V + power = 0. More power than there is
    (A^2 < 4 G power) gives the voltage at which there is most.
    """
    using = [i for i, each in enumerate(conductances) if each > 0.0]
    voltage = 0.0
    while using:
        total = math.fsum(conductances[i] for i in using)
        driven = math.fsum(setpoints[i] * conductances[i] for i in using)
        voltage = (driven + math.sqrt(max(0.0, driven * driven - 4.0 * total * power))) / (2.0 * total)
        pushing = [i for i in using if setpoints[i] > voltage]
        if len(pushing) == len(using) or not pushing:
            break
        using = pushing
    currents = [0.0] * len(conductances)
    for i in using:
        currents[i] = max(0.0, setpoints[i] - voltage) * conductances[i]
    return voltage, currents
