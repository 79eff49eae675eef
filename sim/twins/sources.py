"""What twins read and command: the plant by name, a few sums of its variables, and what was last commanded."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from harness.errors import ConfigError
from harness.quantity import convert

MAX_AGE_S = 0.05
"""Plant time by which a reading may lag: what is read within 50 ms comes from one state of the plant."""

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

    def names(self) -> Mapping[str, str]:
        """Variables and their units."""
        ...


class Sources:
    """The variables of one plant as the twins see them. `now` gives plant time in seconds."""

    def __init__(self, plant: PlantLike, commands: Mapping[str, str], defaults: Mapping[str, float]) -> None:
        self.plant = plant
        self.commands = dict(commands)
        self.now: Callable[[], float] = lambda: 0.0
        self._units = dict(plant.names())
        self._memory = dict(defaults)
        self._computed_at = float("-inf")
        self._own: dict[str, tuple[str, Read]] = {
            "pump.speed": ("%", lambda: self._over_pumps("speed", max)),
            "pump.power": ("W", lambda: self._over_pumps("power", sum)),
            "pdu.apparent_power": ("VA", self._apparent_power),
            **{f"phase[{i}].apparent_power": ("VA", partial(self._phase_apparent, i)) for i in (1, 2, 3)},
            "leak.zone[1]": ("", lambda: plant.sensed("leak.rack")),
            "leak.zone[2]": ("", lambda: plant.sensed("leak.cdu")),
            "eload.current_setpoint": ("A", lambda: self._memory.get("eload.current", 0.0)),
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

    def _phase_apparent(self, phase: int) -> float:
        return self.plant.sensed(f"phase[{phase}].voltage") * self.plant.sensed(f"phase[{phase}].current")

    def _apparent_power(self) -> float:
        factor = self.plant.sensed("pdu.power_factor")
        return self.plant.sensed("pdu.power") / factor if factor > 0.0 else 0.0

    def knows(self, name: str) -> bool:
        """Whether the variable exists in this plant."""
        return name in self._units or name in self._own or name in self.commands

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
            near = difflib.get_close_matches(name, [*self._units, *self._own, *self.commands], n=1)
            hint = f"did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"the plant has no variable {name!r}", where=where, hint=hint)
        return _converted(read, source_unit, unit)

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


def _converted(read: Read, source: str, target: str) -> Read:
    """The reading in another unit; units are linear, so two points of the conversion are enough."""
    if not source or not target or source == target or {source, target} == {"%", "%RH"}:
        return read  # the plant counts relative humidity in %
    base = convert(0.0, source, target)
    slope = convert(1.0, source, target) - base
    return lambda: base + slope * read()
