"""Cabling: what is seen at each port against what the wiring plan has there. Pure.

The far end of a link is a text `system:port`, as LLDP tells it (system name and port id, IEEE 802.1AB). Two texts mean
one place when they are equal without regard to case, when one system name has a domain behind it and the other has not,
and when port names differ only by how much of the word stands before the number (`Ethernet1/1`, `Eth1/1`, `et-1/1` is
another word) or in the marks of a MAC address. There is no uncertainty: LLDP says it or does not. What it says may be
old until its time to live is over (120 s by default), so a difference counts only when it lasts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

_MAC = re.compile(r"(?:[0-9a-f]{2}[:-]?){5}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}")
_NAMED = re.compile(r"([a-z]+)[ -]?(\d[\d/.:]*)")


class Kind(Enum):
    """What is wrong with a link."""

    MISSING = "missing"
    """The plan has a link, nothing is seen."""
    UNEXPECTED = "unexpected"
    """Something is seen that the plan has nowhere, or at a port that the plan leaves free."""
    SWAPPED = "swapped"
    """Two ports see each what belongs at the other."""
    MISPLACED = "misplaced"
    """A port sees what belongs at another one, and that one does not see what belongs here."""
    ONE_SIDED = "one-sided"
    """One end sees the other, and is not seen by it."""
    WRONG_SPEED = "wrong speed"
    """The right two ends, at another speed than the plan has."""


@dataclass(frozen=True, slots=True)
class Wired:
    """What the plan has at a port: the far end, and the speed in Mb/s where it says one."""

    far: str
    speed: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a port shows: the far end ('' for nothing), and the speed in Mb/s where it is known."""

    far: str
    speed: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, with the ports that it is about."""

    kind: Kind
    ports: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return self.text


def is_same(first: str, second: str) -> bool:
    """Whether two texts name one far end."""
    if first == second:
        return True
    (system, port), (other, its_port) = _parts(first), _parts(second)
    host, its_host = system.partition(".")[0], other.partition(".")[0]
    same_system = system == other or (host == its_host and (host == system or its_host == other))
    return same_system and _same_port(port, its_port)


def _parts(text: str) -> tuple[str, str]:
    system, _, port = text.strip().lower().partition(":")
    return system.strip(), port.strip()


def _same_port(first: str, second: str) -> bool:
    if first == second:
        return True
    if _MAC.fullmatch(first) and _MAC.fullmatch(second):
        return re.sub("[:.-]", "", first) == re.sub("[:.-]", "", second)
    one, two = _NAMED.fullmatch(first), _NAMED.fullmatch(second)
    if one is None or two is None or one[2] != two[2]:
        return False
    return one[1].startswith(two[1]) or two[1].startswith(one[1])


def compare(plan: Mapping[str, Wired], seen: Mapping[str, Seen], own: Mapping[str, str] | None = None) -> list[Finding]:
    """Everything that is wrong, each once, in the order of the plan.

    `seen` may hold more ports than the plan: what these see is unexpected. `own` says how a port of `seen` shows itself
    to others (`leaf-1:Ethernet1`): with it a link between two of these ports is looked at from both ends.
    """
    found: list[Finding] = []
    told: set[str] = set()
    for port, wired in plan.items():
        shown = seen.get(port, Seen(""))
        if port in told:
            continue
        if not shown.far:
            found.append(Finding(Kind.MISSING, (port,), f"missing: {port} sees nothing, the plan has {wired.far}"))
        elif is_same(shown.far, wired.far):
            found.extend(_right_place(port, wired, shown, seen, own or {}))
        else:
            home = next((other for other, each in plan.items() if is_same(each.far, shown.far)), "")
            back = seen.get(home, Seen("")).far if home else ""
            if home and is_same(back, wired.far):
                told.add(home)
                text = f"swapped: {port} sees {shown.far} and {home} sees {back}, the plan has them the other way round"
                found.append(Finding(Kind.SWAPPED, (port, home), text))
            elif home:
                text = f"misplaced: {port} sees {shown.far}, which belongs at {home}; the plan has {wired.far}"
                found.append(Finding(Kind.MISPLACED, (port, home), text))
            else:
                text = f"unexpected: {port} sees {shown.far}, the plan has {wired.far}"
                found.append(Finding(Kind.UNEXPECTED, (port,), text))
    free = [(port, shown.far) for port, shown in seen.items() if port not in plan and shown.far]
    for port, far in free:
        home = next((other for other, each in plan.items() if is_same(each.far, far)), "")
        belongs = f", which belongs at {home}" if home else ""
        text = f"unexpected: {port} sees {far}{belongs}, and the plan leaves {port} free"
        found.append(Finding(Kind.UNEXPECTED, (port,), text))
    return found


def _right_place(
    port: str, wired: Wired, shown: Seen, seen: Mapping[str, Seen], own: Mapping[str, str]
) -> list[Finding]:
    found = []
    end = next((other for other, name in own.items() if other != port and is_same(name, wired.far)), "")
    if end and port in own and not is_same(seen.get(end, Seen("")).far, own[port]):
        back = seen.get(end, Seen("")).far
        text = f"one-sided: {port} sees {shown.far}, but {end} there sees {back or 'nothing'}, not {own[port]}"
        found.append(Finding(Kind.ONE_SIDED, (port, end), text))
    if wired.speed is not None and shown.speed is not None and shown.speed != wired.speed:
        text = f"wrong speed: {port} to {wired.far} runs at {shown.speed:.0f} Mb/s, the plan has {wired.speed:.0f} Mb/s"
        found.append(Finding(Kind.WRONG_SPEED, (port,), text))
    return found
