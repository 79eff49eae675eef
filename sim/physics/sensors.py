"""What a sensor shows of the truth: lag, noise, resolution, and its faults (offset, stuck, NaN, zero)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from sim.physics.noise import gauss, stream

SLOT = 0.1  # s, within which the noise of one sensor does not change
RTD_TAU, FLOW_TAU, METER_TAU = 5.0, 1.0, 1.0  # s


class Spec(NamedTuple):
    """Noise of a kind of sensor: absolute and relative deviation, and the resolution it shows."""

    absolute: float
    relative: float
    resolution: float


_BY_UNIT = {
    "degC": Spec(0.03, 0.0, 0.01),
    "L/min": Spec(0.0, 0.005, 0.1),
    "kPa": Spec(0.2, 0.0, 0.1),
    "W": Spec(0.0, 0.005, 1.0),
    "A": Spec(0.0, 0.005, 0.01),
    "V": Spec(0.0, 0.0005, 0.01),
    "RPM": Spec(0.0, 0.004, 1.0),
    "Hz": Spec(0.005, 0.0, 0.01),
    "dBm": Spec(0.03, 0.0, 0.01),
    "kWh": Spec(0.0, 0.0, 0.001),
}
_BY_NAME = {
    "ambient.humidity": Spec(0.3, 0.0, 0.1),
    "loop.level": Spec(0.1, 0.0, 0.1),
    "coolant.ph": Spec(0.01, 0.0, 0.01),
    "coolant.conductivity": Spec(0.0, 0.003, 1.0),
}
_EXACT = Spec(0.0, 0.0, 0.0)
METERED = ("outlet", "phase", "pdu")
AIR_NOISE = 0.08  # relative deviation added to a flow meter that sees nothing but froth


class Sensors:
    """All sensors of the plant. Noise is a pure function of (seed, name, time slot)."""

    def __init__(self, seed: int, units: Mapping[str, str]) -> None:
        self._seed = seed
        self._units = units
        self._specs: dict[str, tuple[Spec, int]] = {}
        self.faults: dict[str, list[tuple[str, float]]] = {}
        self.frozen_meter: Callable[[str], float] | None = None

    def _spec(self, name: str) -> tuple[Spec, int]:
        found = self._specs.get(name)
        if found is None:
            spec = _BY_NAME.get(name) or _BY_UNIT.get(self._units[name], _EXACT)
            found = self._specs[name] = (spec, stream(self._seed, name))
        return found

    def show(self, name: str, value: float, time: float, air: float = 0.0) -> float:
        """What the sensor of `name` shows at plant time [s] of the lagged `value`; `air` 0..1 disturbs flow."""
        (absolute, relative, resolution), key = self._spec(name)
        if name == "loop.flow":
            relative += AIR_NOISE * air
        deviation = absolute + relative * abs(value)
        if deviation > 0.0:
            value += deviation * gauss(key, int(time / SLOT + 1e-6))
        faults = self.faults.get(name)
        if faults:
            for kind, amount in faults:
                value = value + amount if kind == "offset" else amount
        if resolution and math.isfinite(value):
            value = round(value / resolution) * resolution
        return value

    def add(self, name: str, kind: str, amount: float) -> Callable[[], None]:
        """Give a sensor a fault: kind `offset` adds amount, `stuck` shows it (NaN too). Returns what takes it away."""
        fault = (kind, amount)
        self.faults.setdefault(name, []).append(fault)

        def undo() -> None:
            self.faults[name].remove(fault)

        return undo


def is_metered(name: str) -> bool:
    """Whether a variable is measured by the PDU's meter."""
    return name.startswith(METERED) and name.rpartition(".")[2] not in ("state", "pending")
