"""How well values are known: from the error limits of instruments, by what is measured of them, to what is derived.

After the Guide to the expression of uncertainty in measurement (JCGM 100). A declared limit of error `a` is a
rectangular distribution: u = a / sqrt(3) (4.3.7). What several inputs share (one sensor, the mean of a group that was
zeroed together) is one source of uncertainty with one sign, so sources are carried by name and combined at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.quantity import Quantity, SignalInfo, difference_unit

COVERAGE_FACTOR = 2.0
"""U = k u; of about 95 % for a normal distribution."""

Sources = Mapping[str, float]
"""source of uncertainty -> what one standard uncertainty of it changes in the value, with sign."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The limit of a sensor's error, in its unit and as a share of the reading."""

    absolute: float = 0.0
    relative: float = 0.0

    def limit(self, value: float) -> float:
        """By how much a reading may be out."""
        return self.absolute + self.relative * abs(value)


@dataclass(frozen=True, slots=True)
class Zero:
    """What is taken off a signal, as it was found in a state in which its true value is known.

    `own_u` is what remains uncertain of this sensor alone. `shared` names what it has in common with those that were
    zeroed with it (their mean is held to be right), `shared_u` how uncertain that is.
    """

    offset: float
    own_u: float
    shared: str = ""
    shared_u: float = 0.0


def accuracy_of(error: Quantity, info: SignalInfo) -> Accuracy:
    """A declared limit of error, for its signal. ValueError: it is none, or does not fit the signal."""
    if info.is_text or info.labels or info.flags:
        raise ValueError(f"{info.name} shows words: it has no accuracy")
    if not error.value > 0:
        raise ValueError(f"{error} is no limit of an error: it must be above 0")
    if error.unit == "%" and info.unit != "%":
        return Accuracy(relative=error.value / 100)
    return Accuracy(absolute=error.to(difference_unit(info.unit)))


def of_sensor(name: str, value: float, accuracy: Accuracy | None, zero: Zero | None) -> Sources | None:
    """The sources of a sensor's uncertainty at a reading; None: nobody has declared its accuracy.

    A zero replaces what is in the sensor's own unit. What goes with the reading (its gain) stays.
    """
    if accuracy is None:
        return None
    if zero is None:
        return {name: accuracy.limit(value) / math.sqrt(3)}
    gain = accuracy.relative * abs(value) / math.sqrt(3)
    found = {name: gain, f"zero of {name}": zero.own_u, zero.shared: zero.shared_u}
    return {source: u for source, u in found.items() if u}


def through(
    compute: Callable[..., float], arguments: Mapping[str, float], inner: Mapping[str, Sources]
) -> Sources | None:
    """The sources of a function's value, from those of its arguments; None where it has no value nearby.

    Each argument is moved by its own standard uncertainty to both sides (JCGM 100, 5.1.3): no partial derivatives by
    hand, and what is not linear within the uncertainty counts too.
    """
    found: dict[str, float] = {}
    for key, sources in inner.items():
        u = total(sources)
        if u == 0.0:
            continue
        high = compute(**{**arguments, key: arguments[key] + u})
        low = compute(**{**arguments, key: arguments[key] - u})
        if not math.isfinite(high - low):
            return None
        sensitivity = (high - low) / (2 * u)
        for source, each in sources.items():
            found[source] = found.get(source, 0.0) + sensitivity * each
    return found


def total(sources: Sources) -> float:
    """The combined standard uncertainty of independent sources."""
    return math.sqrt(math.fsum(each * each for each in sources.values()))
