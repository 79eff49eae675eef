"""Interlocks by the thousand: random crossings that must trip, and noise that must not. No devices: frames by hand."""

from __future__ import annotations

import math
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np

from harness.device.signal_store import SignalStore
from harness.quantity import Frame, Quality, SignalInfo
from harness.safety.interlocks import Interlocks
from harness.safety.precedence import Trip
from harness.schema.station import Interlock
from tests.chaos.table import Row

_TICK_S = 0.25


class _Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall_ns(self) -> int:
        return int(self.now * 1e9)


class _World:
    """One signal `dev.x`, one interlock on it, frames and ticks as a run would have them."""

    def __init__(self, spec: dict[str, Any], period: float) -> None:
        self.time = _Time()
        self.period = period
        self.trips: list[Trip] = []
        self.spec = Interlock.model_validate({"name": "x", "signal": "dev.x", **spec})
        self.max_age = 3 * period
        self.arm()

    def arm(self) -> None:
        """A new run on the same world: nothing is known, everything is armed."""
        device: Any = SimpleNamespace(
            name="dev",
            max_age=self.max_age,
            entry=SimpleNamespace(poll=self.period),
            signals=[SignalInfo("dev.x", "degC")],
        )
        clock: Any = self.time
        self.store = SignalStore([device], {}, clock)
        self.locks = Interlocks([self.spec], self.store, clock, {"dev": self.max_age}, self.trips.append)

    def frame(self, value: float, quality: int = 0) -> None:
        """One poll's answer."""
        number = math.nan if quality else value
        frame = Frame("dev", self.time.wall_ns(), self.time.now, np.array([number]), np.array([quality], np.uint8))
        self.store.take(frame)
        self.locks.after_frame("dev")


def _crossing(rng: Random) -> str:
    """One random crossing; '' when it tripped in time, else what was missed."""
    period = rng.choice([0.2, 0.5, 1.0, 2.0])
    hold = rng.choice([0.0, 0.0, 1.0, 2.0, 5.0])
    high = rng.random() < 0.5
    world = _World({"max" if high else "min": "50 degC", "for": f"{hold} s"}, period)
    fine, bad = (
        (50 - rng.uniform(0.1, 30), 50 + rng.uniform(0.1, 30))
        if high
        else (50 + rng.uniform(0.1, 30), 50 - rng.uniform(0.1, 30))
    )
    place = rng.choice(["at start", "in the middle", "in a gap", "at resume"])
    lost = rng.choice([0.0, 0.05, 0.3])
    start = world.time.now
    crosses = start + (0.0 if place == "at start" else rng.uniform(3, 10) * period)
    gap = (
        (crosses - rng.uniform(0, 4) * period, crosses + rng.uniform(0, 6) * period)
        if place == "in a gap"
        else (0.0, 0.0)
    )
    resumes = crosses + rng.uniform(0, 2) * period if place == "at resume" else math.inf
    deadline = max(crosses, resumes if resumes < math.inf else 0) + hold + world.max_age + 4 * period + 2 * _TICK_S
    if lost == 0.0 and place in ("at start", "in the middle"):
        deadline = crosses + hold + 2 * period + 2 * _TICK_S
    next_poll, next_tick, is_armed = start + rng.uniform(0, period), start, False
    while world.time.now < deadline:
        world.time.now = now = min(next_poll, next_tick)
        if now >= resumes:
            resumes = math.inf
            world.arm()
            is_armed = False
        if now >= next_poll:
            next_poll += period
            if not (gap[0] <= now <= gap[1] or rng.random() < lost):
                world.frame(bad if now >= crosses else fine)
            elif rng.random() < 0.5:
                world.frame(math.nan, Quality.BAD_TIMEOUT)
            if not is_armed:
                world.locks.arm()
                is_armed = True
        if now >= next_tick:
            next_tick += _TICK_S
            world.locks.evaluate()
        if world.trips:
            return ""
    return f"{place}: limit crossed at {crosses - start:.2f} s, `for` {hold} s, period {period} s, loss {lost:.0%}"


def crossings(count: int, seed: int) -> Row:
    """Random limit crossings."""
    rng = Random(seed)
    missed = [text for text in (_crossing(rng) for _ in range(count)) if text]
    found = f"{len(missed)} missed" + (f", first: {missed[0]}" if missed else "")
    return Row(f"{count} random limit crossings", found, "0 missed", not missed)
