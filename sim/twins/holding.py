"""What one device shows of the plant: everything as it is, or values that stand still for a while or for ever."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.twins.sources import Read, Sources


class Holding:
    """The plant as one device sees it, whose measuring part may refresh rarely, or not at all, while it answers.

    Stands before the `Sources` of the station, with the functions that twins use.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.refresh, self.command, self.knows = sources.refresh, sources.command, sources.knows
        self._period = 0.0  # s between two refreshes, 0: always fresh
        self._is_all = False  # states too, not only quantities
        self._taken = -math.inf
        self._held: dict[Read, float] = {}
        self._shown: list[Read] = []

    def now(self) -> float:
        """Plant time in s."""
        return self._sources.now()

    def hold(self, period: float, *, everything: bool) -> None:
        """Show quantities that are renewed every `period` s (0: always); with `everything`, states too."""
        self._period, self._is_all = period, everything
        self._renew()

    def _renew(self) -> None:
        """Take every value again, all at the same moment."""
        self._held.clear()
        if self._period:
            self._sources.refresh(force=True)
            self._taken = self.now()
            for shown in self._shown:
                shown()

    def reader(self, name: str, unit: str, where: str) -> Read:
        """See `Sources.reader`."""
        read = self._sources.reader(name, unit, where)
        held = self._held

        def shown() -> float:
            if not self._period or not (unit or self._is_all):
                return read()
            if self.now() - self._taken >= self._period:
                self._renew()
            if shown not in held:
                held[shown] = read()
            return held[shown]

        self._shown.append(shown)
        self._sources.alike(shown, read)
        return shown

    def scaled(self, read: Read, factor: float) -> Read:
        """See `Sources.scaled`."""
        return self._sources.scaled(read, factor)

    def together(self, reads: Sequence[Read]) -> Callable[[], NDArray[np.float64]]:
        """See `Sources.together`."""
        fresh = self._sources.together(reads)
        return lambda: np.array([read() for read in reads], np.float64) if self._period else fresh()
