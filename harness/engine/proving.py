"""The proof test of interlocks: at the start of a run each is made to trip, through the path that real frames take.

A store and an interlock of their own are built from the same files by the same code, and frames are put in: a good one
that must not trip, then one that violates the bound (for as long as `for` asks), then silence. An interlock that does
not trip in its proof test would not trip in the run either, so the run does not begin.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.clock import Clock
from harness.device.device import Device
from harness.engine.interlocks import Interlocks
from harness.engine.signals import DERIVED, SignalStore
from harness.limits.check import Check, compile_check
from harness.quantity import Frame, SignalInfo, convert, difference_unit
from harness.safety.precedence import Trip
from harness.schema.station import Derived, Interlock

_NEEDED = {"1oo1": 1, "1oo2": 1, "2oo2": 2, "2oo3": 2}


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
    """What the proof test of one interlock gave. `decision_s`: real time from the violating frame to the trip."""

    interlock: str
    failure: str
    decision_s: float


class _Trial:
    """One interlock on a store of its own."""

    def __init__(self, spec: Interlock, devices: Sequence[Device], derived: Mapping[str, Derived]) -> None:
        self.spec = spec
        self.clock = _SteppedClock()
        self.store = SignalStore(devices, derived, self.clock)
        self.trips: list[Trip] = []
        ages = {device.name: device.max_age for device in devices}
        self.longest = max(ages.values())
        self.interlocks = Interlocks([spec], self.store, self.clock, ages, self.trips.append)
        self.values: dict[str, float] = {}

    def feed(self) -> None:
        """Put a frame of every device in, with the chosen values and 0 elsewhere, all GOOD."""
        for device, infos in self.store.schemas.items():
            values = np.array([self.values.get(info.name, 0.0) for info in infos])
            frame = Frame(device, 0, self.clock.now, values, np.zeros(len(infos), dtype=np.uint8))
            if device == DERIVED:
                self.store.take_derived(frame)
            else:
                self.store.take(frame)
            self.interlocks.after_frame(device)


def prove(specs: Sequence[Interlock], devices: Sequence[Device], derived: Mapping[str, Derived]) -> list[Proof]:
    """Prove every interlock; the failures are in the proofs."""
    return [_prove_one(spec, devices, derived) for spec in specs]


def _prove_one(spec: Interlock, devices: Sequence[Device], derived: Mapping[str, Derived]) -> Proof:
    trial = _Trial(spec, devices, derived)
    _make_good(trial)
    trial.feed()
    trial.interlocks.enter_step(spec.armed_in[0] if spec.armed_in else "")
    trial.interlocks.arm()
    if trial.trips:
        return Proof(spec.name, f"it trips on good values ({trial.trips[0].reason})", 0.0)
    trial.clock.now += 3.0 if spec.max_rate is not None else 1.0
    _violate(trial)
    started = time.perf_counter()
    trial.feed()
    if spec.for_:
        started = time.perf_counter()
        trial.clock.now += spec.for_ + 1e-6
        if spec.max_rate is not None and not trial.interlocks.trips:
            _violate(trial)
        trial.feed()
    took = time.perf_counter() - started
    if not trial.trips:
        return Proof(spec.name, "it does not trip on values that violate it", 0.0)
    if trial.trips[0].sequence != spec.on_trip:
        return Proof(spec.name, f"it leads to {trial.trips[0].sequence!r} instead of {spec.on_trip!r}", 0.0)
    silent = _Trial(spec, devices, derived)
    _make_good(silent)
    silent.feed()
    silent.interlocks.enter_step(spec.armed_in[0] if spec.armed_in else "")
    silent.interlocks.arm()
    silent.clock.now += silent.longest + 1.0
    silent.interlocks.evaluate()
    return Proof(spec.name, "" if silent.trips else "it does not trip on silence", took)


def _make_good(trial: _Trial) -> None:
    spec = trial.spec
    for signal in spec.all_signals:
        check = _check(spec, trial.store.info(signal))
        trial.values[signal] = _inside(check) if check is not None else 0.0
    if spec.armed_when is not None:
        signal = spec.armed_when.signal
        trial.values[signal] = _inside(compile_check(spec.armed_when, trial.store.info(signal)))


def _violate(trial: _Trial) -> None:
    spec = trial.spec
    for signal in spec.all_signals[: _NEEDED[spec.vote]]:
        info = trial.store.info(signal)
        check = _check(spec, info)
        if check is not None:
            trial.values[signal] = _outside(check, info)
        elif spec.max_rate is not None:
            change, per = spec.max_rate
            rate = convert(change.value, change.unit, difference_unit(info.unit)) / per
            trial.values[signal] += 10.0 * rate * max(3.0, spec.for_)


def _check(spec: Interlock, info: SignalInfo) -> Check | None:
    return compile_check(spec, info) if spec.quantities() or spec.words else None


def _inside(check: Check) -> float:
    if check.codes is not None:
        return min(check.codes)
    if check.mask is not None:
        return 0.0
    if math.isinf(check.low) and math.isinf(check.high):
        return 0.0
    if math.isinf(check.low):
        return check.high - 0.1 * abs(check.high) - 1.0
    if math.isinf(check.high):
        return check.low + 0.1 * abs(check.low) + 1.0
    return (check.low + check.high) / 2


def _outside(check: Check, info: SignalInfo) -> float:
    if check.codes is not None:
        other = [value for value in info.labels if value not in check.codes]
        return other[0] if other else max(check.codes) + 1.0
    if check.mask is not None:
        return float(next(1 << bit for bit in range(64) if not check.mask >> bit & 1))
    if math.isinf(check.high):
        return check.low - 0.1 * abs(check.low) - 1.0
    return check.high + 0.1 * abs(check.high) + 1.0
