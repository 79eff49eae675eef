"""Names and inputs of the coolant loop and the rack itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from sim.physics.inventory import ZONES
from sim.physics.loop import Loop
from sim.physics.parameters import LITRES_PER_MINUTE, RackParameters
from sim.physics.rack import Rack
from sim.physics.variables import Input, Variable

_CHOSEN = ((True, True), (True, False), (False, True))
"""Both pumps, the first, the second."""
LOST_WATER_PRESSURE = 20.0  # kPa left in a facility line without supply


def loop_variables(loop: Loop, parameters: RackParameters) -> Iterator[Variable]:
    """What is true of the coolant, the unit that pumps it, and the facility water."""
    p, inventory = parameters, loop.inventory
    yield Variable("loop.flow", "L/min", lambda: loop.flow / LITRES_PER_MINUTE)
    yield Variable("loop.supply_temperature", "degC", lambda: loop.supply)
    yield Variable("loop.return_temperature", "degC", lambda: loop.back)
    yield Variable("loop.supply_pressure", "kPa", lambda: loop.static_pressure + loop.rack_drop)
    yield Variable("loop.return_pressure", "kPa", lambda: loop.static_pressure)
    yield Variable("loop.differential_pressure", "kPa", lambda: loop.rack_drop)
    yield Variable("loop.level", "%", lambda: inventory.level)
    yield Variable("filter.differential_pressure", "kPa", lambda: loop.filter_drop)
    for i in (0, 1):
        name = f"pump[{i + 1}]"
        yield Variable(f"{name}.speed", "%", partial(lambda k: 100.0 * loop.speeds[k], i))
        yield Variable(f"{name}.rpm", "RPM", partial(lambda k: p.pump_rpm * loop.speeds[k], i))
        yield Variable(f"{name}.power", "W", partial(loop.pump_power, i))
        yield Variable(f"{name}.running", "", partial(lambda k: float(loop.is_running(k)), i))
    yield Variable("valve.position", "%", lambda: 100.0 * loop.valve)
    yield Variable("facility.supply_temperature", "degC", lambda: loop.facility_temperature)
    yield Variable("facility.return_temperature", "degC", lambda: loop.facility_return)
    yield Variable("facility.flow", "L/min", lambda: loop.primary_flow / LITRES_PER_MINUTE)
    lost = LOST_WATER_PRESSURE
    yield Variable("facility.supply_pressure", "kPa", lambda: lost if loop.facility_lost else p.facility_pressure)
    for zone in ZONES:
        yield Variable(f"leak.{zone}", "", partial(lambda z: float(inventory.pans[z].is_latched), zone))
    yield Variable("leak.volume", "mL", lambda: inventory.leaked)
    yield Variable("coolant.mass", "kg", lambda: inventory.mass)
    yield Variable("coolant.ph", "", lambda: 8.9 - 1e-4 * loop.filter_age)
    yield Variable("coolant.conductivity", "uS/cm", lambda: 2500.0 + 0.05 * loop.filter_age)


def loop_inputs(loop: Loop, parameters: RackParameters) -> Iterator[Input]:
    """What the unit's controller takes; manual duties act only in mode 0."""

    def duty(index: int, value: float) -> None:
        loop.duty[index] = value * 0.01

    def both(value: float) -> None:
        loop.duty[:] = [value * 0.01] * 2

    def mode(value: float) -> None:
        wanted = round(value)
        if wanted != loop.mode:
            loop.flow_integral = max(loop.speeds)  # so that automatic control takes over without a bump
            loop.mode = wanted

    def choose(value: float) -> None:
        loop.chosen = _CHOSEN[round(value)]

    def assign(name: str, value: float) -> None:
        setattr(loop, name, value)

    yield Input("pump.speed", "%", both, 0.0, 100.0)
    for i in (0, 1):
        yield Input(f"pump[{i + 1}].speed", "%", partial(duty, i), 0.0, 100.0)
    yield Input("pump.mode", "", mode, 0.0, 2.0)
    yield Input("pump.select", "", choose, 0.0, 2.0)
    yield Input("pump.run", "", lambda value: assign("run", value >= 0.5))
    least = 0.05 * parameters.design_flow
    yield Input("flow.setpoint", "L/min", partial(assign, "flow_setpoint"), least, 2 * parameters.design_flow)
    yield Input("supply_temperature.setpoint", "degC", partial(assign, "supply_setpoint"), 5.0, 60.0)
    yield Input("differential_pressure.setpoint", "kPa", partial(assign, "pressure_setpoint"), 1.0, 300.0)
    yield Input("valve.isolate", "", lambda value: assign("isolated", value >= 0.5))
    yield Input("leak.clear", "", lambda value: loop.inventory.clear() if value >= 0.5 else None)


def rack_variables(rack: Rack, parameters: RackParameters, uptime: Callable[[], float]) -> Iterator[Variable]:
    """What is true of the trays."""
    share = parameters.liquid_share
    yield Variable("rack.power", "W", lambda: rack.power + rack.extra)
    yield Variable("rack.load", "%", lambda: 100.0 * rack.running)
    yield Variable("rack.heat_liquid", "W", lambda: share * rack.power)
    yield Variable("rack.heat_air", "W", lambda: (1.0 - share) * rack.power + rack.extra)
    yield Variable("rack.asked", "%", lambda: 100.0 * rack.workload)
    yield Variable("rack.throttling", "", lambda: float(rack.is_throttling))
    yield Variable("rack.on", "", lambda: float(rack.is_on))
    yield Variable("rack.booting", "", lambda: float(rack.booting))
    yield Variable("rack.uptime", "s", uptime)
    yield Variable("plate.temperature", "degC", lambda: rack.plate)
    yield Variable("loop.heat", "W", lambda: max(0.0, rack.heat))  # meters of heat count one way


def rack_inputs(rack: Rack) -> Iterator[Input]:
    """The workload, and whether the trays are to run at all (1) or are shut down (0)."""

    def load(value: float) -> None:
        rack.workload = value * 0.01

    def trays(value: float) -> None:
        rack.shut = value < 0.5

    yield Input("load", "%", load, 0.0, 100.0)
    yield Input("trays", "", trays)
