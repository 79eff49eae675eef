"""Whether a verdict can be trusted: runs with lost data, broken sensors and a store that fails; and days of noise."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from random import Random
from typing import Any

from harness.limits.verdict import Verdict
from harness.record.verification import verify
from tests.chaos.rig import HEAD, Scene, play
from tests.chaos.table import Row
from tests.tools.lossy import WireFaults

PLAN = (
    HEAD
    + """
  - {step: measure, name: supply, signal: cdu.supply_temperature, over: 20 s, limit: {min: 10 degC, max: 50 degC}}
  - step: soak
    for: 40 s
    load: 60 %
    watch:
      - {signal: cdu.supply_temperature, max: 60 degC, for: 10 s}
      - {signal: pdu.power, min: 1 kW, for: 20 s}
"""
)
SOAK = (
    HEAD
    + """
  - step: soak
    for: HOURS h
    load: 100 %
    watch:
      - {signal: cdu.supply_temperature, max: 60 degC, for: 10 s}
"""
)
_FAULTS = ("device_silent", "device_down", "device_refuses", "device_slow", "sensor_nan", "sensor_stuck", "none")


class _Disturbance:
    """One random disturbance of one run."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.at = rng.uniform(0, 90)
        self.lasts = rng.choice([1.0, 4.0, 20.0, 1000.0])
        self.fault = rng.choice(_FAULTS)
        self.device = rng.choice(["pdu", "cdu", "shelf1", "switch", "rack", "daq"])
        self.store = rng.choice(["", "", "full", "dead"])
        self.loss = rng.choice([0.0, 0.01, 0.05, 0.3])
        if rng.random() < 0.5:
            self._be_mild()

    def _be_mild(self) -> None:
        """What a station lives through on most days, so that a PASS is within reach and has to be earned."""
        rng = self.rng
        self.fault = rng.choice(["none", "device_silent", "device_slow"])
        self.device = rng.choice(["shelf1", "switch", "daq"])
        self.lasts = rng.choice([0.5, 1.0, 3.0])
        self.store = ""
        self.loss = rng.choice([0.0, 0.002, 0.01])

    def __str__(self) -> str:
        store = f", store {self.store}" if self.store else ""
        return f"{self.fault} of {self.device} at {self.at:.0f} s for {self.lasts:.0f} s, loss {self.loss:.0%}{store}"

    async def __call__(self, scene: Scene) -> None:
        await scene.clock.sleep(self.at)
        if self.store:
            _break_store(scene, self.store)
        if self.fault == "none":
            return
        argument = f"{self.device}" if self.fault.startswith("device") else "cdu.supply_temperature"
        scene.simulation.inject(f"{self.fault}:{argument}")
        await scene.clock.sleep(self.lasts)
        if self.fault.startswith("device"):
            scene.simulation.inject(f"device_heal:{self.device}")


def _break_store(scene: Scene, how: str) -> None:
    store: Any = scene.runner.journal._store
    original = store.write

    def failing(batch: Any) -> None:
        if how == "full":
            raise sqlite3.OperationalError("database or disk is full")
        original(batch)
        raise OSError(5, "fsync failed")

    store.write = failing


async def randomised(count: int, data: Path, seed: int) -> Row:
    """Random runs: a PASS must have its record, its data and its journal."""
    rng = Random(seed)
    false_pass: list[str] = []
    raised: list[str] = []
    verdicts: dict[str, int] = {}
    for index in range(count):
        disturbance = _Disturbance(rng)
        folder = data / f"run{index}"
        folder.mkdir()
        wire_faults = WireFaults(loss=disturbance.loss, duplicate=disturbance.loss / 5) if disturbance.loss else None
        try:
            outcome, scene = await play(PLAN, folder, disturbance, seed=index, wire_faults=wire_faults)
        except Exception as error:
            raised.append(f"{disturbance}: {error!r}")
            continue
        verdicts[str(outcome.verdict)] = verdicts.get(str(outcome.verdict), 0) + 1
        if scene.of("bug"):
            raised.append(f"{disturbance}: {scene.of('bug')[0].text.splitlines()[-1]}")
        if any(scene.outlets()) and outcome.is_safe:
            false_pass.append(f"{disturbance}: said safe, outlets are on")
        if outcome.verdict is Verdict.PASS:
            problems = verify(outcome.folder)
            short = [
                each.device
                for each in outcome.result.coverage
                if each.received / each.expected * (each.good or 0) < 0.95
            ]
            if problems or short or not outcome.is_sealed or scene.runner.journal.is_failed:
                false_pass.append(f"{disturbance}: {problems or short or 'not sealed'}")
    shown = ", ".join(f"{number} {verdict}" for verdict, number in sorted(verdicts.items()))
    found = f"{len(false_pass)} false PASS, {len(raised)} tracebacks ({shown})"
    found += f"; first: {(false_pass + raised)[0]}" if false_pass or raised else ""
    return Row(f"{count} randomised runs", found, "0 false PASS, 0 tracebacks", not false_pass and not raised)


async def false_trips(hours: float, data: Path, seed: int) -> Row:
    """A soak at full load with sensor noise and 1 % loss of packets, each way."""
    outcome, scene = await play(SOAK.replace("HOURS", f"{hours:g}"), data, seed=seed, wire_faults=WireFaults(loss=0.01))
    trips = scene.runner.interlocks.trips if scene.runner.interlocks is not None else []
    found = f"{len(trips)} trips, {outcome.verdict}" + (
        f": {outcome.reason}" if outcome.verdict is not Verdict.PASS else ""
    )
    ok = not trips and outcome.verdict is Verdict.PASS
    return Row(f"{hours:g} simulated hours, 1 % loss, noise", found, "0 false trips", ok)
