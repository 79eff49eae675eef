"""A plan on many good racks in virtual time: the verdicts, and how much of the racks' spread each limit leaves."""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.operators import Hands
from tests.plan_runs import PLANS, run_plan

SHORT: dict[str, dict[str, str]] = {
    "burn_in_24h": {"soak_time": "1 h"},
    "burn_in_72h": {"soak_time": "1 h"},
}
"""Settings of plans that last for days."""


def shipped() -> list[str]:
    """The plans that ship, by name."""
    return sorted(path.stem for path in PLANS.glob("*.yaml"))


STATIONS = {
    "cdu_acceptance": "cdu_bench",
    "leak_test": "leak_test",
    "power_acceptance": "power",
    "psu_acceptance": "psu_bench",
    "tray_acceptance": "trays",
    "two_feeds": "feeds_and_batteries",
}
"""Plans that need another station than the simulated rack."""


def station_of(plan: str) -> Path:
    """The station that a plan is judged on."""
    return PLANS / "stations" / f"{STATIONS.get(plan, 'simulated')}.yaml"


@dataclass(frozen=True)
class Judged:
    """What one rack came to: verdict, why, and (step, measurement, limit, low, high) -> value."""

    seed: int
    verdict: str
    reason: str
    values: dict[tuple[str, str, float, float], list[float]] = field(default_factory=dict)


def judge(plan: str, seed: int, settings: Mapping[str, Any] | None = None) -> Judged:
    """Carry a plan out on the rack that a seed is."""
    hands = Hands()  # some plans ask for somebody who makes leak sensors wet
    with tempfile.TemporaryDirectory() as folder:
        ran = run_plan(
            PLANS / f"{plan}.yaml",
            Path(folder),
            station=station_of(plan),
            seed=seed,
            settings=SHORT.get(plan, {}) if settings is None else settings,
            during=hands.meet,
            prompter=hands.answer,
        )
        outcome = ran.outcome
        values: dict[tuple[str, str, float, float], list[float]] = {}
        for step in outcome.result.steps:
            for one in step.measurements:
                if one.limit and one.value is not None:
                    low = -math.inf if one.low is None else one.low
                    high = math.inf if one.high is None else one.high
                    values.setdefault((one.limit, one.unit, low, high), []).append(one.value)
        return Judged(seed, str(outcome.verdict), outcome.reason, values)


def campaign(plan: str, seeds: Sequence[int], workers: int = 2) -> list[Judged]:
    """The plan on each of the racks."""
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(judge, [plan] * len(seeds), seeds))


def wrong(judged: Iterable[Judged]) -> list[str]:
    """The good racks that did not pass, and why."""
    return [f"seed {each.seed}: {each.verdict}, {each.reason}" for each in judged if each.verdict != "PASS"]


@dataclass(frozen=True)
class Left:
    """What a limit leaves of the spread of good racks."""

    limit: str
    unit: str
    low: float
    high: float
    mean: float
    sigma: float
    racks: int

    @property
    def sigmas(self) -> float:
        """From the mean of good racks to the nearer bound, in standard deviations of good racks."""
        nearest = min(self.mean - self.low, self.high - self.mean)
        return nearest / self.sigma if self.sigma > 0 else math.copysign(math.inf, nearest)

    @property
    def outside(self) -> float:
        """The share of good racks that lies beyond a bound, were they spread normally."""
        if self.sigma == 0:
            return 0.0 if self.sigmas > 0 else 1.0
        return sum(0.5 * math.erfc(distance / self.sigma / math.sqrt(2)) for distance in self._distances())

    def _distances(self) -> Iterator[float]:
        yield from (each for each in (self.mean - self.low, self.high - self.mean) if math.isfinite(each))


def left(judged: Iterable[Judged]) -> list[Left]:
    """For each limit, the tightest first. Several values of one rack under one limit: the one nearest to a bound."""
    found: dict[tuple[str, str, float, float], list[float]] = {}
    for rack in judged:
        for key, values in rack.values.items():
            found.setdefault(key, []).append(min(values, key=partial(_room, *key[2:])))
    rows = [
        Left(*key, statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0, len(values))
        for key, values in found.items()
    ]
    return sorted(rows, key=lambda row: row.sigmas)


def _room(low: float, high: float, value: float) -> float:
    """How far a value is from the nearer bound, inside."""
    return min(value - low, high - value)
