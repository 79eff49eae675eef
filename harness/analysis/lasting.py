"""For how long something was so, by samples that show it."""

from __future__ import annotations

import math
from collections.abc import Sequence


def lasted(times: Sequence[float], shown: Sequence[bool]) -> float:
    """The longest time between two samples that show it, with none between them that does not; NaN: none shows it.

    It is the least that it can have lasted: it began before the first of them was taken, and ended after the last. In
    the unit of `times`; one sample alone is 0.
    """
    longest, began = math.nan, math.nan
    for time, is_so in zip(times, shown, strict=True):
        if not is_so:
            began = math.nan
            continue
        began = time if math.isnan(began) else began
        longest = time - began if math.isnan(longest) else max(longest, time - began)
    return longest
