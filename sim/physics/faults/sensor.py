"""Faults of sensors: they change what is shown, never what is true."""

from __future__ import annotations

import math

from sim.physics.faults.arguments import Apply, Maker, Plant, Undo, number_of, put, without_argument
from sim.physics.variables import nearest


def _sensor(plant: Plant, name: str) -> str:
    if name not in plant.names():
        raise ValueError(f"no variable {name!r}{nearest(name, plant.names())}")
    return name


def _sensor_offset(plant: Plant, arg: str) -> Apply:
    name, _, delta = arg.partition("=")
    name = _sensor(plant, name.strip())
    amount = number_of(delta, math.nan, -1e9, 1e9, "offset (write name=delta)")
    return lambda: plant.sensors.add(name, "offset", amount)


def _sensor_stuck(plant: Plant, arg: str) -> Apply:
    name, _, value = arg.partition("=")
    name = _sensor(plant, name.strip())
    fixed = number_of(value, math.nan, -1e9, 1e9, "value") if value else None
    return lambda: plant.sensors.add(name, "stuck", plant.sensed(name) if fixed is None else fixed)


def _sensor_nan(plant: Plant, arg: str) -> Apply:
    name = _sensor(plant, arg)
    return lambda: plant.sensors.add(name, "stuck", math.nan)


def _flow_meter_zero(plant: Plant, arg: str) -> Apply:
    return without_argument(arg, lambda: plant.sensors.add("loop.flow", "stuck", 0.0))


def _meter_frozen(plant: Plant, arg: str) -> Apply:
    pdu = plant.pdu(arg)

    def apply() -> Undo:
        held = {name: plant.sensed(name) for name in pdu.metered()}
        return put(plant.sensors, "frozen", {**plant.sensors.frozen, **held})

    return apply


FAULTS: dict[str, Maker] = {
    "flow_meter_zero": _flow_meter_zero,
    "sensor_offset": _sensor_offset,
    "sensor_stuck": _sensor_stuck,
    "sensor_nan": _sensor_nan,
    "meter_frozen": _meter_frozen,
}
