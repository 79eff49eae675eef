"""The feeds of a rack: which PDUs there are, what each of their outlets supplies, and all of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sim.physics.variables import Variable

if TYPE_CHECKING:
    from sim.physics.pdu import Pdu

ALL = "mains"
"""Begins the names of what several PDUs carry together."""

_OWN = ("outlet[", "phase[")


@dataclass(frozen=True)
class Feed:
    """One PDU: its name, and the shelf (from 1) behind each of its outlets, 0 where nothing hangs."""

    name: str
    shelves: tuple[int, ...]


def scoped(pdu: str, name: str) -> str:
    """The plant's name of what a PDU calls `outlet[1].state` or `pdu.power`: `pdu_b.outlet[1].state`, `pdu_b.power`.

    A plant with a single PDU calls it `""`: its names stay as they are.
    """
    if not pdu:
        return name
    if name.startswith("pdu."):
        return f"{pdu}.{name.removeprefix('pdu.')}"
    return f"{pdu}.{name}" if name.startswith(_OWN) else name


def wired(outlets: Mapping[str, int], shelves: int) -> list[Feed]:
    """How PDUs (name: number of outlets) feed a rack when nobody says it.

    PDUs that together have no more outlets than there are shelves share them out in their order. Otherwise outlet n of
    each feeds shelf n, so that a shelf has a cord to every PDU; outlets beyond the last shelf are empty.
    """
    is_shared_out = sum(outlets.values()) <= shelves
    feeds: list[Feed] = []
    first = 1
    for name, count in outlets.items():
        feeds.append(Feed(name, tuple(n if n <= shelves else 0 for n in range(first, first + count))))
        first += count if is_shared_out else 0
    return feeds


def letter(index: int) -> str:
    """What people call a feed by its place: A, B, ..."""
    return chr(ord("A") + index)


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
