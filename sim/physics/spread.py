"""How racks and instruments of one kind differ: every seed is a rack of its own, with sensors that are out by a little.

Deviations are drawn once for a seed. A sensor's is its class (the accuracy of a datasheet, taken as two standard
deviations), and a slow walk by a tenth of its class a day. Sources of the figures: docs/adr/0019-a-rack-of-its-own.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from sim.physics.noise import gauss, stream, uniform
from sim.physics.parameters import RackParameters

RESISTANCE, CONDUCTANCE, POWER = 0.05, 0.08, 0.02
"""Standard deviations, relative: pressure drop of the rack, heat transfer of its plates, its powers."""
LIQUID_SHARE = 0.015
INSULATION = 1.2
"""Standard deviation, as a factor, of the insulation resistance of supplies: an assumption, no data sheet tells it."""
SETPOINT = 0.02
"""Between the setpoints of shelves, of the droop at their rating: 2 % of it in what each carries."""
EXPONENT = (1.7, 1.95)
"""Between these the pressure drop of a rack goes with flow: its plates are partly laminar."""
DRIFT_A_DAY = 0.1
"""Standard deviation of a sensor's walk over a day, in classes."""
HOUR = 3600.0
REFERENCE, REFERENCE_CLASS = "feed.", 0.2
"""Begins the names of what a reference instrument measures; its class is this part of that of others."""


class Accuracy(NamedTuple):
    """The class of a kind of sensor: absolute (in its unit) and relative."""

    absolute: float
    relative: float


_NONE = Accuracy(0.0, 0.0)
CLASSES = {
    "degC": Accuracy(0.15, 0.0),
    "L/min": Accuracy(0.0, 0.015),
    "kPa": Accuracy(1.0, 0.0),
    "W": Accuracy(0.0, 0.005),
    "A": Accuracy(0.0, 0.005),
    "V": Accuracy(0.0, 0.002),
    "kWh": Accuracy(0.0, 0.005),
}
"""By unit; what is not here is exact."""
TRAY_CLASSES = {"power": Accuracy(0.0, 0.02), "junction_temperature": Accuracy(2.0, 0.0)}
"""What trays measure themselves is worse: PMBus telemetry, and thermal diodes on the die."""


def class_of(name: str, unit: str) -> Accuracy:
    """The class of the sensor of a variable."""
    if name.startswith("tray["):
        return TRAY_CLASSES.get(name.rpartition(".")[2]) or CLASSES.get(unit, _NONE)
    return CLASSES.get(unit, _NONE)


def rack_of_seed(parameters: RackParameters, seed: int, spread: float) -> RackParameters:
    """The rack that this seed is of a kind; `spread` 0: the kind itself, 1: as much as such racks differ."""
    if not spread:
        return parameters
    p = parameters

    def drawn(name: str) -> float:
        return spread * gauss(stream(seed, f"spread.{name}"), 0)

    low, high = EXPONENT
    exponent = low + (high - low) * uniform(stream(seed, "spread.exponent"), 0)
    power = 1.0 + POWER * drawn("power")
    return replace(
        p,
        rack_drop=p.rack_drop * (1.0 + RESISTANCE * drawn("resistance")),
        rack_exponent=p.rack_exponent + spread * (exponent - p.rack_exponent),
        plate_conductance=p.plate_conductance * (1.0 + CONDUCTANCE * drawn("conductance")),
        liquid_share=p.liquid_share + LIQUID_SHARE * drawn("liquid_share"),
        idle_power=p.idle_power * power,
        maximum_power=p.maximum_power * power,
        insulation_spread=INSULATION**spread,
        supply_rating=p.supply_rating * power,  # so that a rack is as redundant as its class
        setpoint_spread=SETPOINT * p.bus_droop * spread,
    )


class Bias:
    """By how much one instrument is out, in the present hour: `shown = true * (1 + relative) + absolute`."""

    def __init__(self, seed: int, instrument: str, unit: str, spread: float, accuracy: Accuracy | None = None) -> None:
        """`instrument`: sensors of one name are out together, as the outlets of one meter."""
        accuracy = accuracy or CLASSES.get(unit, _NONE)
        self._accuracy = Accuracy(accuracy.absolute * spread, accuracy.relative * spread)
        self._walk = stream(seed, f"drift.{instrument}")
        self._reached = 0
        self._classes = 0.5 * gauss(stream(seed, f"bias.{instrument}"), 0)

    def at(self, time: float) -> Accuracy:
        """At a plant time [s], which does not run backwards."""
        while self._reached < int(time / HOUR):
            self._reached += 1
            self._classes += DRIFT_A_DAY / 24.0**0.5 * gauss(self._walk, self._reached)
        return Accuracy(self._classes * self._accuracy.absolute, self._classes * self._accuracy.relative)
