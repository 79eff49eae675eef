"""A bound compiled against the signal it bounds: units converted, words resolved, ready to be asked a million times."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.quantity import Quality, SignalInfo
from harness.schema.conditions import Bounds
from harness.schema.fields import LocatedError


@dataclass(frozen=True, slots=True)
class Check:
    """What a value must be: within [low, high], one of `codes`, or only flags of `mask`. Never true of NaN."""

    low: float = -math.inf
    high: float = math.inf
    codes: frozenset[float] | None = None
    mask: int | None = None
    unit: str = ""
    shown: str = ""

    def holds(self, value: float, quality: int = Quality.GOOD) -> bool:
        """Whether a GOOD value satisfies the bound. Anything that is not GOOD does not."""
        if quality != Quality.GOOD or value != value:
            return False
        if self.codes is not None:
            return value in self.codes
        if self.mask is not None:
            return int(value) & ~self.mask == 0
        return self.low <= value <= self.high

    def margin(self, value: float) -> float:
        """Distance to the nearest bound in the signal's unit; negative outside; infinite for words."""
        if self.codes is not None or self.mask is not None:
            return math.inf if self.holds(value) else -math.inf
        return min(value - self.low, self.high - value)

    def __str__(self) -> str:
        return self.shown


def compile_check(bounds: Bounds, info: SignalInfo) -> Check:
    """Compile bounds for a signal; ValueError says what does not fit (unit, unknown word, band outside the sensor).

    It is a LocatedError where one of the bounds' own keys is at fault.
    """
    words = bounds.words
    if words:
        return _words_check(words, "equals" if bounds.equals is not None else "one_of", info)
    if info.is_text:
        raise ValueError(f"{info.name} is a text; it has no min or max")
    if info.labels or info.flags:
        known = ", ".join(sorted(set((info.labels or info.flags).values())))
        raise ValueError(f"{info.name} shows words; use equals or one_of with {known}")
    for key, quantity in bounds.quantities():
        try:
            quantity.to(info.unit)
        except ValueError as error:
            raise LocatedError(str(error), key) from None
    low, high = bounds.band(info.unit)
    if low > info.valid[1] or high < info.valid[0]:
        shown = f"{info.valid[0]:g} to {info.valid[1]:g} {info.unit}".rstrip()
        raise ValueError(f"the band lies outside what {info.name} can show ({shown})")
    return Check(low=low, high=high, unit=info.unit, shown=band_text(low, high, info.unit))


def _words_check(words: tuple[str, ...], key: str, info: SignalInfo) -> Check:
    shown = " or ".join(words)
    if info.labels:
        codes = frozenset(value for value, word in info.labels.items() if word in words)
        missing = [word for word in words if word not in info.labels.values()]
        if missing:
            known = ", ".join(sorted(set(info.labels.values())))
            raise LocatedError(f"{info.name} never shows {missing[0]!r}; it shows {known}", key)
        return Check(codes=codes, shown=shown)
    if info.flags:
        by_name = {name: bit for bit, name in info.flags.items()}
        missing = [word for word in words if word != "none" and word not in by_name]
        if missing:
            raise LocatedError(f"{info.name} has no flag {missing[0]!r}; it has none, {', '.join(by_name)}", key)
        return Check(mask=sum(1 << by_name[word] for word in words if word != "none"), shown=f"only {shown}")
    if info.is_text:
        raise ValueError(f"{info.name} is a text; compare it with a `check` step")
    raise ValueError(f"{info.name} is a number in {info.unit or 'no unit'}; use min and max")


def band_text(low: float, high: float, unit: str) -> str:
    """`20 to 45 degC`, `<= 45 degC`, `>= 20 degC`."""
    if math.isinf(low) and math.isinf(high):
        return "any"
    if math.isinf(low):
        return f"<= {high:g} {unit}".rstrip()
    if math.isinf(high):
        return f">= {low:g} {unit}".rstrip()
    return f"{low:g} to {high:g} {unit}".rstrip()
