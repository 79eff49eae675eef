"""Which stop wins: what follows a trip, an abort or an error while the rack is being stopped already. Pure.

```
 first stop                                     it counts; its sequence is applied
 then: another reason without a trip            noted only (a calm end under way gives way to `default`)
 then: a trip by silence                        noted only: nothing about the rack was seen
 then: a trip that saw something                it is the verdict, and its sequence follows at once
       ... while a leak is being dealt with     only a leak that reaches as far: what a leak brings with it (no flow,
                                                low pressure) must not keep the coolant running onto live parts
```
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from harness.events import EventKind
from harness.limits.verdict import Verdict

CHANGED_BY_OTHERS = str(EventKind.FOREIGN_CONTROL)
"""The name of the trip by somebody else's hand."""
DEFAULT = "default"


@dataclass(slots=True)
class Trip:
    """An interlock that fired. Latched: it stays until an operator names it."""

    interlock: str
    sequence: str
    reason: str
    mono: float
    wall_ns: int
    frame_mono: float
    """When the sample that decided it arrived; equals `mono` for silence."""
    is_silence: bool = False
    """No value was bad, there was only none to believe: the station's fault, not a finding about the rack."""
    signals: tuple[str, ...] = ()
    """Those of the interlock that were bad."""


@dataclass(slots=True)
class Stop:
    """Why a run stops before its end."""

    verdict: Verdict
    reason: str
    hint: str = ""
    trip: Trip | None = None
    by_signal: str = ""
    is_refused: bool = False
    """The rack belongs to somebody else: nothing on it is this run's to command, not even to make it safe."""

    @property
    def sequence(self) -> str:
        """The safe-state sequence that it asks for."""
        return self.trip.sequence if self.trip is not None else DEFAULT


@dataclass(frozen=True, slots=True)
class Decision:
    """What stands after one more stop."""

    stop: Stop
    is_news: bool
    """Whether it is worth a line in the record."""
    restarts: bool
    """Whether the safe state under way is left for the sequence that `stop` asks for."""


SCOPES = {"tray": 0, "rack": 1, "loop": 2}
"""How far a leak reaches."""


def decide(
    first: Stop | None,
    new: Stop,
    under_way: str,
    kind_of: Callable[[str], str],
    scope_of: Callable[[str], str] = lambda _sequence: "loop",
) -> Decision:
    """What stands when `new` comes after `first`, while the sequence `under_way` ('': none yet) is carried out."""
    stands = first or new
    is_finding = new.trip is not None and not new.trip.is_silence
    if first is not None and is_finding:
        was_leak = first.trip is not None and kind_of(first.sequence) == "leak"
        is_as_far = SCOPES[scope_of(new.sequence)] >= SCOPES[scope_of(first.sequence)]
        if not was_leak or (kind_of(new.sequence) == "leak" and is_as_far):
            stands = replace(new, reason=f"{new.reason} (while stopping: {first.reason})")
    return Decision(stands, first is None or is_finding, _restarts(stands, new, under_way, kind_of))


def _restarts(stands: Stop, new: Stop, under_way: str, kind_of: Callable[[str], str]) -> bool:
    if not under_way:
        return False
    if kind_of(under_way) == "end":
        return True
    if new.trip is None or stands.trip is None:
        return False
    # somebody else's hand: what was off already is on again
    return stands.sequence != under_way or new.trip.interlock == CHANGED_BY_OTHERS
