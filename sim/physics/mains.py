"""What a meter ahead of all PDUs of a rack sees: the station's own view of several PDUs, and a reference instrument."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from sim.physics.feeds import ALL
from sim.physics.pdu import Pdu
from sim.physics.spread import REFERENCE
from sim.physics.variables import Variable


def together(pdus: Sequence[Pdu], total: Callable[[], float], energy: Callable[[], float]) -> Iterator[Variable]:
    """What a meter ahead of several PDUs sees: `total` W and `energy` J of the rack."""
    first = pdus[0]

    def power_factor() -> float:
        apparent = sum(pdu.apparent_power() for pdu in pdus)
        return total() / apparent if apparent > 0.0 else 1.0

    for i in range(len(first.phase_lost)):
        name = f"{ALL}.phase[{i + 1}]"
        yield Variable(f"{name}.current", "A", partial(lambda k: sum(pdu.phase_current(k) for pdu in pdus), i))
        yield Variable(f"{name}.voltage", "V", partial(lambda k: max(pdu.phase_voltage(k) for pdu in pdus), i))
        yield Variable(f"{name}.power", "W", partial(lambda k: sum(pdu.phase_power(k) for pdu in pdus), i))
    yield Variable(f"{ALL}.power", "W", total)
    yield Variable(f"{ALL}.energy", "kWh", lambda: energy() / 3.6e6)
    yield Variable(f"{ALL}.frequency", "Hz", lambda: first.parameters.line_frequency)
    yield Variable(f"{ALL}.power_factor", "", power_factor)


def reference(pdus: Sequence[Pdu], total: Callable[[], float]) -> Iterator[Variable]:
    """What a power analyser on the feed of the rack sees, with sensors of its own; it can hold peaks."""
    first = pdus[0]

    def power_factor() -> float:
        apparent = sum(pdu.apparent_power() for pdu in pdus)
        return total() / apparent if apparent > 0.0 else 1.0

    for i in range(len(first.phase_lost)):
        name = f"{REFERENCE}phase[{i + 1}]"
        yield Variable(f"{name}.current", "A", partial(lambda k: sum(pdu.phase_current(k) for pdu in pdus), i))
        yield Variable(f"{name}.voltage", "V", partial(lambda k: max(pdu.phase_voltage(k) for pdu in pdus), i))
        yield Variable(f"{name}.power", "W", partial(lambda k: sum(pdu.phase_power(k) for pdu in pdus), i))
        yield Variable(f"{name}.peak_current", "A", partial(lambda k: max(pdu.peak_current(k) for pdu in pdus), i))
        yield Variable(f"{name}.inrush_i2t", "", partial(lambda k: max(pdu.i2t[k] for pdu in pdus), i))
    yield Variable(f"{REFERENCE}power", "W", total)
    yield Variable(f"{REFERENCE}frequency", "Hz", lambda: first.parameters.line_frequency)
    yield Variable(f"{REFERENCE}power_factor", "", power_factor)
