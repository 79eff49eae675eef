"""The proof test of interlocks: at the start of a run each is made to trip, through the path that real frames take.

A store and an interlock of their own are built from the same files by the same code, and frames are put in as the
devices would send them: good ones that must not trip, then such as the sensor can really show that violate the bound,
one a poll for as long as `for` asks, then silence. An interlock that does not trip in its proof test would not trip in
the run either, so the run does not begin.

It costs what the interlocks concern, not what the station has, and lets others run every few milliseconds.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.clock import Clock
from harness.device.signal_store import SignalStore
from harness.limits.check import Check, compile_check
from harness.limits.rate import RATE_OVER_S, STEEPER, change_needed, rate_per_second
from harness.limits.span import shown_span, span, violating
from harness.quantity import Frame, SignalInfo
from harness.safety.interlocks import Interlocks
from harness.safety.precedence import Trip
from harness.schema.station import NEEDED, Interlock

_GOOD_FRAMES = 3
_BREATH_S = 0.005
"""How long a proof keeps the loop to itself."""
_FRAMES = 20
"""How many frames tell `for` apart, where devices are polled more often than that."""


class _SteppedClock(Clock):
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """The time it was put to."""
        return self.now

    def wall_ns(self) -> int:
        """Stamps do not matter here."""
        return 0


@dataclass(frozen=True, slots=True)
class Proof:
    """What the proof test of one interlock gave. `decision_s`: real time from the frame that trips to the trip."""

    interlock: str
    failure: str = ""
    decision_s: float = 0.0


class _Entry(NamedTuple):
    poll: float


class _Part(NamedTuple):
    """As much of a device as an interlock concerns."""

    name: str
    max_age: float
    entry: _Entry
    signals: Sequence[SignalInfo]


class _Trial:
    """One interlock on a store of its own, which holds only the signals that it names."""

    def __init__(self, spec: Interlock, store: SignalStore) -> None:
        self.spec = spec
        self.clock = _SteppedClock()
        named = [*spec.all_signals, *([spec.armed_when.signal] if spec.armed_when is not None else [])]
        signals: dict[str, list[SignalInfo]] = {}
        for signal in dict.fromkeys(named):
            signals.setdefault(store.device_of(signal), []).append(store.info(signal))
        parts = [
            _Part(name, max(store.max_age(info.name) for info in infos), _Entry(store.period(infos[0].name)), infos)
            for name, infos in signals.items()
        ]
        self.poll = max(part.entry.poll for part in parts)
        self.longest = max(part.max_age for part in parts)
        self.store = SignalStore(parts, {}, self.clock)
        self.trips: list[Trip] = []
        ages = {part.name: part.max_age for part in parts}
        self.interlocks = Interlocks(
            [spec.model_copy(update={"action": "trip"})], self.store, self.clock, ages, self.trips.append
        )
        self.values = {signal: _good(spec, store.info(signal)) for signal in spec.all_signals}
        if spec.armed_when is not None:
            signal = spec.armed_when.signal
            self.values[signal] = _inside(compile_check(spec.armed_when, store.info(signal)), store.info(signal))

    def begin(self) -> None:
        """Good frames, then arming."""
        for _ in range(_GOOD_FRAMES):
            self.clock.now += self.poll
            self.feed()
        self.interlocks.enter_steps(self.spec.armed_in[:1])
        self.interlocks.arm()

    def feed(self) -> None:
        """Put in one frame of each device concerned, with the chosen values, all GOOD."""
        for device, infos in self.store.schemas.items():
            values = np.array([self.values[info.name] for info in infos])
            self.store.take(Frame(device, 0, self.clock.now, values, np.zeros(len(infos), dtype=np.uint8)))
        for device in self.store.schemas:
            self.interlocks.after_frame(device)


async def prove(specs: Sequence[Interlock], store: SignalStore) -> list[Proof]:
    """Prove every interlock against the signals of a store; the failures are in the proofs."""
    proofs = []
    for spec in specs:
        proofs.append(await _prove_one(spec, store))
        await asyncio.sleep(0)
    return proofs


async def _prove_one(spec: Interlock, store: SignalStore) -> Proof:
    slowest = 0.0
    for course in _courses(_Trial(spec, store)):
        if course is None:
            shown = "; ".join(f"{signal} shows {shown_span(store.info(signal))}" for signal in spec.all_signals)
            return Proof(spec.name, f"nothing that can be shown violates it ({shown})")
        trial = _Trial(spec, store)
        trial.values.update(course.before)
        trial.begin()
        if trial.trips:
            return Proof(spec.name, f"it trips on good values ({trial.trips[0].reason})")
        after, took = await _violate(trial, course)
        if not trial.trips:
            return Proof(spec.name, "it does not trip on values that violate it")
        if after < spec.for_ - 1e-6:
            return Proof(spec.name, f"it trips after {after:g} s instead of {spec.for_:g} s")
        if trial.trips[0].sequence != spec.on_trip:
            return Proof(spec.name, f"it leads to {trial.trips[0].sequence!r} instead of {spec.on_trip!r}")
        slowest = max(slowest, took)
    silent = _Trial(spec, store)
    silent.begin()
    silent.clock.now += silent.longest + 0.001
    silent.interlocks.evaluate()
    return Proof(spec.name, "" if silent.trips else "it does not trip on silence", slowest)


async def _violate(trial: _Trial, course: _Course) -> tuple[float, float]:
    """Put violating frames in until it trips, or should have; (seconds since the first, real time of the last)."""
    breath = time.perf_counter()
    began = trial.clock.now + course.step
    while True:
        trial.clock.now += course.step
        since = trial.clock.now - began
        trial.values.update(course.values(since))
        started = time.perf_counter()
        trial.feed()
        took = time.perf_counter() - started
        if trial.trips or since > course.latest:
            return since, took
        if time.perf_counter() - breath > _BREATH_S:
            await asyncio.sleep(0)
            breath = time.perf_counter()


@dataclass(frozen=True, slots=True)
class _Course:
    """How signals violate an interlock: frames every `step` seconds, with values by the time since they began."""

    values: Callable[[float], dict[str, float]]
    step: float
    latest: float
    """When it must have tripped, seconds."""
    before: dict[str, float]
    """The good values that it begins from, where they are not just any."""


def _courses(trial: _Trial) -> Iterator[_Course | None]:
    """A course for the bounds and one for the rate; None for what the signals cannot show."""
    spec = trial.spec
    infos = [trial.store.info(signal) for signal in spec.all_signals[: NEEDED[spec.vote]]]
    if spec.quantities() or spec.words:
        bad = {info.name: violating(compile_check(spec, info), info) for info in infos}
        # as the devices are polled, or as often as `for` can be told apart with
        step = max(trial.poll, min(spec.for_ / _FRAMES, trial.longest / 2))
        can = all(math.isfinite(value) for value in bad.values())
        yield _Course(lambda _since: bad, step, spec.for_ + 2 * step, {}) if can else None
    if spec.max_rate is not None:
        ramps = {info.name: _ramp(spec, info, trial.poll) for info in infos}
        if not all(ramps.values()):
            yield None
            return
        climb = {name: ramp for name, ramp in ramps.items() if ramp is not None}

        def values(since: float) -> dict[str, float]:
            return {name: start + slope * since for name, (start, slope) in climb.items()}

        latest = RATE_OVER_S + spec.for_ + 2 * trial.poll
        yield _Course(values, trial.poll, latest, values(0.0))


def _ramp(spec: Interlock, info: SignalInfo, poll: float) -> tuple[float, float] | None:
    """(start, slope) of a change that is a little faster than allowed, inside what the signal can show.

    Where the bounds of the same interlock leave room, between them: it is the rate that is proved.
    """
    assert spec.max_rate is not None
    rate = rate_per_second(spec.max_rate, info)
    change = change_needed(rate, spec.for_, poll)
    low, high = span(info)
    check = _check(spec, info)
    bands = [(max(check.low, low), min(check.high, high)), (low, high)] if check is not None else [(low, high)]
    for low, high in bands:
        if change < high - low:
            around = _middle(low, high)
            return (around - change / 2 if math.isfinite(high - low) else around), STEEPER * rate
    return None


def _good(spec: Interlock, info: SignalInfo) -> float:
    check = _check(spec, info)
    return _inside(check, info) if check is not None else _middle(*span(info))


def _check(spec: Interlock, info: SignalInfo) -> Check | None:
    return compile_check(spec, info) if spec.quantities() or spec.words else None


def _inside(check: Check, info: SignalInfo) -> float:
    """A value that satisfies a check."""
    if check.codes is not None:
        return min(check.codes)
    if check.mask is not None:
        return 0.0
    low, high = span(info)
    return _middle(max(check.low, low), min(check.high, high))


def _middle(low: float, high: float) -> float:
    if math.isinf(low) and math.isinf(high):
        return 0.0
    if math.isinf(low):
        return high - 0.1 * abs(high) - 1.0
    if math.isinf(high):
        return low + 0.1 * abs(low) + 1.0
    return (low + high) / 2
