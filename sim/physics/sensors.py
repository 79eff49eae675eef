"""What a sensor shows of the truth: lag, noise, resolution, and its faults (offset, stuck, NaN, zero)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.physics.noise import gauss_all, stream
from sim.physics.spread import CLASSES, HOUR, REFERENCE, REFERENCE_CLASS, Accuracy, Bias, class_of

SLOT = 0.1  # s, within which the noise of one sensor does not change


class Spec(NamedTuple):
    """Noise of a kind of sensor: absolute and relative deviation, and the resolution it shows."""

    absolute: float
    relative: float
    resolution: float


_BY_UNIT = {
    "degC": Spec(0.03, 0.0, 0.01),
    "L/min": Spec(0.0, 0.005, 0.1),
    "kPa": Spec(0.2, 0.0, 0.1),
    "W": Spec(0.0, 0.001, 0.1),
    "A": Spec(0.0, 0.001, 0.0001),
    "V": Spec(0.0, 0.0005, 0.01),
    "RPM": Spec(0.0, 0.004, 1.0),
    "Hz": Spec(0.005, 0.0, 0.01),
    "dBm": Spec(0.03, 0.0, 0.01),
    "kWh": Spec(0.0, 0.0, 0.001),
}
_BY_NAME = {
    "ambient.humidity": Spec(0.3, 0.0, 0.1),
    "loop.level": Spec(0.1, 0.0, 0.1),
    "gas.pressure": Spec(0.01, 0.0, 0.001),
    "gas.pressure_check": Spec(0.05, 0.0, 0.01),
    "gas.line_pressure": Spec(0.05, 0.0, 0.01),
    "gas.room_pressure": Spec(0.01, 0.0, 0.001),
    "gas.room_temperature": Spec(0.01, 0.0, 0.001),
    "gas.temperature[1]": Spec(0.01, 0.0, 0.001),
    "gas.temperature[2]": Spec(0.01, 0.0, 0.001),
    **{f"bus.{kept}": Spec(0.0, 0.0, 0.001) for kept in ("voltage_max", "voltage_min", "recent_max", "recent_min")},
    "hipot.current": Spec(2e-8, 0.005, 1e-7),
    "hipot.result": Spec(0.0, 0.0, 1.0),
    "coolant.ph": Spec(0.01, 0.0, 0.01),
    "coolant.conductivity": Spec(0.0, 0.003, 1.0),
}
_EXACT = Spec(0.0, 0.0, 0.0)
AIR_NOISE = 0.08  # relative deviation added to a flow meter that sees nothing but froth


class Sensors:
    """All sensors of the plant. Noise is a pure function of (seed, name, time slot)."""

    def __init__(
        self, seed: int, units: Mapping[str, str], spread: float = 0.0, instruments: Mapping[str, str] | None = None
    ) -> None:
        """`instruments`: variable -> the instrument that measures it, where that measures several."""
        self._seed = seed
        self._units = units
        self._spread = spread
        self._instruments = instruments or {}
        self._time = 0.0
        self._biases: dict[str, Bias] = {}
        self._specs: dict[str, tuple[Spec, int]] = {}
        self.faults: dict[str, list[tuple[str, float]]] = {}
        self.frozen: dict[str, float] = {}  # what meters that stand still show
        self._rows: dict[str, int] = {}
        self._keys = np.empty(0, np.uint64)
        self._slot = 0
        self._drawn: list[float] | None = None
        self._drawn_array: NDArray[np.float64] | None = None
        self._faulty = 0

    def _spec(self, name: str) -> tuple[Spec, int]:
        found = self._specs.get(name)
        if found is None:
            spec = _BY_NAME.get(name) or _BY_UNIT.get(self._units[name], _EXACT)
            meter = self._instruments.get(name)  # all that one meter measures rests on the same reference
            key = name if meter is None else f"{meter} {self._units[name]}"
            found = self._specs[name] = (spec, stream(self._seed, key))
        return found

    def turn(self, time: float) -> None:
        """Plant time [s] has come this far: a new time slot has new noise."""
        self._time = time
        slot = int(time / SLOT + 1e-6)
        if slot != self._slot:
            self._slot, self._drawn, self._drawn_array = slot, None, None

    def bias(self, name: str) -> Accuracy:
        """By how much the sensor of a variable is out now, absolute and relative."""
        found = self._biases.get(name)
        if found is None:
            unit = self._units[name]
            instrument = self._instruments.get(name, name)
            spread = self._spread * (REFERENCE_CLASS if name.startswith(REFERENCE) else 1.0)
            found = Bias(self._seed, f"{instrument} {unit}", unit, spread, class_of(name, unit))
            self._biases[name] = found
        return found.at(self._time)

    def _draw(self) -> list[float]:
        drawn: list[float] = self._draw_array().tolist()
        self._drawn = drawn
        return drawn

    def _draw_array(self) -> NDArray[np.float64]:
        if self._drawn_array is None:
            self._drawn_array = gauss_all(self._keys, self._slot)
        return self._drawn_array

    def prepare(self, name: str, read: Callable[[], float], air: Callable[[], float]) -> Callable[[], float]:
        """How to see what the sensor of `name` shows of the lagged value `read()`, in the present time slot.

        `air()` 0..1 disturbs flow. The noise of all prepared sensors is drawn at once when it is first wanted.
        """
        (absolute, relative, resolution), key = self._spec(name)
        faults = self.faults.setdefault(name, [])
        if absolute == relative == resolution == 0.0:

            def exact() -> float:
                return _faulty(read(), faults) if faults else read()

            return exact
        row = self._rows.setdefault(name, len(self._rows))
        if row == len(self._keys):
            self._keys = np.append(self._keys, np.uint64(key))
            self._drawn = self._drawn_array = None
        is_flow = name == "loop.flow"
        is_out = bool(self._spread) and self._units[name] in CLASSES

        def shown() -> float:
            value = read()
            if is_out:
                out = self.bias(name)
                value += out.absolute + out.relative * value
            if value:
                share = relative + AIR_NOISE * air() if is_flow else relative
                value += (absolute + share * abs(value)) * (self._drawn or self._draw())[row]
            elif absolute:
                value += absolute * (self._drawn or self._draw())[row]
            if faults:
                value = _faulty(value, faults)
            if resolution and value - value == 0.0:
                value = round(value / resolution) * resolution
            return value

        return shown

    def is_plain(self, name: str) -> bool:
        """Whether the sensor has noise and resolution and nothing special, so that many can be seen at once."""
        (absolute, relative, resolution), _ = self._spec(name)
        return (absolute > 0.0 or relative > 0.0) and resolution > 0.0 and name != "loop.flow"

    def together(
        self, names: Sequence[str], reads: Sequence[Callable[[], float]], single: Sequence[Callable[[], float]]
    ) -> Callable[[], NDArray[np.float64]]:
        """How to see what plain sensors show (float64[n]): `reads` gives their lagged values, `single` each by itself.

        The result is that of the single ones to the last bit; while any sensor has a fault, they are asked.
        """
        specs = [self._spec(name)[0] for name in names]
        absolute, relative, resolution = (np.array([spec[k] for spec in specs]) for k in range(3))
        rows = np.array([self._rows[name] for name in names], np.intp)
        biases: list[Any] = [-1, 0.0, 0.0]  # the hour that they are of, absolute, relative

        def shown() -> NDArray[np.float64]:
            if self._faulty or self.frozen:
                return np.array([each() for each in single])
            drawn = self._draw_array()
            value = np.array([read() for read in reads])
            if self._spread:
                if biases[0] != (hour := int(self._time / HOUR)):
                    biases[:] = [hour, *np.array([self.bias(name) for name in names]).T]
                value += biases[1] + biases[2] * value
            spread = np.abs(value)
            spread *= relative
            spread += absolute
            spread *= drawn[rows]
            value += spread
            value /= resolution
            np.rint(value, out=value)
            value *= resolution
            value += 0.0  # no negative zero, as a whole number has none
            return value

        return shown

    def add(self, name: str, kind: str, amount: float) -> Callable[[], None]:
        """Give a sensor a fault: kind `offset` adds amount, `stuck` shows it (NaN too). Returns what takes it away."""
        fault = (kind, amount)
        self.faults.setdefault(name, []).append(fault)
        self._faulty += 1

        def undo() -> None:
            self.faults[name].remove(fault)
            self._faulty -= 1

        return undo


def _faulty(value: float, faults: list[tuple[str, float]]) -> float:
    for kind, amount in faults:
        value = value + amount if kind == "offset" else amount
    return value
