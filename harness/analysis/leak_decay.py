"""The leak rate of a closed volume from its pressure and temperature over time, with its uncertainty. Pure.

```
n(t) = p(t) V / (R T(t))             amount, temperature compensated (the n-equation of 40 CFR 1065.644)
q    = - slope of n over t           straight line by least squares; sccm: of 0 degC and 101.325 kPa
```

Expanded uncertainty (k = 2), the root of the sum of squares of

* noise: of the slope from the residuals, times sqrt((1 + r) / (1 - r)) for residuals whose lag-1 correlation is r > 0;
* tracking: thermometers follow the mean temperature of the gas but for a share s, so dT/dt of the gas is known to
  s |dT/dt|, which is n s |dT/dt| / T in q. It falls with the transient: that is what stabilisation is for;
* walk: what pressure and temperature sensors may walk in the time t of the test, n sqrt((dp/p)^2 + (dT/T)^2) / t;
* volume: its share of q. Offsets of the sensors drop out of a slope to first order.

A leak is no step: what is lost at once (a coupling that lets go) is found as a step and makes no leak rate. A leak that
begins or ends within the test is no straight line: where the slope bends by more than noise, sensors and thermometers
explain, each side has a rate and an uncertainty of its own, and the greater rate is the one that is judged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from harness.analysis.straight import Series, largest_bend, largest_jump, line

R = 8.314462618
"""J/(mol K), CODATA 2018."""
KELVIN = 273.15
SCCM = 101325.0 * 1e-6 / 60.0 / (R * KELVIN)
"""mol/s of one standard cubic centimetre a minute."""
LEAST_SAMPLES = 20
WALKS = 2.0
"""A jump or a bend counts from so many times what the sensors may walk: smaller ones are in the uncertainty."""
ROOM_K = 293.15


@dataclass(frozen=True, slots=True)
class Instruments:
    """What is known of volume and sensors; all uncertainties are expanded ones (k = 2)."""

    volume: float
    """L."""
    volume_share: float
    tracking_share: float
    """Share of a change of the gas temperature that the thermometers may miss."""
    pressure_walk: float
    """kPa during the test."""
    temperature_walk: float
    """K during the test."""


@dataclass(frozen=True, slots=True)
class Decay:
    """What a decay says. Rates are sccm, positive for gas that is lost."""

    rate: float
    noise: float
    tracking: float
    walk: float
    volume: float
    pressure: float
    """Mean, kPa."""
    temperature_slope: float
    """K/s."""
    step: float
    """kPa at the largest step, negative for a fall; 0 when there is none."""
    step_at: float
    """s since the begin."""
    bent_at: float = math.nan
    """s since the begin at which the rate changed; NaN: it did not. The rate is that of the side that loses more."""
    other: Decay | None = None
    """The other side of it."""

    @property
    def expanded(self) -> float:
        """Expanded uncertainty (k = 2) of the rate, sccm."""
        return math.sqrt(self.noise**2 + self.tracking**2 + self.walk**2 + self.volume**2)


def evaluate(times: ArrayLike, pressures: ArrayLike, celsius: ArrayLike, by: Instruments) -> Decay:
    """The leak rate from series of one length: s, kPa absolute, degC (mean of the thermometers).

    ValueError: too few samples, all at one time, or what no gas can be.
    """
    t, p, kelvin = np.asarray(times, float), np.asarray(pressures, float), np.asarray(celsius, float) + KELVIN
    if not len(t) == len(p) == len(kelvin) or len(t) < LEAST_SAMPLES:
        raise ValueError(f"{LEAST_SAMPLES} samples of pressure and temperature are needed, there are {len(t)}")
    if not (np.isfinite(t).all() and np.isfinite(p).all() and np.isfinite(kelvin).all()):
        raise ValueError("a sample is no number")
    if (p <= 0.0).any() or (kelvin <= 0.0).any():
        raise ValueError("pressures must be absolute, and above 0")
    lasts = float(t[-1] - t[0])
    if lasts <= 0.0:
        raise ValueError("all samples are of one time")
    amount = p * by.volume / (R * kelvin)
    found = _straight(t, p, kelvin, amount, by)
    mean_p, mean_t = found.pressure, float(kelvin.mean())
    per_mole = R * mean_t / by.volume
    jump, index = largest_jump(amount)
    if jump != 0.0 and abs(jump * per_mole) > WALKS * _walk_kpa(by, mean_p, mean_t):
        return replace(found, step=jump * per_mole, step_at=float(t[index] - t[0]))
    departs, index = largest_bend(t, amount)
    missed = mean_p * by.tracking_share * float(np.ptp(kelvin)) / mean_t
    if abs(departs * per_mole) > WALKS * math.hypot(_walk_kpa(by, mean_p, mean_t), missed):
        sides = [_straight(t[part], p[part], kelvin[part], amount[part], by) for part in (np.s_[:index], np.s_[index:])]
        less, more = sorted(sides, key=lambda side: side.rate)
        return replace(more, bent_at=float(t[index] - t[0]), other=less)
    return found


def _straight(t: Series, p: Series, kelvin: Series, amount: Series, by: Instruments) -> Decay:
    """What one straight line says."""
    slope, slope_u = line(t, amount)
    warms, _ = line(t, kelvin)
    mean_p, mean_t, mean_n = float(p.mean()), float(kelvin.mean()), float(amount.mean())
    rate = -slope / SCCM
    return Decay(
        rate=rate,
        noise=2.0 * slope_u / SCCM,
        tracking=mean_n * by.tracking_share * abs(warms) / mean_t / SCCM,
        walk=_walk(by, mean_p, mean_t, float(t[-1] - t[0])),
        volume=by.volume_share * abs(rate),
        pressure=mean_p,
        temperature_slope=warms,
        step=0.0,
        step_at=math.nan,
    )


def stated(by: Instruments, pressure: float, slope: float, seconds: float, rate: float) -> float:
    """Expanded uncertainty (sccm) that a test can be known to have beforehand, but for noise.

    `pressure` kPa absolute, `slope` the largest dT/dt [K/s] that counts as stable, `rate` the limit [sccm].
    """
    return math.hypot(_fixed(by, pressure, slope, rate), _walk(by, pressure, ROOM_K, seconds))


def seconds_needed(by: Instruments, pressure: float, slope: float, rate: float, wanted: float) -> float:
    """How long the test must last for an uncertainty of `wanted` [sccm]; infinite where no time is enough."""
    fixed = _fixed(by, pressure, slope, rate)
    if fixed >= wanted:
        return math.inf
    return _walk(by, pressure, ROOM_K, 1.0) / math.sqrt(wanted**2 - fixed**2)


def _fixed(by: Instruments, pressure: float, slope: float, rate: float) -> float:
    """What no time helps against: tracking and volume, sccm."""
    amount = pressure * by.volume / (R * ROOM_K)
    return math.hypot(amount * by.tracking_share * abs(slope) / ROOM_K / SCCM, by.volume_share * rate)


def _walk_kpa(by: Instruments, pressure: float, kelvin: float) -> float:
    return math.hypot(by.pressure_walk, pressure * by.temperature_walk / kelvin)


def _walk(by: Instruments, pressure: float, kelvin: float, seconds: float) -> float:
    return _walk_kpa(by, pressure, kelvin) * by.volume / (R * kelvin) / seconds / SCCM


def disagreement(one: ArrayLike, other: ArrayLike) -> tuple[float, float, float]:
    """By how much two sensors of one quantity moved apart, how far it moved by their mean, and the largest jump of one.

    The first two are the difference between the mean of the last and of the first tenth; what they differ by all the
    time is their offset, and counts for nothing.
    """
    a, b = np.asarray(one, float), np.asarray(other, float)
    if len(a) != len(b) or len(a) < LEAST_SAMPLES:
        raise ValueError(f"{LEAST_SAMPLES} samples of both are needed, there are {min(len(a), len(b))}")
    part = max(1, len(a) // 10)

    def moved(values: Series) -> float:
        return float(values[-part:].mean() - values[:part].mean())

    return moved(a - b), moved(0.5 * (a + b)), largest_jump(a - b)[0]
