"""What the trays compute: rounds of one and the same calculation, and the trays that now and then get it wrong.

Every round has the same seed, so every result of every tray must be the same number. A round is a minute of work at
full load; at half load it takes two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from sim.physics.noise import stream, uniform
from sim.physics.variables import Variable

TRAYS = 18
ROUND_S = 60.0  # s of work at full load
_DIGITS = 10_000_000  # results are numbers that a double and nine digits hold exactly
_ALL = 1 << 62


@dataclass
class _Wrong:
    """A tray that computes a share of its rounds wrong, of rounds first to last."""

    tray: int
    share: float
    first: int
    last: int = _ALL


class Calculation:
    """`work()`: seconds at full load that the trays have worked since the beginning."""

    def __init__(self, seed: int, work: Callable[[], float]) -> None:
        self._seed = seed
        self._work = work
        self._wrong: list[_Wrong] = []
        self.right = float(stream(seed, "calculation") % _DIGITS)

    def round(self) -> int:
        """The number of the last finished round; 0: none yet."""
        return int(self._work() / ROUND_S + 1e-9)

    def is_wrong(self, tray: int, number: int) -> bool:
        """Whether a tray (0..17) got a round wrong."""
        return any(
            each.tray == tray
            and each.first <= number <= each.last
            and uniform(stream(self._seed, f"sdc[{tray}]"), number) < each.share
            for each in self._wrong
        )

    def result(self, tray: int) -> float:
        """What a tray (0..17) has as the result of the last finished round; 0 before there is one."""
        number = self.round()
        if number == 0:
            return 0.0
        if not self.is_wrong(tray, number):
            return self.right
        return float(int(self.right) ^ 1 << number % 20)  # one bit of it is another one

    def spoil(self, tray: int, share: float) -> Callable[[], None]:
        """From the round that runs now on, a tray gets a share of them wrong; what is returned ends it."""
        wrong = _Wrong(tray, share, self.round() + 1)
        self._wrong.append(wrong)

        def undo() -> None:
            wrong.last = self.round()

        return undo

    def variables(self) -> Iterator[Variable]:
        """What the workload agent tells."""
        yield Variable("workload.round", "", lambda: float(self.round()))
        for tray in range(TRAYS):
            yield Variable(f"workload[{tray + 1}].result", "", partial(self.result, tray))
