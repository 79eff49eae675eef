"""Encoding of numbers into Modbus registers on the device's side, for all points of a table at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.schema.profile import ModbusSignal

_LIMITS = {
    "u16": (0.0, 65535.0),
    "i16": (-32768.0, 32767.0),
    "u32": (0.0, 4294967295.0),
    "i32": (-2147483648.0, 2147483647.0),
    "u64": (0.0, 2.0**64 - 2048.0),
    "i64": (-(2.0**63), 2.0**63 - 1024.0),
    "bcd16": (0.0, 9999.0),
    "bcd32": (0.0, 99999999.0),
    "bool": (0.0, 1.0),
}
"""Smallest and largest raw value of a type (of the 64-bit ones the largest that a float64 can hold)."""


def raw_limits(kind: str) -> tuple[float, float]:
    """Smallest and largest raw value of an integer type."""
    return _LIMITS[kind]


def to_words(raw: float, kind: str, order: str) -> list[int]:
    """The registers of one raw value, `order` naming the bytes as ABCD (big-endian), CDAB, BADC or DCBA."""
    if kind == "f32":
        content = np.array([raw], ">f4").tobytes()
    elif kind == "f64":
        content = np.array([raw], ">f8").tobytes()
    elif kind.startswith("bcd"):
        content = bytes.fromhex(f"{int(raw):0{int(kind[3:]) // 4}d}")
    else:
        bits = 16 if kind == "bool" else int(kind[1:])
        content = (int(raw) % (1 << bits)).to_bytes(bits // 8, "big")
    words = [int.from_bytes(content[at : at + 2], "big") for at in range(0, len(content), 2)]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    if order in ("BADC", "DCBA"):
        words = [(word & 0xFF) << 8 | word >> 8 for word in words]
    return words


def from_words(words: Sequence[int], kind: str, order: str) -> float:
    """The raw value in registers; the reverse of `to_words` for the types that controls have."""
    words = list(words)
    if order in ("BADC", "DCBA"):
        words = [(word & 0xFF) << 8 | word >> 8 for word in words]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    content = b"".join(word.to_bytes(2, "big") for word in words)
    if kind == "f32":
        return float(np.frombuffer(content, ">f4")[0])
    return float(int.from_bytes(content, "big", signed=kind.startswith("i")))


def string_words(text: str, length: int, *, swap: bool) -> list[int]:
    """A text in `length` registers, filled up with NUL; `swap` puts the low byte first."""
    content = text.encode("ascii", "replace")[: 2 * length].ljust(2 * length, b"\0")
    order = "little" if swap else "big"
    return [int.from_bytes(content[at : at + 2], order) for at in range(0, 2 * length, 2)]  # type: ignore[arg-type]


@dataclass(frozen=True)
class Column:
    """The 16-bit numbers of a table, encoded in one go: raw = (value - offset) * 2**precision / scale."""

    addresses: NDArray[np.int64]
    factors: NDArray[np.float64]
    offsets: NDArray[np.float64]
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]
    absent: NDArray[np.float64]

    @classmethod
    def of(cls, placed: Sequence[tuple[int, ModbusSignal, bool]]) -> Column:
        """From (address, signal, whether its value is raw already)."""
        limits = [limits_of(spec) for _, spec, _ in placed]
        return cls(
            np.array([address for address, _, _ in placed], np.int64),
            np.array([1.0 if is_raw else 2.0**spec.precision / spec.scale for _, spec, is_raw in placed]),
            np.array([0.0 if is_raw else spec.offset for _, spec, is_raw in placed]),
            np.array([low for low, _ in limits]),
            np.array([high for _, high in limits]),
            np.array([absent_raw(spec) for _, spec, _ in placed]),
        )

    def encode(self, values: NDArray[np.float64], image: NDArray[np.uint16]) -> None:
        """Put the values (float64[n]) into the image (uint16[65536]); NaN becomes the sentinel of its point."""
        raw = np.clip(np.rint((values - self.offsets) * self.factors), self.lows, self.highs)
        raw = np.where(np.isnan(raw), self.absent, raw)
        image[self.addresses] = raw.astype(np.int64).astype(np.uint16)


def absent_raw(spec: ModbusSignal) -> float:
    """The raw value by which the device says: not available."""
    if spec.sentinels:
        return spec.sentinels[0]
    return float("nan") if spec.type in ("f32", "f64") else raw_limits(spec.type)[1]


def limits_of(spec: ModbusSignal) -> tuple[float, float]:
    """Raw limits of a number that is not a sentinel."""
    low, high = raw_limits(spec.type)
    if high in spec.sentinels:
        high -= 1.0
    return (low + 1.0 if low in spec.sentinels else low), high
