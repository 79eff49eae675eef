"""What a pumping unit remembers of leaks: an entry for each place, which stays when the sensor is dry and reset again.

It is the black box of the AALC unit (OpenBIC, aalc-rpu): twelve entries, set when an alarm comes, cleared one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from sim.physics.variables import Input, Variable

ENTRIES = 12
PLACES = {5: "leak.cdu", 9: "leak.rack"}
"""Number of the entry -> the sensor behind it; the others have none."""


class BlackBox:
    """Remembers the sensors that were wet. It looks when it is read, and before a sensor is reset."""

    def __init__(self, variables: Iterable[Variable]) -> None:
        read = {variable.name: variable.read for variable in variables}
        self._sensors: dict[int, Callable[[], float]] = {number: read[name] for number, name in PLACES.items()}
        self._remembered: set[int] = set()

    def look(self) -> None:
        """Remember what is wet now."""
        self._remembered |= {number for number, read in self._sensors.items() if read() >= 0.5}

    def entry(self, number: int) -> float:
        """1 when there was a leak at a place since its entry was cleared."""
        self.look()
        return float(number in self._remembered)

    def write(self, number: int, value: float) -> None:
        """Clear an entry (0), or set it; one whose sensor is wet comes back at once."""
        self._remembered.discard(number)
        if value >= 0.5:
            self._remembered.add(number)

    def before(self, item: Input) -> Input:
        """An input of the loop that cannot make the box forget what it resets."""

        def apply(value: float) -> None:
            self.look()
            item.apply(value)

        return item._replace(apply=apply) if item.name == "leak.clear" else item

    def variables(self) -> Iterator[Variable]:
        """The entries."""
        for number in range(1, ENTRIES + 1):
            yield Variable(f"leak_log[{number}]", "", partial(self.entry, number))

    def inputs(self) -> Iterator[Input]:
        """Clearing them."""
        for number in range(1, ENTRIES + 1):
            yield Input(f"leak_log[{number}]", "", partial(self.write, number))
