"""Derived signals: named, typed functions of other signals, with declared inputs and units."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from harness.analysis.coolant import coolant_heat, exchanger_effectiveness
from harness.analysis.peers import thermal_resistance
from harness.analysis.power_law import viscosity_factor
from harness.quantity import SignalInfo, convert, difference_unit, unit

LEAST_EACH = 3
"""Of two neither is the one that is not like the others."""
_NO_ZERO = frozenset({"temperature", "level", "acidity"})
"""Kinds whose zero is only a mark on a scale (0 degC, 0 dBm, pH 0): no sum and no share of them says anything."""


@dataclass(frozen=True, slots=True)
class Function:
    """A derived signal's function. Inputs arrive in the units of `inputs`; '': in that of the first (see `arrival`)."""

    inputs: Mapping[str, str]
    unit: str
    """The unit of what `compute` gives; '': that of the inputs, or of their difference."""
    compute: Callable[..., float]
    description: str
    valid: tuple[float, float] = (-math.inf, math.inf)
    """Between what values the result can lie, in `unit`, where its kind does not say so."""

    each: str | None = None
    """Where it takes any number of inputs (three and more) under names of one's own: their unit; '' as above."""

    is_integral: bool = False
    """Whether the signal is the integral over time of what `compute` gives, in `unit` for each hour."""

    is_difference: bool = False
    """Whether what it gives is a difference of its inputs: of two temperatures K, not a temperature."""

    needs_zero: bool = False
    """Whether its inputs need a true zero, as a sum and a share do."""

    def arrival(self, key: str, first: str) -> str:
        """The unit in which an input arrives, where the first input is in `first`."""
        fixed = self.inputs[key] if self.each is None else self.each
        if fixed:
            return fixed
        return "degC" if self.is_difference and unit(first).kind == "temperature" else first

    def result_unit(self, first: str) -> str:
        """The unit of what `compute` gives, where the first input is in `first`."""
        return self.unit or (difference_unit(first) if self.is_difference else first)

    def refuse(self, key: str, info: SignalInfo, first: str) -> None:
        """ValueError when a signal cannot be an input, where the first input is in `first`."""
        if info.is_text or info.labels or info.flags:
            raise ValueError(f"input {key}: {info.name} shows words; a number is needed")
        wanted = self.arrival(key, first)
        if unit(info.unit).kind != unit(wanted).kind:
            shown = info.unit or "no unit"
            raise ValueError(f"input {key}: {info.name} is in {shown}, {wanted or 'no unit'} is needed")
        if self.needs_zero and unit(info.unit).kind in _NO_ZERO:
            raise ValueError(
                f"input {key}: {info.name} is in {info.unit}, whose zero is only a mark on a scale: "
                "a sum or a share of such values says nothing; their `difference` does"
            )

    def misfit(self, keys: Collection[str]) -> str:
        """What is wrong with the names of its inputs, in words; '' when nothing is."""
        if self.each is not None:
            few = f"takes {LEAST_EACH} inputs and more, under names of your own, not {len(keys)}"
            return few if len(keys) < LEAST_EACH else ""
        if set(keys) == set(self.inputs):
            return ""
        return f"takes the inputs {', '.join(self.inputs)}, not {', '.join(keys)}"

    def valid_in(self, target: str) -> tuple[float, float]:
        """`valid` in another unit of the same kind."""
        own = self.unit or target
        return convert(self.valid[0], own, target), convert(self.valid[1], own, target)


def heat_balance(flow: float, supply: float, return_: float, power: float) -> float:
    """Share of the electrical power that the coolant carries away, %. NaN below 1 kW: nothing to compare."""
    return 100 * coolant_heat(flow, supply, return_) / power if power >= 1 else math.nan


def dew_point(temperature: float, humidity: float) -> float:
    """Dew point, degC, by the Magnus formula (17.625, 243.12 degC) from degC and %. NaN where the formula ends.

    Below -100 degC and 0.001 % no instrument measures: what is shown there is a fault.
    """
    if humidity < 0.001 or temperature < -100:
        return math.nan
    g = math.log(humidity / 100) + 17.625 * temperature / (243.12 + temperature)
    return 243.12 * g / (17.625 - g)


def unbalance(a: float, b: float, c: float) -> float:
    """Largest deviation of three phase currents from their mean, % of the mean; NaN: three dead phases balance not."""
    return imbalance(a=a, b=b, c=c)


def imbalance(**values: float) -> float:
    """Largest deviation of several from their mean, % of the mean; NaN where the mean is not above zero."""
    mean = math.fsum(values.values()) / len(values)
    return 100 * max(abs(value - mean) for value in values.values()) / mean if mean > 0 else math.nan


LEAST_POWER_KW = 0.01
"""With less a thermal resistance is noise over nothing."""

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
    "difference": Function(
        {"high": "", "low": ""},
        "",
        lambda **i: i["high"] - i["low"],
        "high - low, of one kind; of temperatures in K",
        is_difference=True,
    ),
    "sum": Function(
        {"a": "", "b": ""}, "", lambda **i: i["a"] + i["b"], "a + b, of one kind with a true zero", needs_zero=True
    ),
    "ratio": Function(
        {"part": "", "whole": ""},
        "%",
        lambda **i: 100 * i["part"] / i["whole"] if i["whole"] else math.nan,
        "part / whole, of one kind with a true zero",
        needs_zero=True,
    ),
    "flow_per_power": Function(
        {"flow": "L/min", "power": "kW"},
        "L/min",
        lambda **i: i["flow"] / max(i["power"], 1.0),
        "coolant flow for each kW (of 1 kW at least)",
    ),
    "phase_unbalance": Function(
        {"a": "A", "b": "A", "c": "A"},
        "%",
        lambda **i: unbalance(i["a"], i["b"], i["c"]),
        "unbalance of three phases",
        valid=(0.0, 200.0),
    ),
    "branch_imbalance": Function(
        {}, "%", imbalance, "largest deviation of several flows from their mean", valid=(0.0, 10_000.0), each="L/min"
    ),
    "approach": Function(
        {"coolant": "degC", "facility": "degC"},
        "K",
        lambda **i: i["coolant"] - i["facility"],
        "supply to the rack above the facility water that comes in",
    ),
    "effectiveness": Function(
        {"facility": "degC", **_LOOP, "facility_flow": "L/min"},
        "%",
        lambda **i: exchanger_effectiveness(i["flow"], i["supply"], i["return"], i["facility"], i["facility_flow"]),
        "heat exchanged over the most that could be: Q / (Cmin (return - facility)); PG25 against water",
    ),
    "thermal_resistance": Function(
        {"coolant": "degC", "junction": "degC", "power": "kW"},
        "K/kW",
        lambda **i: (
            thermal_resistance(i["junction"], i["coolant"], i["power"]) if i["power"] >= LEAST_POWER_KW else math.nan
        ),
        "junction above coolant, for each kW of 10 W and more",
    ),
    "power_loss": Function(
        {"input": "kW", "output": "kW"},
        "kW",
        lambda **i: i["input"] - i["output"],
        "what goes in and comes not out",
    ),
    "energy": Function(
        {"power": "kW"},
        "kWh",
        lambda **i: i["power"],
        "energy since the run began (trapezoids); unknown after a gap longer than `max_age`, and in a resumed run",
        is_integral=True,
    ),
    "meter_truth": Function(
        {"meter": "", "reference": ""},
        "%",
        lambda **i: 100 * (i["meter"] / i["reference"] - 1) if i["reference"] else math.nan,
        "a device's own meter against the station's reference, of one kind with a true zero",
        needs_zero=True,
    ),
    "pressure_drop_at_35": Function(
        {"pressure_drop": "kPa", "temperature": "degC"},
        "kPa",
        lambda **i: i["pressure_drop"] / viscosity_factor(i["temperature"]),
        "pressure drop brought to 35 degC: viscosity of PG25 to the 0.25 (Blasius)",
    ),
    "flow_resistance": Function(
        {"pressure_drop": "kPa", "flow": "L/min"},
        "kPa",
        lambda **i: i["pressure_drop"] / (i["flow"] / 100) ** 2 if i["flow"] >= 5 else math.nan,
        "pressure drop normalised to 100 L/min (dP ~ flow squared)",
    ),
}
"""Every function a file may name."""
