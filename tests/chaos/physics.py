"""The two accidents that a burn-in station must survive, judged by the plant's ground truth in virtual time."""

from __future__ import annotations

from pathlib import Path

from harness.limits.verdict import Verdict
from tests.chaos.rig import HEAD, Scene, play
from tests.chaos.table import Row

FULL_LOAD = (
    HEAD
    + """
  - {step: set, name: full load, control: rack.level, to: 100 %}
  - {step: hold, for: 400 s}
"""
)
_TICK_S = 0.05
_OFF_W = 500.0
"""What the station calls off: below this there is no compute power."""


class _Watch:
    """What the truth shows from the moment of the accident on."""

    def __init__(self) -> None:
        self.at = 0.0
        self.power_before = 0.0
        self.power_off: float | None = None
        self.outlets_off: float | None = None
        self.pump_off: float | None = None
        self.hottest = 0.0


async def _accident(scene: Scene, fault: str, seen: _Watch) -> None:
    await scene.running("hold")
    await scene.clock.sleep(150)
    truth = scene.simulation.truth()
    seen.at, seen.power_before = scene.clock.monotonic(), truth["rack.power"]
    scene.simulation.inject(fault)
    while True:
        await scene.clock.sleep(_TICK_S)
        truth, now = scene.simulation.truth(), scene.clock.monotonic() - seen.at
        seen.hottest = max(seen.hottest, truth["plate.temperature"])
        if seen.power_off is None and truth["rack.power"] < _OFF_W and not any(scene.outlets()):
            seen.power_off = now
        if seen.outlets_off is None and not any(scene.outlets()):
            seen.outlets_off = now
        if seen.pump_off is None and now > 0 and truth["pump[1].running"] + truth["pump[2].running"] < 0.5:
            seen.pump_off = now


async def both_pumps(data: Path, seed: int) -> Row:
    """Both pumps stop at full load."""
    seen = _Watch()
    outcome, _ = await play(
        FULL_LOAD, data, lambda scene: _accident(scene, "both_pumps_stop", seen), seed=seed, linger=5
    )
    off = seen.power_off if seen.power_off is not None else float("inf")
    power, hottest = f"{seen.power_before / 1000:.0f} kW", f"{seen.hottest:.1f} degC"
    found = f"{power} off after {off:.1f} s, plate {hottest} at most, {outcome.verdict}"
    ok = off <= 10 and seen.hottest < 75 and outcome.verdict is Verdict.TRIPPED and outcome.is_safe
    return Row(
        "both pumps stop at full load", found, "power off <= 10 s, plate < 75 degC", ok and seen.power_before > 100
    )


async def leak(data: Path, seed: int) -> Row:
    """A leak in the rack at full load; counted from the moment the sensor of the CDU shows it."""
    seen = _Watch()
    outcome, scene = await play(
        FULL_LOAD, data, lambda scene: _accident(scene, "leak:rack=20", seen), seed=seed, linger=5
    )
    trips = [event.mono for event in scene.events if event.kind == "stop"]
    tripped = trips[0] - seen.at if trips else float("inf")
    off = seen.power_off - tripped if seen.power_off is not None else float("inf")
    pump = seen.pump_off if seen.pump_off is not None else float("-inf")
    later = pump - (seen.outlets_off or 0.0)
    found = f"seen after {tripped:.1f} s, power off {off:.1f} s later, pump {later:.2f} s after the outlets"
    ok = off <= 5 and seen.outlets_off is not None and pump >= seen.outlets_off and outcome.is_safe
    return Row("leak at full load", found, "power off <= 5 s, pump stopped after it", ok)
