"""From raw numbers to values: scale, sentinels and the valid range, vectorised over a whole device."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.quantity import Quality
from harness.schema.profile import Signal

Floats = npt.NDArray[np.float64]
Qualities = npt.NDArray[np.uint8]
_LARGEST = sys.float_info.max
"""Where a profile gives no range, every number is possible; infinity (IEEE 754 has it, overflows give it) is none."""


class Scaling:
    """Scale, offset, sentinels and range of n signals as arrays of n."""

    def __init__(self, specs: Sequence[Signal]) -> None:
        self.factor = np.array([1.0 if _is_code(s) else s.scale / 2**s.precision for s in specs], dtype=np.float64)
        self.offset = np.array([0.0 if _is_code(s) else s.offset for s in specs], dtype=np.float64)
        self.low = np.array([s.range[0] if s.range else -_LARGEST for s in specs], dtype=np.float64)
        self.high = np.array([s.range[1] if s.range else _LARGEST for s in specs], dtype=np.float64)
        self.has_high = bool((self.high < math.inf).any())
        widest = max((len(s.sentinels) for s in specs), default=0)
        self.sentinels = np.full((widest, len(specs)), math.nan)
        for column, spec in enumerate(specs):
            self.sentinels[: len(spec.sentinels), column] = spec.sentinels
        self.low_bits = [(k, s.low_bits) for k, s in enumerate(specs) if s.active_low]

    def apply(
        self,
        raw: Floats,
        values: Floats,
        qualities: Qualities,
        gain: Floats | None = None,
        shift: Floats | None = None,
    ) -> None:
        """Fill `values` and `qualities` (both float64[n], uint8[n]) from raw numbers (float64[n]); NaN is BAD.

        `gain` and `shift` as in `Reply`: what the device says of its own scales, applied before the profile's.
        """
        if gain is None:
            np.multiply(raw, self.factor, out=values)
        else:
            np.multiply(raw, gain, out=values)
            if shift is not None:
                values += shift
            values *= self.factor
        np.add(values, self.offset, out=values)
        for k, mask in self.low_bits:
            if 0.0 <= values[k] < 2.0**64:  # NaN is not, and neither has bits
                values[k] = float(int(values[k]) ^ mask)
        qualities.fill(Quality.GOOD)
        inside = values >= self.low  # NaN is on no side of anything
        if self.has_high:
            inside &= values <= self.high
        if np.count_nonzero(inside) != len(inside):
            qualities[~inside] = Quality.BAD_RANGE
            qualities[np.isnan(values)] = Quality.BAD_NAN
        if len(self.sentinels):
            hits = self.sentinels == raw
            if np.count_nonzero(hits):
                qualities[hits.any(axis=0)] = Quality.BAD_SENTINEL


def _is_code(spec: Signal) -> bool:
    return bool(spec.enum or spec.flags)
