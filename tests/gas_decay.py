"""A leak test with gas on the plant itself, through its sensors: what an evaluation is given, and what was true."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

import numpy as np

from harness.analysis.leak_decay import Decay, Instruments, evaluate
from sim.physics import Plant

NOMINAL = Instruments(volume=60.0, volume_share=0.03, tracking_share=0.04, pressure_walk=0.05, temperature_walk=0.01)
"""What a test of the simulated panel states: volumes and thermometers differ by half of it (one standard deviation)."""
SETTLED = 0.05 / 60.0
"""K/s at which the gas counts as stable."""
EVERY = 2.0


@dataclass
class Taken:
    """Samples of a test in its hold, and the plant behind them."""

    plant: Plant
    times: list[float] = field(default_factory=list)
    pressures: list[float] = field(default_factory=list)
    celsius: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    settled_after: float = 0.0

    def evaluated(self, by: Instruments = NOMINAL) -> Decay:
        """As the step has it."""
        return evaluate(self.times, self.pressures, self.celsius, by)

    @property
    def true_loss(self) -> float:
        """sccm, mean over the hold."""
        return float(np.mean(self.losses))


def filled(seed: int, leak: float, spread: float = 1.0, settled: float = SETTLED, longest: float = 5400.0) -> Taken:
    """A rack that was filled fast to 500 kPa, closed off, and waited for until the gas is stable."""
    plant = Plant(seed=seed, spread=spread)
    plant.inject("gas_leak", f"{leak}")
    for name, value in (("gas.vent", 0.0), ("gas.setpoint", 500.0), ("gas.fill", 1.0)):
        plant.command(name, value)
    plant.advance(120.0)
    for name, value in (("gas.fill", 0.0), ("gas.isolate", 1.0), ("gas.vent", 1.0)):
        plant.command(name, value)
    plant.advance(130.0)
    plant.command("gas.vent", 0.0)
    taken = Taken(plant)
    seen: list[float] = []
    window = 60
    for k in count():
        plant.advance(130.0 + EVERY * k)
        seen.append(_temperature(plant))
        if len(seen) >= window:
            slope = float(np.polyfit(np.arange(window) * EVERY, seen[-window:], 1)[0])
            if abs(slope) <= settled or EVERY * k > longest:
                break
    taken.settled_after = plant.time
    return taken


def held(taken: Taken, loss: float | None = None, seconds: float = 1800.0) -> Taken:
    """The hold: pressure and mean temperature every two seconds, as the panel shows them.

    `loss`: what the rack truly loses at the begin, sccm; else the leak stays as it is.
    """
    plant, start = taken.plant, taken.plant.time
    if loss is not None and plant.gas.leak:
        plant.gas.leak *= loss / plant.truth("gas.lost")
    for k in range(1, int(seconds / EVERY) + 1):
        plant.advance(start + EVERY * k)
        taken.times.append(plant.time)
        taken.pressures.append(plant.sensed("gas.pressure"))
        taken.celsius.append(_temperature(plant))
        taken.losses.append(plant.truth("gas.lost"))
    return taken


def _temperature(plant: Plant) -> float:
    return 0.5 * (plant.sensed("gas.temperature[1]") + plant.sensed("gas.temperature[2]"))
