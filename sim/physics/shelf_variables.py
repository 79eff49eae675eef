"""Names and inputs of the shelves and of the supplies in them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sim.physics.pdu import Pdu
from sim.physics.shelf import Shelves
from sim.physics.supplies import Supply
from sim.physics.variables import Input, Variable


def shelf_variables(shelves: Shelves) -> Iterator[Variable]:
    """What the shelves, their supplies and the bus measure."""
    for i, row in enumerate(shelves.supplies):
        name = f"shelf[{i + 1}]"
        yield Variable(f"{name}.on", "", partial(lambda k: float(shelves.is_on(k)), i))
        yield Variable(f"{name}.psu_ok", "", partial(lambda k: float(shelves.good(k)), i))
        yield Variable(f"{name}.insulation", "", partial(lambda k: shelves.insulation[k], i))  # Ohm
        yield Variable(f"{name}.overloaded", "", partial(lambda k: float(shelves.latched[k]), i))
        yield Variable(f"{name}.input_power", "W", partial(shelves.input_power, i))
        yield Variable(f"{name}.input_voltage", "V", partial(lambda r: max(map(_input_voltage, r)), row))
        yield Variable(f"{name}.input_current", "A", partial(lambda r: sum(_input_current(shelves, s) for s in r), row))
        yield Variable(f"{name}.output_voltage", "V", shelves.bus.voltage)
        yield Variable(f"{name}.output_current", "A", partial(shelves.output_current, i))
        yield Variable(f"{name}.output_power", "W", partial(shelves.output_power, i))
        yield Variable(f"{name}.inlet_temperature", "degC", lambda s=shelves: s.ambient())  # type: ignore[misc]
        yield Variable(f"{name}.outlet_temperature", "degC", partial(shelves.outlet_temperature, i))
        yield Variable(f"{name}.fan_speed", "RPM", partial(shelves.fan_speed, i))
        for supply in row:
            yield from _supply_variables(shelves, supply)
    yield Variable("bus.current", "A", shelves.bus_current)


def _part(shelves: Shelves, supply: Supply) -> float:
    """What a supply carries of what its shelf does."""
    return 1.0 / sum(each.on for each in shelves.supplies[supply.shelf]) if supply.on else 0.0


def _input_voltage(supply: Supply) -> float:
    return supply.pdu.parameters.line_voltage if supply.has_mains and supply.pdu is not None else 0.0


def _input_current(shelves: Shelves, supply: Supply) -> float:
    """A: the power of the supply over its voltage and the power factor of the outlet that it hangs on."""
    if not supply.on or supply.pdu is None:
        return 0.0
    power = shelves.input_power(supply.shelf) * _part(shelves, supply)
    return power / (supply.pdu.parameters.line_voltage * supply.pdu.power_factor(supply.outlet))


def _supply_variables(shelves: Shelves, supply: Supply) -> Iterator[Variable]:
    i, name = supply.shelf, f"shelf[{supply.shelf + 1}].psu[{supply.number + 1}]"
    yield Variable(f"{name}.ok", "", lambda: float(supply.is_good))
    yield Variable(f"{name}.on", "", lambda: float(supply.on))
    yield Variable(f"{name}.input_power", "W", lambda: shelves.input_power(i) * _part(shelves, supply))
    yield Variable(f"{name}.input_voltage", "V", lambda: _input_voltage(supply))
    yield Variable(f"{name}.input_current", "A", lambda: _input_current(shelves, supply))
    yield Variable(f"{name}.output_current", "A", lambda: shelves.output_current(i) * _part(shelves, supply))
    yield Variable(f"{name}.output_power", "W", lambda: shelves.output_power(i) * _part(shelves, supply))
    yield Variable(f"{name}.outages", "", lambda: float(supply.outages))
    yield Variable(f"{name}.power_cycles", "", lambda: float(supply.power_cycles))


def shelf_inputs(shelves: Shelves, pdus: list[Pdu]) -> Iterator[Input]:
    """What can be commanded."""
    nominal = shelves.parameters.bus_voltage
    settable = (0.8 * nominal, 1.19 * nominal)  # 40 to 59.5 V in the map of ORv3 supplies
    for i, row in enumerate(shelves.supplies):
        name = f"shelf[{i + 1}]"
        yield Input(f"{name}.force_ac_loss", "", partial(shelves.set_ac_loss, row))
        yield Input(f"{name}.voltage_setpoint", "V", partial(shelves.set_voltage, i), *settable)
        for supply in row:
            one = partial(shelves.set_ac_loss, [supply])
            yield Input(f"{name}.psu[{supply.number + 1}].force_ac_loss", "", one)

    def hold(value: float) -> None:
        for pdu in pdus:
            pdu.hold_peaks(is_held=value >= 0.5)

    yield Input("peak_hold", "", hold)
    yield Input("source.dropout", "s", shelves.drop_out, 0.0, 10.0)
