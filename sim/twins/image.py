"""Encoding of numbers into Modbus registers on the device's side, for all points of a table at once."""

from __future__ import annotations

import calendar
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.schema.profiles.modbus import ModbusSignal

_FLOATS = {"f16": ">f2", "f32": ">f4", "f64": ">f8"}
_LIMITS = {
    "u8_high": (0.0, 255.0),
    "u8_low": (0.0, 255.0),
    "i8_high": (-128.0, 127.0),
    "i8_low": (-128.0, 127.0),
    "u48": (0.0, 2.0**48 - 1.0),
    "i48": (-(2.0**47), 2.0**47 - 1.0),
    "m10k32": (0.0, 1e8 - 1.0),
    "m10k48": (0.0, 1e12 - 1.0),
    "m10k64": (0.0, 9.0e15),
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
    if kind in _FLOATS:
        content = np.array([raw], _FLOATS[kind]).tobytes()
    elif kind.startswith("m10k"):
        left, groups = int(raw), list[int]()
        for _ in range(int(kind[4:]) // 16):
            left, group = divmod(left, 10000)
            groups.insert(0, group)
        content = b"".join(group.to_bytes(2, "big") for group in groups)
    elif kind.startswith("bcd"):
        content = bytes.fromhex(f"{int(raw):0{int(kind[3:]) // 4}d}")
    elif kind[1:2] == "8":
        byte = int(raw) % 256
        content = bytes((byte, 0)) if kind.endswith("high") else bytes((0, byte))
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
    if kind in _FLOATS:
        return float(np.frombuffer(content, _FLOATS[kind])[0])
    if kind.startswith("bcd"):
        return float(content.hex())
    return float(int.from_bytes(content, "big", signed=kind.startswith("i")))


def string_words(text: str, length: int, *, swap: bool, characters: str = "both") -> list[int]:
    """A text in `length` registers, filled up with NUL; `swap` puts the low byte first.

    With `characters` high or low only that byte of each register holds one.
    """
    if characters != "both":
        shift = 8 if characters == "high" else 0
        return [byte << shift for byte in text.encode("ascii", "replace")[:length].ljust(length, b"\0")]
    content = text.encode("ascii", "replace")[: 2 * length].ljust(2 * length, b"\0")
    order = "little" if swap else "big"
    return [int.from_bytes(content[at : at + 2], order) for at in range(0, 2 * length, 2)]  # type: ignore[arg-type]


def text_words(text: str, kind: str, length: int, order: str) -> list[int]:
    """The registers of a text that is written in numbers: an address, a date, or bytes in hex.

    A text that is none of this kind becomes zeros.
    """
    try:
        content = _bytes_of(text, kind)
    except ValueError:
        content = b""
    content = content[: 2 * length].rjust(2 * length, b"\0")
    words = [int.from_bytes(content[at : at + 2], "big") for at in range(0, 2 * length, 2)]
    if order in ("CDAB", "DCBA"):
        words = words[::-1]
    return [word % 256 * 256 + word // 256 for word in words] if order in ("BADC", "DCBA") else words


def _bytes_of(text: str, kind: str) -> bytes:
    if kind == "ipv4":
        return bytes(int(part) for part in text.split("."))
    if kind == "ipv6":
        return socket.inet_pton(socket.AF_INET6, text)
    if kind in ("raw", "mac"):
        return bytes.fromhex(text.replace(":", ""))
    parts = time.strptime(text, "%Y-%m-%dT%H:%M:%S")
    if kind == "epoch":
        return calendar.timegm(parts).to_bytes(4, "big")
    if kind == "datetime":
        return struct.pack(">6H", *parts[:6])
    day = parts.tm_mon << 8 | parts.tm_mday
    return struct.pack(">4H", parts.tm_year - 2000, day, parts.tm_hour << 8 | parts.tm_min, parts.tm_sec * 1000)


FEW = 12


@dataclass(frozen=True)
class Column:
    """The 16-bit numbers of a table, encoded in one go: raw = (value - offset) * 2**precision / scale."""

    addresses: NDArray[np.int64]
    factors: NDArray[np.float64]
    offsets: NDArray[np.float64]
    lows: NDArray[np.float64]
    highs: NDArray[np.float64]
    absent: NDArray[np.float64]
    rows: Sequence[tuple[int, float, float, float, float, float]]
    """The same row by row: for a few numbers, arrays cost more than they save."""

    @classmethod
    def of(cls, placed: Sequence[tuple[int, ModbusSignal, bool]]) -> Column:
        """From (address, signal, whether its value is raw already)."""
        rows = [
            (
                address,
                1.0 if is_raw else 2.0**spec.precision / spec.scale,
                0.0 if is_raw else spec.offset,
                *limits_of(spec),
                absent_raw(spec),
            )
            for address, spec, is_raw in placed
        ]
        addresses, factors, offsets, lows, highs, absent = (list(column) for column in zip(*rows, strict=True))
        return cls(
            addresses=np.array(addresses, np.int64),
            factors=np.array(factors),
            offsets=np.array(offsets),
            lows=np.array(lows),
            highs=np.array(highs),
            absent=np.array(absent),
            rows=rows,
        )

    def encode(self, values: NDArray[np.float64], image: NDArray[np.uint16]) -> None:
        """Put the values (float64[n]) into the image (uint16[65536]); NaN becomes the sentinel of its point."""
        if len(values) <= FEW:
            for value, (address, factor, offset, low, high, absent) in zip(values.tolist(), self.rows, strict=True):
                whole = absent if value != value else min(max(round((value - offset) * factor), low), high)
                image[address] = int(whole) & 0xFFFF
            return
        raw = np.clip(np.rint((values - self.offsets) * self.factors), self.lows, self.highs)
        raw = np.where(np.isnan(raw), self.absent, raw)
        image[self.addresses] = raw.astype(np.int64).astype(np.uint16)


def absent_raw(spec: ModbusSignal) -> float:
    """The raw value by which the device says: not available."""
    if spec.sentinels:
        return spec.sentinels[0]
    return float("nan") if spec.type in _FLOATS else raw_limits(spec.type)[1]


def limits_of(spec: ModbusSignal) -> tuple[float, float]:
    """Raw limits of a number that is not a sentinel."""
    low, high = raw_limits(spec.type)
    if high in spec.sentinels:
        high -= 1.0
    return (low + 1.0 if low in spec.sentinels else low), high
