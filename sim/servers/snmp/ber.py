"""The part of ASN.1 BER (X.690) that SNMP uses, for the simulated agents.

Written for the agent side alone: the client has a codec of its own, so that a mistake in either shows up as a
disagreement between the two.

Strictness: lengths must be definite and stay inside their parent, OIDs and integers must be minimal enough to be read
without ambiguity; anything else is a `BerError`. Long length forms with leading zeros are accepted, as real agents do.
"""

from __future__ import annotations

from functools import lru_cache

INTEGER = 0x02
OCTETS = 0x04
NULL = 0x05
OID = 0x06
SEQUENCE = 0x30

MAX_SUB_IDS = 128
"""Most sub-identifiers an OID may have (RFC 3416 section 4.1)."""


class BerError(ValueError):
    """The bytes are not what BER or SNMP allows."""


def tlv(tag: int, content: bytes) -> bytes:
    """Tag, shortest definite length, content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    if size < 0x100:
        return bytes((tag, 0x81, size)) + content
    if size < 0x10000:
        return bytes((tag, 0x82, size >> 8, size & 0xFF)) + content
    return bytes((tag, 0x83, size >> 16, size >> 8 & 0xFF, size & 0xFF)) + content


def header(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Read tag and length at `at`; returns (tag, start of content, end of content), all within `end`."""
    if at + 2 > end:
        raise BerError("expected a tag and a length, got the end of the data")
    size = data[at + 1]
    start = at + 2
    if size >= 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4:
            raise BerError(f"expected a definite length of 1 to 4 octets, got {count}")
        start += count
        if start > end:
            raise BerError("expected a length, got the end of the data")
        size = int.from_bytes(data[at + 2 : start], "big")
    stop = start + size
    if stop > end:
        raise BerError(f"expected {size} octets of content, got {end - start}")
    return data[at], start, stop


def expect(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Read the header of a TLV that must have `tag`; returns (start, end) of its content."""
    got, start, stop = header(data, at, end)
    if got != tag:
        raise BerError(f"expected tag 0x{tag:02x}, got 0x{got:02x}")
    return start, stop


def read_int(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read an INTEGER of 32 bits; returns (value, where the next TLV starts)."""
    start, stop = expect(data, at, end, INTEGER)
    return decode_int(data[start:stop]), stop


def decode_int(content: bytes, *, most: int = 4) -> int:
    """Signed integer from 1 to `most` octets of content."""
    if not 1 <= len(content) <= most:
        raise BerError(f"expected an integer of 1 to {most} octets, got {len(content)}")
    return int.from_bytes(content, "big", signed=True)


def encode_int(value: int) -> bytes:
    """Content octets of an integer: two's complement, shortest form."""
    return value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, "big", signed=True)


@lru_cache(maxsize=65_536)
def encode_oid(oid: tuple[int, ...]) -> bytes:
    """The whole TLV of an OID. The cache makes many agents share one copy of each encoded OID."""
    if not 2 <= len(oid) <= MAX_SUB_IDS:
        raise BerError(f"expected an OID of 2 to {MAX_SUB_IDS} sub-identifiers, got {len(oid)}")
    first, second = oid[0], oid[1]
    if not 0 <= first <= 2 or not 0 <= second < (40 if first < 2 else 0xFFFFFFFF - 79):
        raise BerError(f"expected an OID under 0, 1 or 2, got {first}.{second}")
    out = bytearray()
    for sub in (first * 40 + second, *oid[2:]):
        if not 0 <= sub <= 0xFFFFFFFF:
            raise BerError(f"expected sub-identifiers of 32 bits, got {sub}")
        if sub < 0x80:
            out.append(sub)
            continue
        groups = (sub.bit_length() + 6) // 7
        out.extend((sub >> 7 * group & 0x7F) | 0x80 for group in range(groups - 1, 0, -1))
        out.append(sub & 0x7F)
    return tlv(OID, bytes(out))


def decode_oid(wire: bytes) -> tuple[int, ...]:
    """The OID of a whole TLV (tag and length included)."""
    start, stop = expect(wire, 0, len(wire), OID)
    if stop != len(wire):
        raise BerError("expected one OID, got octets after it")
    return decode_oid_content(wire[start:stop])


def decode_oid_content(content: bytes) -> tuple[int, ...]:
    """The OID of the content octets."""
    if not content or content[-1] >= 0x80:
        raise BerError("expected complete sub-identifiers, got an OID that is empty or cut off")
    subs = [0, 0]
    sub = 0
    fresh = True
    for octet in content:
        if fresh and octet == 0x80:
            raise BerError("expected the shortest form of a sub-identifier, got a leading 0x80")
        sub = sub << 7 | octet & 0x7F
        fresh = octet < 0x80
        if fresh:
            if sub > 0xFFFFFFFF:
                raise BerError("expected sub-identifiers of 32 bits")
            subs.append(sub)
            sub = 0
    subs[0] = min(subs[2] // 40, 2)
    subs[1] = subs[2] - 40 * subs[0]
    del subs[2]
    if len(subs) > MAX_SUB_IDS:
        raise BerError(f"expected at most {MAX_SUB_IDS} sub-identifiers, got {len(subs)}")
    return tuple(subs)
