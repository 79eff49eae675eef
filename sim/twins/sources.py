"""What twins read and command: the plant by name, a few sums of its variables, and what was last commanded."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.errors import ConfigError
from harness.quantity import convert
from sim.physics.feeds import scoped

MAX_AGE_S = 0.05
"""Plant time by which a reading may lag: what is read within 50 ms comes from one state of the plant."""

FEW = 8
"""Fewer readings than these cost less one by one than as an array."""

Read = Callable[[], float]


class PlantLike(Protocol):
    """What the twins need of the plant."""

    def advance(self, t: float) -> None:
        """Compute the state at plant time `t` [s]."""
        ...

    def sensed(self, name: str) -> float:
        """What a sensor shows of a variable now, NaN when it has failed."""
        ...

    def sensor(self, name: str) -> Read:
        """`sensed` of one variable, to be called again and again."""
        ...

    def command(self, name: str, value: float) -> None:
        """Move an input."""
        ...

    def is_plain(self, name: str) -> bool:
        """Whether a variable may be among those of `together`."""
        ...

    def together(self, names: Sequence[str]) -> Callable[[], NDArray[np.float64]]:
        """`sensed` of several plain variables at once."""
        ...

    def names(self) -> Mapping[str, str]:
        """Variables and their units."""
        ...


class Sources:
    """The variables of one plant as the twins see them. `now` gives plant time in seconds."""

    def __init__(
        self,
        plant: PlantLike,
        commands: Mapping[str, str],
        defaults: Mapping[str, float],
        pdus: Sequence[str] = ("",),
    ) -> None:
        self.plant = plant
        self.commands = dict(commands)
        self.now: Callable[[], float] = lambda: 0.0
        self._units = dict(plant.names())
        self._memory = dict(defaults)
        self._computed_at = float("-inf")
        self._linear: dict[Read, tuple[str, float, float, float]] = {}
        self._own: dict[str, tuple[str, Read]] = {
            "pump.speed": ("%", lambda: self._over_pumps("speed", max)),
            "pump.power": ("W", lambda: self._over_pumps("power", sum)),
            **{scoped(pdu, "pdu.apparent_power"): ("VA", partial(self._apparent_power, pdu)) for pdu in pdus},
            **{
                scoped(pdu, f"phase[{i}].apparent_power"): ("VA", partial(self._phase_apparent, pdu, i))
                for pdu in pdus
                for i in (1, 2, 3)
            },
            "leak.zone[1]": ("", lambda: plant.sensed("leak.rack")),
            "leak.zone[2]": ("", lambda: plant.sensed("leak.cdu")),
            "eload.current_setpoint": ("A", lambda: self._memory.get("eload.current", 0.0)),
            **({"load": ("%", lambda: plant.sensed("rack.asked"))} if "rack.asked" in self._units else {}),
        }

    def refresh(self, *, force: bool = False) -> None:
        """Advance the plant to now, unless it was less than 50 ms ago."""
        now = self.now()
        if force or now - self._computed_at >= MAX_AGE_S:
            self.plant.advance(now)
            self._computed_at = now

    def _over_pumps(self, what: str, how: Callable[[list[float]], float]) -> float:
        names = [f"pump[{i}].{what}" for i in range(1, 9)]
        return how([self.plant.sensed(name) for name in names if name in self._units])

    def _phase_apparent(self, pdu: str, phase: int) -> float:
        name = scoped(pdu, f"phase[{phase}]")
        return self.plant.sensed(f"{name}.voltage") * self.plant.sensed(f"{name}.current")

    def _apparent_power(self, pdu: str) -> float:
        factor = self.plant.sensed(scoped(pdu, "pdu.power_factor"))
        return self.plant.sensed(scoped(pdu, "pdu.power")) / factor if factor > 0.0 else 0.0

    def knows(self, name: str) -> bool:
        """Whether the variable exists in this plant."""
        return name in self._units or name in self._own or name in self.commands

    def units(self) -> dict[str, str]:
        """Every variable that can be read, and its unit."""
        return {**self.commands, **self._units, **{name: unit for name, (unit, _) in self._own.items()}}

    def nearest(self, name: str, known: Iterable[str]) -> str:
        """A hint with the name that looks most like it, '' when none does."""
        near = difflib.get_close_matches(name, list(known), n=1)
        return f"did you mean {near[0]!r}?" if near else ""

    def is_beyond(self, name: str) -> bool:
        """Whether it is `x[n].y` of a kind the plant has, with a number that it does not have."""
        head, bracket, rest = name.partition("[")
        tail = rest.partition("]")[2]
        return bool(bracket) and self.knows(f"{head}[1]{tail}") and not self.knows(name)

    def reader(self, name: str, unit: str, where: str) -> Read:
        """How to read a variable in `unit`; ConfigError names the nearest when there is none of that name."""
        if name in self._units:
            source_unit, read = self._units[name], self._plant_reader(name)
        elif name in self._own:
            source_unit, read = self._own[name]
        elif name in self.commands:
            source_unit, read = self.commands[name], lambda: self._memory.get(name, 0.0)
        elif self.is_beyond(name):
            return lambda: 0.0
        else:
            hint = self.nearest(name, [*self._units, *self._own, *self.commands])
            raise ConfigError(f"the plant has no variable {name!r}", where=where, hint=hint)
        converted, base, slope = _converted(read, source_unit, unit)
        if name in self._units and self.plant.is_plain(name):
            self._linear[converted] = name, base, slope, 1.0
        return converted

    def alike(self, shown: Read, read: Read) -> None:
        """Take `shown` for the reading `read` where many are called at once."""
        if read in self._linear:
            self._linear[shown] = self._linear[read]

    def scaled(self, read: Read, factor: float) -> Read:
        """A reading times a factor."""
        if factor == 1.0:
            return read

        def scaled() -> float:
            return factor * read()

        if read in self._linear:
            name, base, slope, before = self._linear[read]
            if before == 1.0:
                self._linear[scaled] = name, base, slope, factor
        return scaled

    def together(self, reads: Sequence[Read]) -> Callable[[], NDArray[np.float64]]:
        """How to call many readings at once (float64[n]), with the results that they give one by one."""
        plain = [k for k, read in enumerate(reads) if read in self._linear]
        if len(plain) < FEW:
            return lambda: np.array([read() for read in reads], np.float64)
        others = [k for k, read in enumerate(reads) if read not in self._linear]
        rest = [reads[k] for k in others]
        names = [self._linear[reads[k]][0] for k in plain]
        base, slope, factor = (np.array([self._linear[reads[k]][part] for k in plain]) for part in (1, 2, 3))
        shown = self.plant.together(names)
        count, here, there = len(reads), np.array(plain, np.intp), np.array(others, np.intp)

        def values() -> NDArray[np.float64]:
            value = shown()
            value *= slope
            value += base
            value *= factor
            if not rest:
                return value
            result = np.empty(count)
            result[here] = value
            result[there] = [read() for read in rest]
            return result

        return values

    def _plant_reader(self, name: str) -> Read:
        return self.plant.sensor(name)

    def command(self, name: str, value: float, unit: str) -> None:
        """Move an input of the plant to `value` of `unit`, at the present plant time; beyond the plant: nothing."""
        self.refresh(force=True)
        if name not in self.commands:
            return
        target = self.commands[name]
        native = convert(value, unit, target) if unit and target else value
        self.plant.command(name, native)
        self._memory[name] = native
        self._computed_at = float("-inf")


def _converted(read: Read, source: str, target: str) -> tuple[Read, float, float]:
    """The reading in another unit, base + slope * value; units are linear, so two points are enough."""
    if not source or not target or source == target or {source, target} == {"%", "%RH"}:
        return read, 0.0, 1.0  # the plant counts relative humidity in %
    base = convert(0.0, source, target)
    slope = convert(1.0, source, target) - base
    return lambda: base + slope * read(), base, slope
