"""What can go wrong with the plant: a catalogue of named faults, each checked when injected and undone when cleared.

A fault is written `name`, `name:arg` or `name:arg@time`. Faults of sensors change what is shown, never what is true:
the unit's own controllers keep their own sensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from sim.physics.coolant import pg25_density

if TYPE_CHECKING:
    from sim.physics.plant import Plant

T = TypeVar("T")
Undo = Callable[[], None]
Apply = Callable[[], Undo]

REBOOT_TIME = 60.0  # s until the trays run their workload again
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}


class Active(NamedTuple):
    """A fault that is on: how it was written, and what ends it."""

    label: str
    undo: Undo


def parse(text: str) -> tuple[str, str, float | None]:
    """Split `name[:arg][@time]` into name, arg and plant time in s (`90`, `90s`, `5 min`, `1 h`; None without)."""
    rest, at, when = text.strip().partition("@")
    name, _, arg = rest.partition(":")
    return name.strip(), arg.strip(), _time(when, text) if at else None


def _time(text: str, whole: str) -> float:
    number, unit = text.strip(), "s"
    for suffix in ("min", "h", "s"):
        if number.endswith(suffix):
            number, unit = number[: -len(suffix)].strip(), suffix
            break
    try:
        value = float(number) * _SECONDS[unit]
    except ValueError:
        value = math.nan
    if not 0.0 <= value < math.inf:
        raise ValueError(f"fault {whole!r}: time must be like 90 s, 5 min or 1 h, got {text!r}")
    return value


def prepare(plant: Plant, fault: str, arg: str) -> Apply:
    """Check a fault and its argument; the returned function applies it and gives back what undoes it."""
    from sim.physics.plant import nearest

    maker = CATALOGUE.get(fault)
    if maker is None:
        raise ValueError(f"no fault {fault!r}{nearest(fault, CATALOGUE)}")
    try:
        return maker(plant, arg)
    except ValueError as error:
        raise ValueError(f"fault {fault}: {error}") from None


def _index(arg: str, count: int, what: str) -> int:
    """A number 1..count as an index 0..count-1; empty means 1."""
    try:
        number = int(arg or "1")
    except ValueError:
        number = 0
    if not 1 <= number <= count:
        raise ValueError(f"{what} must be 1 to {count}, got {arg!r}")
    return number - 1


def _number(arg: str, default: float, low: float, high: float, what: str) -> float:
    try:
        value = float(arg) if arg else default
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise ValueError(f"{what} must be {low:g} to {high:g}, got {arg!r}")
    return value


def _set(target: object, name: str, value: object) -> Undo:
    """Set an attribute and return what sets it back."""
    before = getattr(target, name)
    setattr(target, name, value)
    return lambda: setattr(target, name, before)


def _set_item(values: list[T], index: int, value: T) -> Undo:
    before = values[index]
    values[index] = value

    def undo() -> None:
        values[index] = before

    return undo


def _loop(attribute: str, value: object) -> Callable[[Plant, str], Apply]:
    """A fault without argument that sets one attribute of the loop."""
    return lambda plant, arg: _no_argument(arg, lambda: _set(plant.loop, attribute, value))


def _no_argument(arg: str, apply: Apply) -> Apply:
    if arg:
        raise ValueError(f"takes no argument, got {arg!r}")
    return apply


def _loop_number(
    attribute: str, default: float, low: float, high: float, what: str, scale: Callable[[Plant, float], float]
) -> Callable[[Plant, str], Apply]:
    """A fault with a number that sets one attribute of the loop to scale(plant, number)."""

    def make(plant: Plant, arg: str) -> Apply:
        value = _number(arg, default, low, high, what)
        return lambda: _set(plant.loop, attribute, scale(plant, value))

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
    index = _index(arg, 2, "pump")
    return lambda: _stop_pumps(plant, index)


def _both_pumps_stop(plant: Plant, arg: str) -> Apply:
    return _no_argument(arg, lambda: _stop_pumps(plant, 0, 1))


def _pump_degraded(plant: Plant, arg: str) -> Apply:
    which, _, share = arg.partition("=")
    index = _index(which, 2, "pump")
    health = _number(share, 0.5, 0.0, 1.0, "share of head left")
    return lambda: _set_item(plant.loop.pump_health, index, health)


def _sensor(plant: Plant, name: str) -> str:
    from sim.physics.plant import nearest

    if name not in plant.names():
        raise ValueError(f"no variable {name!r}{nearest(name, plant.names())}")
    return name


def _sensor_offset(plant: Plant, arg: str) -> Apply:
    name, _, delta = arg.partition("=")
    name = _sensor(plant, name.strip())
    amount = _number(delta, math.nan, -1e9, 1e9, "offset (write name=delta)")
    return lambda: plant.sensors.add(name, "offset", amount)


def _sensor_stuck(plant: Plant, arg: str) -> Apply:
    name, _, value = arg.partition("=")
    name = _sensor(plant, name.strip())
    fixed = _number(value, math.nan, -1e9, 1e9, "value") if value else None
    return lambda: plant.sensors.add(name, "stuck", plant.sensed(name) if fixed is None else fixed)


def _sensor_nan(plant: Plant, arg: str) -> Apply:
    name = _sensor(plant, arg)
    return lambda: plant.sensors.add(name, "stuck", math.nan)


def _flow_meter_zero(plant: Plant, arg: str) -> Apply:
    return _no_argument(arg, lambda: plant.sensors.add("loop.flow", "stuck", 0.0))


def _leak(plant: Plant, arg: str) -> Apply:
    rates = plant.loop.inventory.leak_rate
    zone, _, amount = arg.partition("=")
    if zone not in rates:
        if amount or (zone and not zone.replace(".", "", 1).isdigit()):
            raise ValueError(f"argument must be a zone ({', '.join(rates)}), a rate in mL/s, or zone=rate, got {arg!r}")
        zone, amount = "rack", zone
    rate = _number(amount, 2.0, 0.0, 1e4, "rate in mL/s")

    def apply() -> Undo:
        rates[zone] += rate

        def undo() -> None:
            rates[zone] = max(0.0, rates[zone] - rate)

        return undo

    return apply


def _low_level(plant: Plant, arg: str) -> Apply:
    percent = _number(arg, 8.0, 0.0, 100.0, "level in %")

    def apply() -> Undo:
        loop = plant.loop
        before, density = loop.inventory.level, pg25_density(loop.supply)
        loop.inventory.set_level(percent, density)
        return lambda: loop.inventory.set_level(before, density)

    return apply


def _over_pressure(plant: Plant, arg: str) -> Apply:
    extra = _number(arg, 180.0, 0.0, 1000.0, "pressure in kPa")
    return lambda: _set(plant.loop.inventory, "over_pressure", extra)


def _outlet_stuck(plant: Plant, arg: str) -> Apply:
    index = _index(arg, plant.parameters.outlets, "outlet")
    return lambda: _set_item(plant.pdu.stuck, index, True)


def _outlet_off(plant: Plant, arg: str) -> Apply:
    index = _index(arg, plant.parameters.outlets, "outlet")

    def apply() -> Undo:
        closed = plant.pdu.relay[index]
        plant.pdu.set_relay(index, closed=False)
        return lambda: plant.pdu.set_relay(index, closed=closed)

    return apply


def _breaker_trip(plant: Plant, arg: str) -> Apply:
    index = _index(arg, plant.parameters.outlets, "outlet")

    def apply() -> Undo:
        plant.pdu.set_tripped(index, tripped=True)
        return lambda: plant.pdu.set_tripped(index, tripped=False)

    return apply


def _phase_loss(plant: Plant, arg: str) -> Apply:
    phase = _index(arg, len(plant.pdu.phase_ok), "phase")

    def apply() -> Undo:
        plant.pdu.set_phase(phase, alive=False)
        return lambda: plant.pdu.set_phase(phase, alive=True)

    return apply


def _psu_fail(plant: Plant, arg: str) -> Apply:
    index = _index(arg, plant.parameters.outlets, "shelf")

    def apply() -> Undo:
        plant.shelves.set_psus(index, plant.shelves.psu_ok[index] - 1)
        return lambda: plant.shelves.set_psus(index, plant.shelves.psu_ok[index] + 1)

    return apply


def _dew_point_rise(plant: Plant, arg: str) -> Apply:
    dew = _number(arg, plant.parameters.supply_setpoint - 0.5, 0.0, 60.0, "dew point in degC")

    def apply() -> Undo:
        plant.ambient.raise_dew_point(dew)
        return plant.ambient.restore

    return apply


def _meter_frozen(plant: Plant, arg: str) -> Apply:
    from sim.physics.sensors import is_metered

    def apply() -> Undo:
        held = {name: plant.sensed(name) for name in plant.names() if is_metered(name)}
        return _set(plant.sensors, "frozen_meter", held.__getitem__)

    return _no_argument(arg, apply)


def _port_change(name: str, value: Callable[[Plant, int], float | bool]) -> Callable[[Plant, str], Apply]:
    """A fault of one port that changes one of its properties."""

    def make(plant: Plant, arg: str) -> Apply:
        index = _index(arg, plant.parameters.ports, "port")

        def apply() -> Undo:
            before = getattr(plant.switch.ports[index], name)
            plant.switch.change(index, name, value(plant, index))
            return lambda: plant.switch.change(index, name, before)

        return apply

    return make


def _warmer(plant: Plant, change: float) -> float:
    return plant.loop.facility_temperature + change


def _quarter_speed(plant: Plant, _index: int) -> float:
    return plant.parameters.port_speed / 4


def _link_flap(plant: Plant, arg: str) -> Apply:
    which, _, seconds = arg.partition("=")
    index = _index(which, plant.parameters.ports, "port")
    period = _number(seconds, 10.0, 0.2, 86400.0, "period in s")

    def apply() -> Undo:
        plant.switch.set_flapping(index, period, flapping=True)
        return lambda: plant.switch.set_flapping(index, period, flapping=False)

    return apply


def _lldp_swapped(plant: Plant, arg: str) -> Apply:
    first, _, second = (arg or "1-2").partition("-")
    a = _index(first, plant.parameters.ports, "first port")
    b = _index(second or "0", plant.parameters.ports, "second port (write a-b)")

    def swap() -> None:
        ports = plant.switch.ports
        ports[a].neighbor, ports[b].neighbor = ports[b].neighbor, ports[a].neighbor

    def apply() -> Undo:
        swap()
        return swap

    return apply


def _optic_hot(plant: Plant, arg: str) -> Apply:
    index = _index(arg, plant.parameters.ports, "port")
    return lambda: _set(plant.switch.ports[index], "hot_at", plant.time)


def _ber_drift(plant: Plant, arg: str) -> Apply:
    index = _index(arg, plant.parameters.ports, "port")

    def apply() -> Undo:
        plant.switch.set_drift(index, drifting=True)
        return lambda: plant.switch.set_drift(index, drifting=False)

    return apply


def _rack_reboot(plant: Plant, arg: str) -> Apply:
    def apply() -> Undo:
        undo = _set(plant.rack, "booting", True)
        plant.switch.restart()
        active = plant.faults  # this fault itself is listed after apply returns

        def ready() -> None:
            if "rack_reboot" in plant.faults:
                plant.clear("rack_reboot")

        if "rack_reboot" not in active:
            plant.schedule(plant.time + REBOOT_TIME, ready)
        return undo

    return _no_argument(arg, apply)


CATALOGUE: dict[str, Callable[[Plant, str], Apply]] = {
    "pump_stop": _pump_stop,
    "both_pumps_stop": _both_pumps_stop,
    "pump_degraded": _pump_degraded,
    "filter_clog": _loop_number("clog", 4.0, 1.0, 1e3, "factor on the loop's resistance", lambda _, x: x - 1.0),
    "flow_meter_zero": _flow_meter_zero,
    "sensor_offset": _sensor_offset,
    "sensor_stuck": _sensor_stuck,
    "sensor_nan": _sensor_nan,
    "leak": _leak,
    "low_level": _low_level,
    "over_pressure": _over_pressure,
    "air_in_loop": _loop_number("air", 0.5, 0.0, 1.0, "share of air", lambda _, x: x),
    "valve_stuck": _loop("valve_stuck", True),
    "hx_fouled": _loop_number("fouling", 0.6, 0.0, 0.99, "lost share of the conductance", lambda _, x: x),
    "fws_step": _loop_number("facility_temperature", 6.0, -25.0, 50.0, "change in K", _warmer),
    "fws_loss": _loop("facility_lost", True),
    "dew_point_rise": _dew_point_rise,
    "outlet_stuck": _outlet_stuck,
    "outlet_off": _outlet_off,
    "breaker_trip": _breaker_trip,
    "phase_loss": _phase_loss,
    "psu_fail": _psu_fail,
    "meter_frozen": _meter_frozen,
    "link_down": _port_change("broken", lambda _plant, _index: True),
    "link_flap": _link_flap,
    "speed_down": _port_change("speed", _quarter_speed),
    "lldp_swapped": _lldp_swapped,
    "optic_hot": _optic_hot,
    "ber_drift": _ber_drift,
    "rack_reboot": _rack_reboot,
}
"""Every fault by name: (plant, arg) -> what applies it; ValueError for a bad argument."""
