"""The pressure drop of a filter, brought to one flow. Pure."""

from __future__ import annotations

import math

from harness.analysis.heat import Known


def at_flow(drop: Known, flow: Known, reference: float) -> Known:
    """DP (V0 / V)^2: a filter's pressure drop goes with the square of the flow (turbulent, C12 of cooling practice).

    u^2 = (u(dP) (V0/V)^2)^2 + (2 dP' uV/V)^2. ValueError without flow.
    """
    if flow.value <= 0:
        raise ValueError("without flow a filter has no pressure drop")
    factor = (reference / flow.value) ** 2
    value = drop.value * factor
    return Known(value, math.hypot(drop.u * factor, 2 * value * flow.u / flow.value))


def change(before: Known, after: Known) -> Known:
    """By how much it has changed, % of what it was. ValueError where nothing was.

    What is uncertain of the sensors alike at both times (their class) must not be in `u`: scatter and drift only.
    """
    if before.value <= 0:
        raise ValueError("the filter had no pressure drop before")
    u = math.hypot(after.u, after.value * before.u / before.value) / before.value
    return Known(100 * (after.value / before.value - 1), 100 * u)
