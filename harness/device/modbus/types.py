"""What the registers of a Modbus point mean, one point at a time and without numpy (the guardian decodes with it).

`order` names the bytes of a two-register number as they come over the wire (ABCD: as the specification says). Sources:
IEEE 754; IEC 60870-5-4 for packed times; modulo 10000 as power meters of the ION family have it.
"""

from __future__ import annotations

import ipaddress
import math
import struct
from datetime import datetime, timedelta

from harness.errors import RefusedError

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (UTC by definition; shown without an offset)
_FLOATS = {"f16": ">e", "f32": ">f", "f64": ">d"}


def ordered(data: bytes, order: str) -> bytes:
    """The bytes of a point, most significant first."""
    words = [data[k : k + 2] for k in range(0, len(data), 2)]
    if order in ("BADC", "DCBA"):
        words = [word[::-1] for word in words]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    return b"".join(words)


def number(kind: str, data: bytes, order: str, *, magnitude: bool = False) -> float:
    """The raw number in the registers of a point; NaN when they hold no valid number of this type."""
    content = ordered(data, order)
    if kind in _FLOATS:
        return float(struct.unpack(_FLOATS[kind], content)[0])
    if kind.startswith("m10k"):
        groups = struct.unpack(f">{len(content) // 2}H", content)
        if max(groups) > 9999:
            return math.nan
        return float(sum(group * 10000**k for k, group in enumerate(reversed(groups))))
    if kind.startswith("bcd"):
        digits = content.hex()
        return float(digits) if digits.isdigit() else math.nan
    if kind[1:2] == "8":
        content = content[:1] if kind.endswith("high") else content[1:]
    raw = int.from_bytes(content, "big")
    half = 1 << (8 * len(content) - 1)
    if kind.startswith("i") and raw >= half:
        raw = half - raw if magnitude else raw - 2 * half
    return float(raw)


def words(kind: str, raw: float, order: str) -> tuple[int, ...]:
    """The registers to write for a raw number, rounded to a whole one but for floats.

    RefusedError when the number does not fit the type: writing something else instead would be worse.
    """
    whole = raw if kind in _FLOATS else round(raw)
    try:
        if kind in _FLOATS:
            content = struct.pack(_FLOATS[kind], whole)
        elif kind.startswith("bcd"):
            content = bytes.fromhex(f"{whole:0{int(kind[3:]) // 4}d}")
        else:
            bits = 16 if kind == "bool" else int(kind[1:])
            content = int(whole).to_bytes(bits // 8, "big", signed=kind.startswith("i"))
        if kind.startswith("bcd") and len(content) != int(kind[3:]) // 8:
            raise OverflowError
    except (struct.error, OverflowError, ValueError) as error:
        raise RefusedError(f"{raw:g} does not fit a {kind} register", operation="write") from error
    content = ordered(content, order)
    return tuple(int.from_bytes(content[k : k + 2], "big") for k in range(0, len(content), 2))


_ERASED = b"\xff"
"""What memory holds that nobody has written: no text ends with it."""


def text(kind: str, data: bytes, order: str, *, swapped: bool = False, characters: str = "both") -> str:
    """The text in the registers of a point; '' when they hold none (a date that does not exist)."""
    if kind == "string":
        if swapped:
            data = ordered(data, "BADC")
        if characters != "both":
            data = data[characters == "low" :: 2]
        return data.rstrip(_ERASED).split(b"\0", 1)[0].decode("latin-1").strip()
    content = ordered(data, order)
    if kind == "raw":
        return content.hex()
    if kind == "mac":
        return content.hex(":")
    if kind in ("ipv4", "ipv6"):
        return str(ipaddress.ip_address(content))
    try:
        return _date(kind, content).isoformat(timespec="seconds")
    except ValueError:
        return ""


def _date(kind: str, content: bytes) -> datetime:
    if kind == "epoch":
        return _EPOCH + timedelta(seconds=int.from_bytes(content, "big"))
    groups = struct.unpack(f">{len(content) // 2}H", content)
    if kind == "datetime":
        return datetime(*groups)  # noqa: DTZ001 (the device's own clock, whatever it is set to)
    year, day, minute, milliseconds = groups
    return datetime(  # noqa: DTZ001
        2000 + (year & 0x7F),
        day >> 8 & 0x0F,
        day & 0x1F,
        minute >> 8 & 0x1F,
        minute & 0x3F,
        milliseconds // 1000,
    )
