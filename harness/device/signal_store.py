"""The latest value of every signal, who listens to which, derived signals, and how complete the data are."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from harness.clock import Clock
from harness.device.freeze import Freeze
from harness.errors import HarnessError
from harness.limits.derived import FUNCTIONS
from harness.quantity import Frame, Quality, Reading, SignalInfo, convert
from harness.schema.station import Derived

Listener = Callable[[float, float, int], None]
"""Called with (monotonic time, value, quality) for every sample of a signal."""

DERIVED = "derived"
_MUTE_PERIODS = 1.5
"""After so many of its periods without a frame a device does not set the pace of derived signals any more."""


class _Entry(Protocol):
    @property
    def poll(self) -> float: ...


class Source(Protocol):
    """What brings frames: a device, or as much of one as a proof test needs."""

    @property
    def name(self) -> str:
        """By this its frames are known."""

    @property
    def max_age(self) -> float:
        """Seconds after which a reading is STALE."""

    @property
    def entry(self) -> _Entry:
        """How often it is polled."""

    @property
    def signals(self) -> Sequence[SignalInfo]:
        """What its frames hold."""


@dataclass(slots=True)
class Coverage:
    """How many polls of a device were due, how many came, and how many were good."""

    period: float
    started: float
    received: int = 0
    good: int = 0

    def expected(self, now: float) -> int:
        """Polls due since the start."""
        return math.floor((now - self.started) / self.period + 1e-6)

    def fraction(self, now: float) -> float:
        """Share of the due polls that gave good data, 0 to 1."""
        due = self.expected(now)
        return min(1.0, self.good / due) if due else 1.0


@dataclass(slots=True)
class Integral:
    """The integral over time of a derived signal, by trapezoids between samples.

    Samples further apart than a reading may be old leave it unknown for good: what lacks a piece is not the whole.
    """

    hours: float = 0.0
    """How long it has been taken."""
    total: float = 0.0
    is_known: bool = True
    _last: tuple[float, float] | None = None
    """When the last sample came, and what it was."""

    def add(self, mono: float, rate: float, longest: float) -> None:
        """A sample: `rate` in the unit for each hour, at most `longest` s after the one before."""
        if self._last is not None:
            seconds = mono - self._last[0]
            self.is_known = self.is_known and seconds <= longest
            self.hours += seconds / 3600
            self.total += (rate + self._last[1]) / 2 * seconds / 3600
        self._last = (mono, rate)


class Formula:
    """One derived signal, compiled: where its inputs are and how their units convert."""

    def __init__(
        self, name: str, derived: Derived, places: Mapping[str, tuple[str, int]], infos: Mapping[str, SignalInfo]
    ) -> None:
        function = FUNCTIONS[derived.function]
        self.name = name
        self.references = tuple(derived.inputs.values())
        self.compute = function.compute
        reference = next(iter(derived.inputs.values()))
        first = infos[reference].unit if reference in infos else ""
        self.inputs: list[tuple[str, str, int, float, float]] = []
        for key, reference in derived.inputs.items():
            info = infos.get(reference)
            if info is None:
                raise HarnessError(f"derived signal {name} needs {reference}, which the device does not have")
            target = function.arrival(key, first)
            device, index = places[reference]
            offset = convert(0.0, info.unit, target)
            self.inputs.append((key, device, index, convert(1.0, info.unit, target) - offset, offset))
        own = function.result_unit(first)
        self.unit = derived.unit or own
        offset = convert(0.0, own, self.unit)
        self.scale, self.offset = convert(1.0, own, self.unit) - offset, offset
        self.integral = Integral() if function.is_integral else None
        """Where the signal is what `of` gives for each hour, taken over time."""

    def of(self, arguments: Mapping[str, float]) -> float:
        """What comes of arguments (in the units of the function), in the unit of the signal."""
        return self.compute(**arguments) * self.scale + self.offset

    def value(self, frames: Mapping[str, Frame], now: float, max_age: Mapping[str, float]) -> tuple[float, Quality]:
        """The value now; BAD when any input is missing, bad or too old."""
        arguments: dict[str, float] = {}
        for key, device, index, scale, offset in self.inputs:
            frame = frames.get(device)
            if frame is None or frame.qualities[index] or now - frame.mono > max_age[device]:
                return math.nan, Quality.BAD_INPUT
            arguments[key] = float(frame.values[index]) * scale + offset
        result = self.of(arguments)
        if self.integral is not None and math.isfinite(result):
            _, device, *_ = self.inputs[0]
            self.integral.add(frames[device].mono, result, max_age[device])
            if not self.integral.is_known:
                return math.nan, Quality.BAD_INPUT
            result = self.integral.total
        return (result, Quality.GOOD) if math.isfinite(result) else (math.nan, Quality.BAD_NAN)


class SignalStore:
    """Takes frames in, computes derived signals once per round, and tells listeners."""

    def __init__(
        self, devices: Sequence[Source], derived: Mapping[str, Derived], clock: Clock, freeze: Freeze | None = None
    ) -> None:
        self._clock = clock
        self._freeze = freeze
        self._derived = derived
        self._frames: dict[str, Frame] = {}
        self._places: dict[str, tuple[str, int]] = {}
        self._infos: dict[str, SignalInfo] = {}
        self._ages: dict[str, float] = {}
        self._listeners: dict[str, dict[int, list[Listener]]] = {}
        self._max_age: dict[str, float] = {DERIVED: math.inf}
        self.coverage: dict[str, Coverage] = {}
        self.schemas: dict[str, Sequence[SignalInfo]] = {}
        now = clock.monotonic()
        for device in devices:
            self._max_age[device.name] = device.max_age
            self.coverage[device.name] = Coverage(device.entry.poll, now)
            self.schemas[device.name] = device.signals
            for index, info in enumerate(device.signals):
                self._places[info.name] = (device.name, index)
                self._infos[info.name] = info
        self._formulas: list[Formula] = []
        self._pacers: list[str] = []
        """Inputs of derived signals, the slowest first."""
        self._awaited: set[str] = set()
        """Inputs of derived signals that have not come yet: nobody waits a round longer for what they complete."""
        for name, entry in derived.items():
            formula = Formula(name, entry, self._places, self._infos)
            self._ages[name] = max(self.max_age(reference) for reference in entry.inputs.values())
            self._places[name] = (DERIVED, len(self._formulas))
            self._infos[name] = SignalInfo(
                name,
                formula.unit,
                valid=FUNCTIONS[entry.function].valid_in(formula.unit),
                description=entry.description,
            )
            self._formulas.append(formula)
        if self._formulas:
            self.schemas[DERIVED] = [self._infos[formula.name] for formula in self._formulas]
            inputs = [device for formula in self._formulas for _, device, *_ in formula.inputs if device != DERIVED]
            self._awaited = set(inputs)
            self._pacers = sorted(set(inputs), key=lambda name: (self._period(name), name), reverse=True)
            self._max_age[DERIVED] = max(self._max_age[name] for name in self._pacers)

    def _period(self, device: str) -> float:
        return self.coverage[device].period

    def begin(self, *, again: bool = False) -> None:
        """A run begins: coverage and integrals count from now on. `again`: it goes on, and integrals lack what was."""
        now = self._clock.monotonic()
        for formula in self._formulas:
            if formula.integral is not None:
                formula.integral = Integral(is_known=not again)
        for coverage in self.coverage.values():
            coverage.started, coverage.received, coverage.good = now, 0, 0

    def take(self, frame: Frame) -> Frame | None:
        """Take a frame in and tell its listeners; returns the frame of derived signals when this one completes it.

        What stands still although it must move is STALE in the frame from here on.
        """
        self._frames[frame.device] = frame
        if self._freeze is not None:
            self._freeze.judge(frame, self._frames)
        coverage = self.coverage[frame.device]
        coverage.received += 1
        if _has_data(frame):
            coverage.good += 1
        self._tell(frame)
        is_complete = self._awaited == {frame.device}
        self._awaited.discard(frame.device)
        if self._formulas and (is_complete or self._paces(frame)):
            return self._derive(frame)
        return None

    def _paces(self, frame: Frame) -> bool:
        """Whether derived signals come with this frame: with the slowest input's, or the next one's while that is mute.

        So a device that falls silent takes away what is derived from it, and nothing else.
        """
        for name in self._pacers:
            if name == frame.device:
                return True
            last = self._frames.get(name)
            if last is None or frame.mono - last.mono < _MUTE_PERIODS * self._period(name):
                return False
        return False

    def _derive(self, pacer: Frame) -> Frame:
        count = len(self._formulas)
        values, qualities = np.full(count, math.nan), np.zeros(count, dtype=np.uint8)
        frame = Frame(DERIVED, pacer.wall_ns, pacer.mono, values, qualities)
        self._frames[DERIVED] = frame
        for k, formula in enumerate(self._formulas):
            values[k], qualities[k] = formula.value(self._frames, pacer.mono, self._max_age)
        self._tell(frame)
        return frame

    def _tell(self, frame: Frame) -> None:
        listeners = self._listeners.get(frame.device)
        if not listeners:
            return
        for index, callbacks in listeners.items():
            value, quality = float(frame.values[index]), int(frame.qualities[index])
            for callback in tuple(callbacks):
                callback(frame.mono, value, quality)

    def listen(self, signal: str, listener: Listener) -> Callable[[], None]:
        """Be told every sample of a signal; returns the function that ends it."""
        device, index = self._places[signal]
        callbacks = self._listeners.setdefault(device, {}).setdefault(index, [])
        callbacks.append(listener)

        def end() -> None:
            callbacks.remove(listener)
            if not callbacks:
                self._listeners[device].pop(index, None)

        return end

    def unproved(self, signals: Collection[str], repeats: int) -> list[str]:
        """See `Freeze.unproved`."""
        return self._freeze.unproved(signals, repeats) if self._freeze is not None else []

    def has(self, signal: str) -> bool:
        """Whether the signal exists on the devices that were found."""
        return signal in self._places

    def info(self, signal: str) -> SignalInfo:
        """What is known of a signal."""
        return self._infos[signal]

    def period(self, signal: str) -> float:
        """Seconds between samples of a signal."""
        device = self._places[signal][0]
        return self._period(self._pacers[0] if device == DERIVED and self._pacers else device)

    def device_of(self, signal: str) -> str:
        """The device whose frames bring the signal; `derived` for derived ones."""
        return self._places[signal][0]

    def max_age(self, signal: str) -> float:
        """Seconds after which a reading of the signal is STALE; of a derived one: when its slowest input would be."""
        return self._ages.get(signal) or self._max_age[self._places[signal][0]]

    def formula(self, signal: str) -> Formula | None:
        """How a derived signal is computed; None for one that a device shows."""
        device, index = self._places[signal]
        return self._formulas[index] if device == DERIVED and self._formulas else None

    def missing_input(self, signal: str) -> str:
        """The input for want of which a derived signal is not GOOD, and why; '' when there is none."""
        formula = self.formula(signal)
        for each in formula.references if formula is not None else ():
            reading = self.latest(each)
            if not reading.is_good:
                return self.missing_input(each) or f"{each}: {reading.quality.word}"
        return ""

    def frame(self, device: str) -> Frame | None:
        """The latest frame of a device."""
        return self._frames.get(device)

    def fresh_until(self, signal: str) -> float:
        """When the latest reading becomes STALE if no other comes; in the past when there is none."""
        frame = self._frames.get(self._places[signal][0])
        return -math.inf if frame is None else frame.mono + self.max_age(signal)

    def latest(self, signal: str) -> Reading:
        """The latest reading; STALE when older than the device's max_age, BAD when there is none."""
        device, index = self._places[signal]
        info = self._infos[signal]
        frame = self._frames.get(device)
        if frame is None:
            return Reading(signal, math.nan, info.unit, Quality.BAD_MISSING, 0, -math.inf)
        value, quality = float(frame.values[index]), Quality(int(frame.qualities[index]))
        if quality is Quality.GOOD and self._clock.monotonic() - frame.mono > self.max_age(signal):
            quality = Quality.STALE
        text = frame.texts.get(index, "") if info.is_text else info.word(value)
        reason = "" if quality is Quality.GOOD else self.reason(signal)
        return Reading(signal, value, info.unit, quality, frame.wall_ns, frame.mono, text, reason)

    def reason(self, signal: str) -> str:
        """Why a signal is not believed although its device answers; '' when nothing is known."""
        device, index = self._places[signal]
        frame = self._frames.get(device)
        if frame is not None and (why := frame.reasons.get(index)):
            return why
        if device != DERIVED:
            return self._freeze.reason(signal) if self._freeze is not None else ""
        derived = self._derived.get(signal)  # None on the bench of a proof test, which is given their values
        inputs = ((each, self.reason(each)) for each in (derived.inputs.values() if derived is not None else ()))
        return next((f"{each}: {why}" for each, why in inputs if why), "")


def _has_data(frame: Frame) -> bool:
    if not frame.qualities.size:
        return True
    return int(np.count_nonzero(frame.qualities)) < len(frame.qualities)
