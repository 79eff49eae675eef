"""The feeds of a rack: which PDUs there are, what each of their outlets supplies, and all of them together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
