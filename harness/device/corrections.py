"""What a run takes off what devices show, and how well the rest is known. For steps; interlocks see what is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from harness.device.signal_store import Formula, Integral, SignalStore
from harness.limits.uncertainty import COVERAGE_FACTOR, Accuracy, Sources, Zero, of_sensor, through, total
from harness.quantity import Reading, difference_unit


class Corrections:
    """The zeros of one run over its signal store, and the declared accuracies of its signals."""

    def __init__(self, store: SignalStore, accuracy: Mapping[str, Accuracy]) -> None:
        self._store = store
        self._accuracy = accuracy
        self._zeros: dict[str, Zero] = {}
        self._changes: dict[str, bool] = {}
        """signal -> whether a zero of its own or of an input changes it."""

    def add(self, signal: str, zero: Zero) -> str:
        """Take this off the signal from here on, in the place of what was; returns it in words."""
        self._zeros[signal] = zero
        self._changes.clear()
        unit = difference_unit(self._store.info(signal).unit)
        return f"{signal}: {zero.offset:.3g} {unit} is taken off (standard uncertainty {zero.own_u:.2g} {unit})"

    @property
    def zeros(self) -> Mapping[str, Zero]:
        """What is taken off, by signal."""
        return self._zeros

    def accuracy(self, signal: str) -> Accuracy | None:
        """By how much the signal may be out, as the station declares it; None: it does not."""
        return self._accuracy.get(signal)

    def value(self, signal: str, shown: float) -> float:
        """What a shown value is without the zeros: of the signal itself, and of all that it is derived from."""
        if not self._zeros or not self._is_changed(signal):
            return shown
        if (formula := self._store.formula(signal)) is not None:
            if formula.integral is not None:  # a zero is the same for all of the time
                rates = formula.of(self._arguments(formula)), formula.of(self._arguments(formula, as_shown=True))
                shown += (rates[0] - rates[1]) * formula.integral.hours
            else:
                shown = formula.of(self._arguments(formula))
        zero = self._zeros.get(signal)
        return shown - zero.offset if zero is not None else shown

    def reading(self, reading: Reading) -> Reading:
        """A reading without the zeros."""
        value = self.value(reading.signal, reading.value)
        return reading if value == reading.value or not reading.is_good else replace(reading, value=value)

    def uncertainty(self, signal: str) -> float | None:
        """Standard uncertainty of the signal as it is now, in its unit; None: an input's accuracy is not declared."""
        sources = self._sources(signal)
        return total(sources) if sources is not None else None

    def uncertainty_of_difference(self, one: str, other: str) -> float | None:
        """Standard uncertainty of one less the other, of one unit: what they share is not in it."""
        first, second = self._sources(one), self._sources(other)
        if first is None or second is None:
            return None
        return total({name: first.get(name, 0.0) - second.get(name, 0.0) for name in {*first, *second}})

    def expanded(self, signal: str) -> float | None:
        """U (k = 2): see `uncertainty`."""
        u = self.uncertainty(signal)
        return COVERAGE_FACTOR * u if u is not None else None

    def _is_changed(self, signal: str) -> bool:
        known = self._changes.get(signal)
        if known is None:
            formula = self._store.formula(signal)
            inputs = formula.references if formula is not None else ()
            known = self._changes[signal] = signal in self._zeros or any(map(self._is_changed, inputs))
        return known

    def _arguments(self, formula: Formula, *, as_shown: bool = False) -> dict[str, float]:
        arguments = {}
        for (key, _, _, scale, offset), reference in zip(formula.inputs, formula.references, strict=True):
            shown = self._store.latest(reference).value
            arguments[key] = (shown if as_shown else self.value(reference, shown)) * scale + offset
        return arguments

    def _of_integral(self, signal: str, formula: Formula, integral: Integral) -> Sources | None:
        """An error of the input is one for all of the time: u of its mean, times the time."""
        reference, (_, _, _, scale, offset) = formula.references[0], formula.inputs[0]
        if not integral.hours > 0:
            return None
        mean = self.value(signal, self._store.latest(signal).value) / formula.scale / integral.hours
        accuracy, zero = self._accuracy.get(reference), self._zeros.get(reference)
        sources = of_sensor(reference, (mean - offset) / scale, accuracy, zero)
        if sources is None:
            sources = self._sources(reference)
        factor = scale * formula.scale * integral.hours
        return {source: u * factor for source, u in sources.items()} if sources is not None else None

    def _sources(self, signal: str) -> Sources | None:
        formula = self._store.formula(signal)
        if formula is not None and formula.integral is not None and signal not in self._accuracy:
            return self._of_integral(signal, formula, formula.integral)
        if formula is None or signal in self._accuracy:
            value = self.value(signal, self._store.latest(signal).value)
            return of_sensor(signal, value, self._accuracy.get(signal), self._zeros.get(signal))
        inner: dict[str, Sources] = {}
        for (key, _, _, scale, _), reference in zip(formula.inputs, formula.references, strict=True):
            sources = self._sources(reference)
            if sources is None:
                return None
            inner[key] = {source: u * scale for source, u in sources.items()}
        arguments = self._arguments(formula)
        if not all(map(math.isfinite, arguments.values())):
            return None
        return through(lambda **given: formula.of(given), arguments, inner)
