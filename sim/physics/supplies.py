"""The power supplies in the shelves of a rack: where each gets its mains from, and whether it gives anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sim.physics.feeds import Feed
from sim.physics.pdu import PHASES, Pdu


@dataclass
class Supply:
    """One power supply; shelf, number, outlet and phase are counted from 0."""

    shelf: int
    number: int
    pdu: Pdu | None
    """None: no cord leads to it."""
    outlet: int
    phase: int
    is_good: bool = True
    ac_loss: bool = False
    """Told to take its mains for lost."""
    on: bool = False
    starting: int = 0
    """Order of the start that is under way, 0 for none."""
    had_mains: bool = False
    lost_at: float = -math.inf
    """Plant time at which it was left without mains while it fed the bus."""
    outages: int = 0
    power_cycles: int = 0

    @property
    def has_mains(self) -> bool:
        """Whether its phase is there, at the outlet of its cord and behind it."""
        return self.pdu is not None and not self.ac_loss and self.pdu.has_phase(self.outlet, self.phase)

    def count(self) -> None:
        """Notice that the mains came or went."""
        has = self.has_mains
        if has != self.had_mains:
            self.had_mains = has
            self.power_cycles += has
            self.outages += not has


def supplies_of(wiring: Sequence[tuple[Pdu, Feed]], shelves: int, psus: int) -> list[list[Supply]]:
    """The supplies of each shelf. Its cords share them out, each cord puts them on its phases in turn."""
    cords: list[list[tuple[Pdu, int]]] = [[] for _ in range(shelves)]
    for pdu, feed in wiring:
        for outlet, shelf in enumerate(feed.shelves):
            if 0 < shelf <= shelves:
                cords[shelf - 1].append((pdu, outlet))
    made = []
    for shelf, own in enumerate(cords):
        row = []
        for k in range(psus):
            cord = own[k * len(own) // psus] if own else None
            row.append(Supply(shelf, k, cord[0] if cord else None, cord[1] if cord else 0, k % PHASES))
        made.append(row)
    return made
