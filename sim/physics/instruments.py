"""Bench instruments at the rack: an electronic load on the bus and a thermocouple scanner."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sim.physics.bus import NOMINAL_EFFICIENCY, Bus
from sim.physics.parameters import RackParameters
from sim.physics.variables import Input, Variable

LEAST_VOLTAGE = 1.0  # V, below which a load cannot draw its current


class ElectronicLoad:
    """Draws a constant current [A] from the bus while on; the bus power [W] becomes heat in the air."""

    def __init__(self, parameters: RackParameters, bus: Bus) -> None:
        self.rating = parameters.eload_current
        self._bus = bus
        self.setpoint = 0.0
        self.on = False

    def set_current(self, value: float) -> None:
        """Set the current in A."""
        self.setpoint = value

    def set_on(self, value: float) -> None:
        """Switch the input on (1) or off (0)."""
        self.on = value >= 0.5

    def current(self) -> float:
        """A drawn; zero without enough bus voltage."""
        return self.setpoint if self.on and self._bus.voltage() > LEAST_VOLTAGE else 0.0

    def power(self) -> float:
        """W drawn from the bus."""
        return self.current() * self._bus.voltage()

    def ac_power(self) -> float:
        """W this adds on the AC side."""
        return self.power() / NOMINAL_EFFICIENCY

    def variables(self) -> Iterator[Variable]:
        """What the load measures at its terminals."""
        yield Variable("eload.voltage", "V", self._bus.voltage)
        yield Variable("eload.current", "A", self.current)
        yield Variable("eload.power", "W", self.power)
        yield Variable("eload.on", "", lambda: float(self.on))

    def inputs(self) -> Iterator[Input]:
        """What can be commanded."""
        yield Input("eload.current", "A", self.set_current, 0.0, self.rating)
        yield Input("eload.on", "", self.set_on)


def scanner_variables(read: Callable[[str], float], air_rate: float) -> Iterator[Variable]:
    """Thermocouples 101 to 112: the loop's and the room's temperatures, exhaust air, and six places on the plates.

    `read` gives a true value by name, `air_rate` is the capacity rate of the air in W/K. Plates differ by their place:
    between 94 and 104 % of the mean rise over the coolant.
    """
    plain = (
        "loop.supply_temperature",
        "loop.return_temperature",
        "ambient.temperature",
        "plate.temperature",
        "facility.supply_temperature",
        "facility.return_temperature",
    )
    for channel, name in enumerate(plain, start=101):
        yield Variable(f"daq[{channel}].temperature", "degC", lambda name=name: read(name))  # type: ignore[misc]
    yield Variable(
        "daq[107].temperature", "degC", lambda: read("ambient.temperature") + read("rack.heat_air") / air_rate
    )
    for channel in range(108, 113):
        factor = 0.94 + 0.025 * (channel - 108)
        yield Variable(
            f"daq[{channel}].temperature",
            "degC",
            lambda factor=factor: (  # type: ignore[misc]
                read("loop.return_temperature") + factor * (read("plate.temperature") - read("loop.return_temperature"))
            ),
        )
