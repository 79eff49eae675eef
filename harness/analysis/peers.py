"""One of many that should be alike: branches of a manifold, trays of a rack. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from harness.analysis.coolant import rho_cp

LEAST_PEERS = 3


@dataclass(frozen=True, slots=True)
class Peer:
    """One of many: its value, and by how much it is away from the middle of all, %, with the uncertainty of that."""

    value: float
    away: float
    u: float = 0.0


def branch_flow(power: float, inlet: float, outlet: float, share: float = 1.0) -> float:
    """Flow of a branch that has no meter, L/min: V = phi P / (rho cp dT), P in kW, temperatures in degC.

    `share` (phi) is the part of the power that the coolant takes. NaN without power or rise.
    """
    rise = outlet - inlet
    if power <= 0 or rise <= 0:
        return math.nan
    return 60 * share * power / (rho_cp((inlet + outlet) / 2) * rise)


def thermal_resistance(junction: float, coolant: float, power: float) -> float:
    """R = (T_junction - T_coolant) / P, K/kW from degC and kW. NaN without power."""
    return (junction - coolant) / power if power > 0 else math.nan


def from_mean(values: Mapping[str, float]) -> dict[str, Peer]:
    """How far each is from the mean of all, %. ValueError: fewer than three, no number, or a mean of zero."""
    _refuse(values)
    mean = math.fsum(values.values()) / len(values)
    if mean == 0.0:
        raise ValueError("the mean of all is zero")
    return {name: Peer(value, 100 * (value / mean - 1)) for name, value in values.items()}


def from_median(windows: Mapping[str, Sequence[float]], own_u: Mapping[str, float] | None = None) -> dict[str, Peer]:
    """How far the mean of each one's windows is from the median of all, %, with its standard uncertainty.

    The median is not moved by the one that is looked for. Several windows, apart in time, tell noise and slow
    wander from what stays: the scatter of each about its own mean is pooled over all (they are alike), so that a few
    windows do. What moves all alike (coolant, load) cancels. What no scatter shows is `own_u`: the relative standard
    uncertainty of each by the instruments that it has for itself. u^2 = scatter^2 / windows + own^2 of the one, and
    pi / 2 / n of the mean of that of the median.
    """
    means = {name: math.fsum(each) / len(each) if each else math.nan for name, each in windows.items()}
    _refuse(means)
    middle = median(means.values())
    if middle == 0.0:
        raise ValueError("the median of all is zero")
    rest = [v - means[name] for name, each in windows.items() for v in each]
    free = sum(len(each) - 1 for each in windows.values())
    scatter = math.sqrt(math.fsum(v * v for v in rest) / free) if free > 0 else 0.0
    own = {name: (own_u or {}).get(name, 0.0) for name in windows}
    u = {n: math.hypot(scatter / math.sqrt(len(each)), own[n] * means[n]) for n, each in windows.items()}
    of_median = math.pi / 2 / len(u) * math.fsum(each * each for each in u.values()) / len(u)
    return {
        name: Peer(
            means[name], 100 * (means[name] / middle - 1), abs(100 * math.sqrt(u[name] ** 2 + of_median) / middle)
        )
        for name in windows
    }


def _refuse(values: Mapping[str, float]) -> None:
    if len(values) < LEAST_PEERS:
        raise ValueError(f"{LEAST_PEERS} are needed to say which is another, there are {len(values)}")
    if bad := [name for name, value in values.items() if not math.isfinite(value)]:
        raise ValueError(f"{bad[0]} has no value")
