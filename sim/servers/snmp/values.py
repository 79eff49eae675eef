"""SNMP values (RFC 2578 base types): tags, ranges, encoding and decoding."""

from __future__ import annotations

from typing import NamedTuple

from sim.servers.snmp import ber

INTEGER = 0x02
OCTETS = 0x04
NULL = 0x05
OBJECT_ID = 0x06
IP_ADDRESS = 0x40
COUNTER32 = 0x41
GAUGE32 = 0x42
TIMETICKS = 0x43
OPAQUE = 0x44
COUNTER64 = 0x46

INTEGER_TAGS = frozenset({INTEGER, COUNTER32, GAUGE32, TIMETICKS, COUNTER64})
OCTET_TAGS = frozenset({OCTETS, IP_ADDRESS, OPAQUE})
TAGS = INTEGER_TAGS | OCTET_TAGS | {NULL, OBJECT_ID}

NO_SUCH_OBJECT = b"\x80\x00"
NO_SUCH_INSTANCE = b"\x81\x00"
END_OF_MIB_VIEW = b"\x82\x00"

Raw = int | bytes | tuple[int, ...] | None
"""What a value is in Python: int for the numbers, bytes for the strings, a tuple for an OID, None for NULL."""


class Value(NamedTuple):
    """One typed value: ASN.1 tag and content."""

    tag: int
    value: Raw


def in_range(tag: int, number: int) -> int:
    """The number as a device would hold it: counters and time wrap, gauges latch at their ends (RFC 2578 section 7.1).

    An INTEGER beyond 32 bits has no such rule and is a ValueError.
    """
    if tag in (COUNTER32, TIMETICKS):
        return number & 0xFFFFFFFF
    if tag == GAUGE32:
        return min(max(number, 0), 0xFFFFFFFF)
    if tag == COUNTER64:
        return number & 0xFFFFFFFFFFFFFFFF
    if not -0x80000000 <= number <= 0x7FFFFFFF:
        raise ValueError(f"expected an INTEGER of 32 bits, got {number}")
    return number


def encode(tag: int, value: Raw) -> bytes:
    """The TLV of a value; TypeError or ValueError when the value does not fit its tag."""
    if tag in INTEGER_TAGS:
        if not isinstance(value, int):
            raise TypeError(f"expected an int for tag 0x{tag:02x}, got {type(value).__name__}")
        number = in_range(tag, value)
        content = number.to_bytes((number if number >= 0 else ~number).bit_length() // 8 + 1, "big", signed=True)
        return bytes((tag, len(content))) + content
    if tag in OCTET_TAGS:
        if not isinstance(value, bytes):
            raise TypeError(f"expected bytes for tag 0x{tag:02x}, got {type(value).__name__}")
        if tag == IP_ADDRESS and len(value) != 4:
            raise ValueError(f"expected 4 octets for an IpAddress, got {len(value)}")
        return ber.tlv(tag, value)
    if tag == OBJECT_ID:
        if not isinstance(value, tuple):
            raise TypeError(f"expected a tuple for an OBJECT IDENTIFIER, got {type(value).__name__}")
        return ber.encode_oid(value)
    if tag == NULL:
        if value is not None:
            raise TypeError(f"expected None for a NULL, got {type(value).__name__}")
        return b"\x05\x00"
    raise ValueError(f"expected a tag of RFC 2578, got 0x{tag:02x}")


def decode(tag: int, content: bytes) -> Value:
    """A value from its content octets; BerError when they do not fit the tag."""
    if tag == INTEGER:
        return Value(tag, ber.decode_int(content))
    if tag in INTEGER_TAGS:
        number = ber.decode_int(content, most=9 if tag == COUNTER64 else 5)
        if number < 0 or number > (0xFFFFFFFFFFFFFFFF if tag == COUNTER64 else 0xFFFFFFFF):
            raise ber.BerError(f"expected an unsigned number for tag 0x{tag:02x}, got {number}")
        return Value(tag, number)
    if tag in OCTET_TAGS:
        if tag == IP_ADDRESS and len(content) != 4:
            raise ber.BerError(f"expected 4 octets for an IpAddress, got {len(content)}")
        return Value(tag, content)
    if tag == OBJECT_ID:
        return Value(tag, ber.decode_oid_content(content))
    if tag == NULL and not content:
        return Value(tag, None)
    raise ber.BerError(f"expected a value of RFC 2578, got tag 0x{tag:02x} with {len(content)} octets")
