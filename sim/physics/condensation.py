"""Water from the air of the room on what is colder than its dew point."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sim.physics.ambient import Ambient
from sim.physics.loop import Loop
from sim.physics.variables import Variable

DRY_BELOW = 14.0  # degC, which the usual dew point never reaches: nothing to look at above it
TRANSFER = 0.007  # m/s, mass transfer of still air to a pipe (heat transfer 8 W/(m2 K) by Lewis' relation)
RUNS_OFF = 200.0  # g/m2, what a surface holds before it drips
VAPOUR = 461.5  # J/(kg K), gas constant of water vapour


def vapour_density(dew: float) -> float:
    """Kg of water in a m3 of air that is saturated at `dew` degC (Magnus)."""
    return 611.2 * math.exp(17.625 * dew / (243.12 + dew)) / (VAPOUR * (dew + 273.15))


class Condensation:
    """The film on the coldest surface: that of the supply line, or of the facility's pipe."""

    def __init__(self, loop: Loop, ambient: Ambient) -> None:
        self._loop = loop
        self._ambient = ambient
        self.film = 0.0  # g/m2

    @property
    def surface(self) -> float:
        """The coldest surface, degC."""
        return min(self._loop.supply, self._loop.facility_temperature)

    @property
    def is_wetting(self) -> bool:
        """Whether water condenses now."""
        return self.surface < self._ambient.dew()

    def step(self, h: float) -> None:
        """Let the film grow or dry for h seconds."""
        loop = self._loop
        if (
            self.film == 0.0
            and loop.supply > DRY_BELOW
            and loop.facility_temperature > DRY_BELOW
            and not self._ambient.is_moist
        ):
            return
        rate = TRANSFER * (vapour_density(self._ambient.dew()) - vapour_density(self.surface)) * 1e3
        self.film = min(RUNS_OFF, max(0.0, self.film + rate * h))

    def variables(self) -> Iterator[Variable]:
        """Whether it condenses, and how much water is there."""
        yield Variable("condensation.wetting", "", lambda: float(self.is_wetting))
        yield Variable("condensation.film", "", lambda: self.film)
