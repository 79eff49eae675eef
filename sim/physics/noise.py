"""Reproducible randomness: numbers that depend only on a seed, a name and a slot, never on who asked first."""

from __future__ import annotations

from statistics import NormalDist
from zlib import crc32

_MASK = (1 << 64) - 1
_INVERSE = NormalDist().inv_cdf


def stream(seed: int, name: str) -> int:
    """The 64-bit key of one named stream of numbers."""
    return (crc32(name.encode()) << 32 ^ seed * 0x9E3779B97F4A7C15) & _MASK


def uniform(key: int, slot: int) -> float:
    """A number in (0, 1) for one slot of a stream (splitmix64 finaliser)."""
    z = (key + (slot + 1) * 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & _MASK
    return ((z ^ z >> 31) >> 12) / 2**52 + 2**-54


def gauss(key: int, slot: int) -> float:
    """A normally distributed number (mean 0, deviation 1) for one slot of a stream."""
    return _INVERSE(uniform(key, slot))
