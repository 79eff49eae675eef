"""A battery shelf of the rack: what it holds, and whether it may feed the bus."""

from __future__ import annotations

from typing import ClassVar

CHARGE_TIME = 7200.0  # s from empty to full
EMPTY_VOLTAGE, FULL_VOLTAGE = 3.6, 4.1  # V of a cell


class Battery:
    """Rated for so many W and J. It waits in readiness; what took it out of that lasts until the mains are back."""

    OVERLOAD: ClassVar[float] = 1.5
    """Times its rating that a battery does not take over."""

    def __init__(self, rating: float, capacity: float, maximum: float, cells: int) -> None:
        self.rating = rating
        self.capacity = capacity
        self.energy = capacity
        self.cells = cells
        self.maximum = maximum
        """s that it may feed the bus in one go; 0: never."""
        self.is_active = False
        self.used = 0.0  # s that it has fed the bus, this time

    @classmethod
    def nothing(cls) -> Battery:
        """An empty bay."""
        return cls(0.0, 0.0, 0.0, 0)

    @property
    def is_ready(self) -> bool:
        """Whether it can feed the bus, or go on doing so."""
        return self.energy > 1e-6 and self.used < self.maximum - 1e-9

    @property
    def is_full(self) -> bool:
        """Whether there is nothing to charge."""
        return self.energy >= self.capacity

    @property
    def share(self) -> float:
        """Charge, 0..1."""
        return max(0.0, self.energy / self.capacity) if self.capacity > 0.0 else 0.0

    @property
    def voltage(self) -> float:
        """V of the pack."""
        return (
            self.cells * (EMPTY_VOLTAGE + (FULL_VOLTAGE - EMPTY_VOLTAGE) * self.share) if self.capacity > 0.0 else 0.0
        )

    def left(self, power: float) -> float:
        """How many s it can go on giving `power` W."""
        return min(self.energy / power if power > 0.0 else CHARGE_TIME, self.maximum - self.used)

    def discharge(self, h: float, power: float) -> None:
        """Give `power` W for h s."""
        self.energy -= power * h
        self.used += h

    @property
    def charging(self) -> float:
        """W that it takes from the mains as long as it is not full."""
        return 0.0 if self.is_active or self.is_full else self.capacity / CHARGE_TIME

    def charge(self, h: float) -> float:
        """Take from the mains for h s; the J taken."""
        taken = min(self.charging * h, self.capacity - self.energy)
        self.energy += taken
        return taken

    def rest(self) -> None:
        """The mains are back: ready for the next time."""
        self.is_active = False
        self.used = 0.0
