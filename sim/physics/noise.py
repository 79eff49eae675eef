"""Reproducible randomness: numbers that depend only on a seed, a name and a slot, never on who asked first.

Normal deviates are looked up in a table of quantiles by the hash of key and slot: 14 bits of it, so that all sensors of
a plant can be given theirs at once (`gauss_all`) and one at a time (`gauss`), with the same result to the last bit.
"""

from __future__ import annotations

from statistics import NormalDist
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
_MIX_1, _MIX_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_BITS = 14
_INVERSE = NormalDist().inv_cdf
_QUANTILES = [_INVERSE((k + 0.5) / 2**_BITS) for k in range(2**_BITS)]
_TABLE = np.array(_QUANTILES)
_U1, _U2, _S30, _S27, _S31 = (np.uint64(k) for k in (_MIX_1, _MIX_2, 30, 27, 31))
_TOP = np.uint64(64 - _BITS)


def stream(seed: int, name: str) -> int:
    """The 64-bit key of one named stream of numbers."""
    return (crc32(name.encode()) << 32 ^ seed * _STEP) & _MASK


def _mixed(key: int, slot: int) -> int:
    """64 well mixed bits for one slot of a stream (splitmix64 finaliser)."""
    z = (key + (slot + 1) * _STEP) & _MASK
    z = ((z ^ z >> 30) * _MIX_1) & _MASK
    z = ((z ^ z >> 27) * _MIX_2) & _MASK
    return z ^ z >> 31


def uniform(key: int, slot: int) -> float:
    """A number in (0, 1) for one slot of a stream."""
    return (_mixed(key, slot) >> 12) / 2**52 + 2**-54


def gauss(key: int, slot: int) -> float:
    """A normally distributed number (mean 0, deviation 1, at most 4) for one slot of a stream."""
    return _QUANTILES[_mixed(key, slot) >> 64 - _BITS]


def gauss_all(keys: NDArray[np.uint64], slot: int) -> NDArray[np.float64]:
    """`gauss` of many streams (uint64[n]) in one slot."""
    z = keys + np.uint64((slot + 1) * _STEP & _MASK)
    z = (z ^ z >> _S30) * _U1
    z = (z ^ z >> _S27) * _U2
    drawn: NDArray[np.float64] = _TABLE[(z ^ z >> _S31) >> _TOP]
    return drawn
