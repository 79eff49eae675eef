"""Faults of the coolant loop, the facility water and the room."""

from __future__ import annotations

from collections.abc import Callable

from sim.physics.faults.arguments import Apply, Maker, Plant, Undo, index_of, number_of, put, put_item, without_argument


def _loop(attribute: str, value: object) -> Callable[[Plant, str], Apply]:
    """A fault without argument that sets one attribute of the loop."""
    return lambda plant, arg: without_argument(arg, lambda: put(plant.loop, attribute, value))


def _loop_number(
    attribute: str, default: float, low: float, high: float, what: str, scale: Callable[[Plant, float], float]
) -> Callable[[Plant, str], Apply]:
    """A fault with a number that sets one attribute of the loop to scale(plant, number)."""

    def make(plant: Plant, arg: str) -> Apply:
        value = number_of(arg, default, low, high, what)
        return lambda: put(plant.loop, attribute, scale(plant, value))

    return make


def _stop_pumps(plant: Plant, *indices: int) -> Undo:
    """Stop pumps; counted, so that ending one of two faults that stop the same pump does not start it."""
    stopped = plant.loop.pump_stopped
    for index in indices:
        stopped[index] += 1

    def undo() -> None:
        for index in indices:
            stopped[index] -= 1

    return undo


def _pump_stop(plant: Plant, arg: str) -> Apply:
    index = index_of(arg, 2, "pump")
    return lambda: _stop_pumps(plant, index)


def _both_pumps_stop(plant: Plant, arg: str) -> Apply:
    return without_argument(arg, lambda: _stop_pumps(plant, 0, 1))


def _pump_degraded(plant: Plant, arg: str) -> Apply:
    which, _, share = arg.partition("=")
    index = index_of(which, 2, "pump")
    health = number_of(share, 0.5, 0.0, 1.0, "share of head left")
    return lambda: put_item(plant.loop.pump_health, index, health)


def _leak(plant: Plant, arg: str) -> Apply:
    rates = plant.loop.inventory.leak_rate
    zone, _, amount = arg.partition("=")
    if zone not in rates:
        if amount or (zone and not zone.replace(".", "", 1).isdigit()):
            raise ValueError(f"argument must be a zone ({', '.join(rates)}), a rate in mL/s, or zone=rate, got {arg!r}")
        zone, amount = "rack", zone
    rate = number_of(amount, 2.0, 0.0, 1e4, "rate in mL/s")

    def apply() -> Undo:
        rates[zone] += rate

        def undo() -> None:
            rates[zone] = max(0.0, rates[zone] - rate)

        return undo

    return apply


def _low_level(plant: Plant, arg: str) -> Apply:
    percent = number_of(arg, 8.0, 0.0, 100.0, "level in %")

    def apply() -> Undo:
        inventory = plant.loop.inventory
        before = inventory.level
        inventory.set_level(percent)
        return lambda: inventory.set_level(before)

    return apply


def _over_pressure(plant: Plant, arg: str) -> Apply:
    extra = number_of(arg, 180.0, 0.0, 1000.0, "pressure in kPa")
    return lambda: put(plant.loop.inventory, "over_pressure", extra)


def _dew_point_rise(plant: Plant, arg: str) -> Apply:
    dew = number_of(arg, plant.parameters.supply_setpoint - 0.5, 0.0, 60.0, "dew point in degC")

    def apply() -> Undo:
        plant.ambient.raise_dew_point(dew)
        return plant.ambient.restore

    return apply


def _warmer(plant: Plant, change: float) -> float:
    return plant.loop.facility_temperature + change


FAULTS: dict[str, Maker] = {
    "pump_stop": _pump_stop,
    "both_pumps_stop": _both_pumps_stop,
    "pump_degraded": _pump_degraded,
    "filter_clog": _loop_number("clog", 4.0, 1.0, 1e3, "factor on the loop's resistance", lambda _, x: x - 1.0),
    "leak": _leak,
    "low_level": _low_level,
    "over_pressure": _over_pressure,
    "air_in_loop": _loop_number("air", 0.5, 0.0, 1.0, "share of air", lambda _, x: x),
    "valve_stuck": _loop("valve_stuck", True),
    "hx_fouled": _loop_number("fouling", 0.6, 0.0, 0.99, "lost share of the conductance", lambda _, x: x),
    "fws_step": _loop_number("facility_temperature", 6.0, -25.0, 50.0, "change in K", _warmer),
    "fws_loss": _loop("facility_lost", True),
    "dew_point_rise": _dew_point_rise,
}
