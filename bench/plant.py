"""What the simulated plant costs: microseconds of CPU per simulated second, settled and in a transient.

Run `python bench/plant.py`, or import `measure()` in a test.
"""

from __future__ import annotations

import sys
import time

from sim.physics import Plant


def powered(load: float = 100.0) -> Plant:
    """A plant with all outlets on and a settled load."""
    plant = Plant()
    for index in range(1, plant.parameters.shelves + 1):
        plant.command(f"outlet[{index}]", 1)
    plant.command("load", load)
    plant.advance(900.0)
    return plant


def _cost(plant: Plant, seconds: float, chop: float) -> float:
    """Microseconds of CPU per simulated second, advancing in calls of `chop` seconds."""
    start, begin = plant.time, time.process_time()
    for index in range(1, int(seconds / chop) + 1):
        plant.advance(start + index * chop)
    return (time.process_time() - begin) / seconds * 1e6


def measure(seconds: float = 3600.0) -> dict[str, float]:
    """Cost in us per simulated second: settled (called every 1 s and 0.1 s) and during 30 s after a load step."""
    plant = powered()
    figures = {"steady": _cost(plant, seconds, 1.0), "steady, 0.1 s calls": _cost(plant, seconds / 10, 0.1)}
    plant.command("load", 30)
    figures["transient"] = _cost(plant, 30.0, 1.0)
    begin = time.process_time()
    for _ in range(100):
        plant.snapshot()
    figures["one snapshot"] = (time.process_time() - begin) * 1e4
    return figures


def day(hours: int = 24) -> float:
    """Seconds of CPU for a day, seen every second, with a load step up and down every hour."""
    plant = powered()
    start, begin = plant.time, time.process_time()
    for hour in range(hours):
        for second in range(3600):
            if second == 0:
                plant.command("load", 30)
            elif second == 600:
                plant.command("load", 100)
            plant.advance(start + 3600 * hour + second + 1)
    return (time.process_time() - begin) * 24 / hours


def main() -> int:
    """Print the figures."""
    sys.stdout.write(f"{'a day':22s} {day():9.2f} s\n")
    for name, value in measure().items():
        sys.stdout.write(f"{name:22s} {value:9.1f} us\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
