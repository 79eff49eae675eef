"""Which switch feeds what: switched one by one, each must be seen where it belongs, and nowhere else. Pure."""

from __future__ import annotations

from collections.abc import Sequence

Seen = Sequence[frozenset[int]]
"""For each switch that was closed alone, the places at which something was seen."""


def wrong_switches(seen: Seen) -> dict[int, str]:
    """Switch -> what is wrong with it, in words; switch k belongs to place k (both from 0, told from 1).

    Two that are seen at each other's place are swapped; one that is seen nowhere feeds nothing; one that is seen at
    several places feeds more than its own.
    """
    wrong: dict[int, str] = {}
    for switch, places in enumerate(seen):
        if places == {switch}:
            continue
        if not places:
            wrong[switch] = "is seen nowhere"
            continue
        shown = ", ".join(str(place + 1) for place in sorted(places))
        if len(places) > 1:
            wrong[switch] = f"is seen at {shown}"
            continue
        (place,) = places
        is_swap = place < len(seen) and seen[place] == {switch}
        wrong[switch] = f"is seen at {shown}" + (f": swapped with {place + 1}" if is_swap else "")
    return wrong
