"""Derived signals: named, typed functions of other signals, with declared inputs and units."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.analysis.coolant import coolant_heat
from harness.quantity import convert


@dataclass(frozen=True, slots=True)
class Function:
    """A derived signal's function. Inputs arrive in the units of `inputs`; '' takes the input's own unit."""

    inputs: Mapping[str, str]
    unit: str
    compute: Callable[..., float]
    description: str
    valid: tuple[float, float] = (-math.inf, math.inf)
    """Between what values the result can lie, in `unit`, where its kind does not say so."""

    def valid_in(self, target: str) -> tuple[float, float]:
        """`valid` in another unit of the same kind."""
        own = self.unit or target
        return convert(self.valid[0], own, target), convert(self.valid[1], own, target)


def heat_balance(flow: float, supply: float, return_: float, power: float) -> float:
    """Share of the electrical power that the coolant carries away, %. NaN below 1 kW: nothing to compare."""
    return 100 * coolant_heat(flow, supply, return_) / power if power >= 1 else math.nan


def dew_point(temperature: float, humidity: float) -> float:
    """Dew point, degC, by the Magnus formula (17.625, 243.12 degC) from degC and %."""
    if humidity <= 0:
        return math.nan
    g = math.log(humidity / 100) + 17.625 * temperature / (243.12 + temperature)
    return 243.12 * g / (17.625 - g)


def unbalance(a: float, b: float, c: float) -> float:
    """Largest deviation of three phase currents from their mean, % of the mean."""
    mean = (a + b + c) / 3
    return 100 * max(abs(a - mean), abs(b - mean), abs(c - mean)) / mean if mean > 0 else 0.0


_LOOP = {"flow": "L/min", "supply": "degC", "return": "degC"}

FUNCTIONS: Mapping[str, Function] = {
    "coolant_heat": Function(
        _LOOP, "kW", lambda **i: coolant_heat(i["flow"], i["supply"], i["return"]), "heat into the coolant (PG25)"
    ),
    "heat_balance": Function(
        {**_LOOP, "power": "kW"},
        "%",
        lambda **i: heat_balance(i["flow"], i["supply"], i["return"], i["power"]),
        "share of the electrical power found in the coolant",
    ),
    "dew_point": Function({"temperature": "degC", "humidity": "%"}, "degC", dew_point, "dew point (Magnus)"),
    "dew_point_margin": Function(
        {"surface": "degC", "temperature": "degC", "humidity": "%"},
        "K",
        lambda **i: i["surface"] - dew_point(i["temperature"], i["humidity"]),
        "how far a surface is above the dew point",
    ),
    "temperature_difference": Function(
        {"high": "degC", "low": "degC"}, "K", lambda **i: i["high"] - i["low"], "difference of two temperatures"
    ),
    "difference": Function({"high": "", "low": ""}, "", lambda **i: i["high"] - i["low"], "high - low, same unit"),
    "sum": Function({"a": "", "b": ""}, "", lambda **i: i["a"] + i["b"], "a + b, same unit"),
    "ratio": Function(
        {"part": "", "whole": ""},
        "%",
        lambda **i: 100 * i["part"] / i["whole"] if i["whole"] else math.nan,
        "part / whole, same unit",
    ),
    "flow_per_power": Function(
        {"flow": "L/min", "power": "kW"},
        "",
        lambda **i: i["flow"] / max(i["power"], 1.0),
        "coolant flow for each kW (of 1 kW at least), L/min/kW",
    ),
    "phase_unbalance": Function(
        {"a": "A", "b": "A", "c": "A"},
        "%",
        lambda **i: unbalance(i["a"], i["b"], i["c"]),
        "unbalance of three phases",
        valid=(0.0, 200.0),
    ),
    "flow_resistance": Function(
        {"pressure_drop": "kPa", "flow": "L/min"},
        "",
        lambda **i: i["pressure_drop"] / (i["flow"] / 100) ** 2 if i["flow"] >= 5 else math.nan,
        "pressure drop normalised to 100 L/min, kPa (dP ~ flow squared)",
    ),
}
"""Every function a file may name."""
