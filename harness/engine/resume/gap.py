"""For how long nobody ran a run that died: what two clocks agree on, or unknown.

The wall clock may have been stepped, may have lost its battery, or may not have been right yet. So each life of a run
also notes which boot of the computer it is and for how long that has been going on, which nobody can set.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.clock import Clock, since_boot

_APART_S = 5.0
"""How far two clocks may be apart that are said to agree, seconds; of a long gap 1 % (a clock that is being slewed)."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Time between the last sign of life and now. `seconds` is infinite when no clock proves it; `doubt` says why."""

    seconds: float = math.inf
    doubt: str = ""

    def __str__(self) -> str:
        return f"an unknown time ({self.doubt})" if self.doubt else f"{self.seconds:.0f} s"


def boot_event(clock: Clock) -> dict[str, Any]:
    """What the journal keeps, so that a gap can be measured."""
    if clock.is_virtual:
        return {"boot": "virtual", "uptime_s": 0.0, "rate": 0.0}
    boot, uptime = since_boot()
    return {"boot": boot, "uptime_s": round(uptime, 3), "rate": clock.rate}


def measure_gap(noted: Mapping[str, Any], noted_ns: int, last_ns: int, clock: Clock) -> Gap:
    """The gap behind `last_ns`, the last stamp of the record; `noted` is its last `boot_event`, made at `noted_ns`."""
    now = boot_event(clock)
    if not noted.get("boot") or not now["boot"]:
        return Gap(doubt="nothing but the wall clock tells it")
    if noted["boot"] != now["boot"]:
        return Gap(doubt="the computer was started again meanwhile, and its clock proves nothing")
    if clock.is_virtual:
        return Gap(0.0)  # virtual time stands still while nobody runs
    lived = (last_ns - noted_ns) / 1e9 / float(noted["rate"])
    seconds = float(now["uptime_s"] - noted["uptime_s"] - lived)
    if noted["rate"] != 1.0 or clock.rate != 1.0:
        return Gap(max(0.0, seconds))  # simulated devices at another pace: their stamps are no wall clock
    by_wall = (clock.wall_ns() - last_ns) / 1e9
    if abs(by_wall - seconds) > max(_APART_S, 0.01 * seconds):
        return Gap(doubt=f"the wall clock says {by_wall:.0f} s, the time since boot {seconds:.0f} s")
    return Gap(max(0.0, seconds, by_wall))
