"""Air of the room: temperature and humidity over the day, and the dew point (Magnus)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from sim.physics.parameters import RackParameters
from sim.physics.variables import Variable

DAY = 86400.0
RISE_TIME = 60.0  # s over which a dew point fault develops


def dew_point(temperature: float, humidity: float) -> float:
    """Dew point in degC of air of `temperature` degC and `humidity` % relative humidity (Magnus formula)."""
    g = math.log(humidity / 100.0) + 17.625 * temperature / (243.12 + temperature)
    return 243.12 * g / (17.625 - g)


def humidity_at(temperature: float, dew: float) -> float:
    """Relative humidity in % of air of `temperature` degC with dew point `dew` degC, the inverse of the above."""
    return 100.0 * math.exp(17.625 * dew / (243.12 + dew) - 17.625 * temperature / (243.12 + temperature))


class Ambient:
    """A pure function of plant time, so nothing has to be integrated."""

    def __init__(self, parameters: RackParameters, now: Callable[[], float]) -> None:
        self.parameters = parameters
        self._now = now
        self._goal: tuple[float, float] | None = None  # dew point [degC] reached from plant time [s]

    def raise_dew_point(self, dew: float) -> None:
        """Let the dew point rise to `dew` degC within a minute."""
        self._goal = (dew, self._now())

    def restore(self) -> None:
        """Back to the usual air."""
        self._goal = None

    @property
    def is_moist(self) -> bool:
        """Whether air from elsewhere came in."""
        return self._goal is not None

    def _usual(self) -> tuple[float, float]:
        swing = math.sin(2.0 * math.pi * self._now() / DAY)
        return self.parameters.ambient_temperature + swing, self.parameters.ambient_humidity - 3.0 * swing

    def dew(self) -> float:
        """Dew point, degC."""
        usual = dew_point(*self._usual())
        if self._goal is None:
            return usual
        share = min(1.0, (self._now() - self._goal[1]) / RISE_TIME)
        return usual + share * (self._goal[0] - usual)

    def temperature(self) -> float:
        """Air temperature, degC; moist air from elsewhere is at least half a kelvin above its dew point."""
        usual = self._usual()[0]
        return usual if self._goal is None else max(usual, self.dew() + 0.5)

    def humidity(self) -> float:
        """Relative humidity, %."""
        return self._usual()[1] if self._goal is None else humidity_at(self.temperature(), self.dew())

    def variables(self) -> Iterator[Variable]:
        """What the room sensors measure."""
        yield Variable("ambient.temperature", "degC", self.temperature)
        yield Variable("ambient.humidity", "%", self.humidity)
        yield Variable("ambient.dew_point", "degC", self.dew)
