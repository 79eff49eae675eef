"""Names and inputs of the single trays."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sim.physics.loop import Loop
from sim.physics.parameters import LITRES_PER_MINUTE
from sim.physics.rack import Rack
from sim.physics.variables import Input, Variable


def tray_variables(rack: Rack, loop: Loop) -> Iterator[Variable]:
    """What is true of each tray, and what its sensors measure; no tray has a flow meter."""
    trays = rack.trays
    for k in range(trays.count):
        name, pan = f"tray[{k + 1}]", loop.inventory.tray_pans[k]
        yield Variable(f"{name}.on", "", partial(lambda i: float(rack.is_tray_on(i)), k))
        yield Variable(f"{name}.throttling", "", partial(lambda i: float(rack.is_tray_throttling(i)), k))
        yield Variable(f"{name}.power", "W", partial(lambda i: float(trays.power[i]), k))
        flow = partial(lambda i: float(trays.share[i]) * loop.flow / LITRES_PER_MINUTE, k)
        yield Variable(f"{name}.flow", "L/min", flow)
        yield Variable(f"{name}.outlet_temperature", "degC", partial(lambda i: float(trays.fluids[i]), k))
        yield Variable(f"{name}.plate_temperature", "degC", partial(lambda i: float(trays.plates[i]), k))
        yield Variable(f"{name}.junction_temperature", "degC", partial(trays.junction, k))
        yield Variable(f"{name}.leak", "", partial(lambda each: float(each.is_latched), pan))


def tray_inputs(rack: Rack) -> Iterator[Input]:
    """Whether a tray is to run (1) or is forced off (0)."""

    def switch(index: int, value: float) -> None:
        rack.forced[index] = value < 0.5
        rack.changed()

    for k in range(rack.trays.count):
        yield Input(f"tray[{k + 1}].run", "", partial(switch, k))
