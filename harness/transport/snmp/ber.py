"""The part of ASN.1 BER that SNMP uses (X.690, RFC 3417 section 8), decoded without trust.

```
 tag | length (1 byte, or 0x8n and n bytes) | content of exactly that many bytes
```

Lengths must be definite and stay inside their parent. Long-form lengths and padded numbers are accepted (real agents
send them), unsigned numbers may lack the pad byte (ditto), but nothing may be cut short, empty where a value must be,
or left over. Everything here raises BerError and nothing else on foreign bytes.

A value whose frame is intact and whose content is none of its type (an INTEGER of no bytes, or of more than 32 bits)
costs that value: it comes as UNDECODABLE, and what stands behind it is read on.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache

from harness.errors import ConfigError
from harness.transport.snmp.types import Kind, Value, VarBind

MAX_MESSAGE = 65_535
"""Longest datagram looked at, bytes."""
MAX_SUBIDS = 128
"""Longest OID, RFC 2578 section 3.5."""

INTEGER, OCTET_STRING, NULL, OID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
_OPAQUE_FLOAT, _OPAQUE_DOUBLE = b"\x9f\x78\x04", b"\x9f\x79\x08"


class BerError(ValueError):
    """The bytes are not what the protocol allows here."""


# --- encoding ---------------------------------------------------------------------------------------------------------


def tlv(tag: int, content: bytes) -> bytes:
    """Tag, minimal definite length, content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    if size < 0x100:
        return bytes((tag, 0x81, size)) + content
    if size < 0x10000:
        return bytes((tag, 0x82, size >> 8, size & 0xFF)) + content
    raise ConfigError(f"an SNMP message part of {size} bytes does not fit into a datagram")


def encode_integer(value: int) -> bytes:
    """A whole INTEGER, two's complement, shortest form."""
    return tlv(INTEGER, _signed(value))


def _signed(value: int) -> bytes:
    return value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, "big", signed=True)


@lru_cache(maxsize=8192)
def encode_oid(text: str) -> bytes:
    """A whole OBJECT IDENTIFIER from dotted decimals (a leading dot is allowed); ConfigError when it is not one."""
    parts = text.removeprefix(".").split(".")
    if not all(part.isascii() and part.isdigit() and len(part) <= 10 for part in parts):
        raise ConfigError(f"{text!r} is not an OID; write it like '1.3.6.1.2.1.1.3.0'")
    numbers = [int(part) for part in parts]
    if not 2 <= len(numbers) <= MAX_SUBIDS or numbers[0] > 2 or (numbers[0] < 2 and numbers[1] > 39):
        raise ConfigError(f"{text!r} is not an OID; it has 2 to {MAX_SUBIDS} parts and begins with 0, 1 or 2")
    if max(numbers) > 0xFFFFFFFF:
        raise ConfigError(f"{text!r} is not an OID; a part is larger than 4294967295")
    content = bytearray()
    for number in (numbers[0] * 40 + numbers[1], *numbers[2:]):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(0x80 | (number & 0x7F))
        content += bytes(reversed(groups))
    return tlv(OID, bytes(content))


_UNSIGNED_MAX = {
    Kind.COUNTER32: 0xFFFFFFFF,
    Kind.GAUGE32: 0xFFFFFFFF,
    Kind.TIMETICKS: 0xFFFFFFFF,
    Kind.COUNTER64: 0xFFFFFFFFFFFFFFFF,
}


def encode_value(kind: Kind, value: Value) -> bytes:
    """A whole value of the given kind; ConfigError when the value is of another type or out of its range.

    A float as OPAQUE becomes an Opaque float (32 bit), as net-snmp sends them. Text becomes UTF-8.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if kind is Kind.INTEGER and -(2**31) <= value < 2**31:
            return encode_integer(value)
        if 0 <= value <= _UNSIGNED_MAX.get(kind, -1):
            return tlv(kind, _signed(value))
    elif isinstance(value, str) and kind is Kind.OID:
        return encode_oid(value)
    elif isinstance(value, str) and kind is Kind.IP_ADDRESS:
        try:
            return tlv(kind, ipaddress.IPv4Address(value).packed)
        except ValueError:
            raise ConfigError(f"{value!r} is not an IPv4 address") from None
    elif isinstance(value, str | bytes) and kind in (Kind.OCTET_STRING, Kind.OPAQUE):
        return tlv(kind, value.encode() if isinstance(value, str) else value)
    elif isinstance(value, float) and kind is Kind.OPAQUE:
        try:
            return tlv(kind, _OPAQUE_FLOAT + struct.pack(">f", value))
        except OverflowError:
            raise ConfigError(f"{value!r} does not fit into a 32-bit float") from None
    elif value is None and kind is Kind.NULL:
        return b"\x05\x00"
    raise ConfigError(f"{value!r} ({type(value).__name__}) cannot be written as SNMP {kind.name}")


def encode_varbinds(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A whole variable-bindings list from encoded (OID, value) pairs."""
    return tlv(SEQUENCE, b"".join([tlv(SEQUENCE, oid + value) for oid, value in pairs]))


# --- decoding ---------------------------------------------------------------------------------------------------------


def header(data: bytes, position: int, limit: int) -> tuple[int, int, int]:
    """Tag, start and end of the content of the element at `position`, which must end at or before `limit`."""
    if position + 2 > limit:
        raise BerError("cut short: an element is missing")
    tag, size = data[position], data[position + 1]
    start = position + 2
    if tag & 0x1F == 0x1F:
        raise BerError(f"tag 0x{tag:02x} is not an SNMP tag")
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4:
            raise BerError("indefinite or absurd length" if count else "indefinite length")
        if start + count > limit:
            raise BerError("cut short in a length")
        size = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + size > limit:
        raise BerError(f"cut short: {size} bytes announced, {limit - start} are left")
    return tag, start, start + size


def expect(data: bytes, position: int, limit: int, tag: int, what: str) -> tuple[int, int]:
    """Start and end of the content of the element at `position`, which must have this tag."""
    found, start, stop = header(data, position, limit)
    if found != tag:
        raise BerError(f"{what}: tag 0x{tag:02x} expected, got 0x{found:02x}")
    return start, stop


def read_integer(data: bytes, position: int, limit: int, what: str) -> tuple[int, int]:
    """The INTEGER at `position` (1 to 5 bytes) and where it ends."""
    start, stop = expect(data, position, limit, INTEGER, what)
    if not 1 <= stop - start <= 5:
        raise BerError(f"{what}: an INTEGER of {stop - start} bytes")
    return int.from_bytes(data[start:stop], "big", signed=True), stop


def read_octets(data: bytes, position: int, limit: int, what: str) -> tuple[bytes, int]:
    """The OCTET STRING at `position` and where it ends."""
    start, stop = expect(data, position, limit, OCTET_STRING, what)
    return data[start:stop], stop


@lru_cache(maxsize=8192)
def decode_oid(content: bytes) -> str:
    """Dotted decimals of an OID's content."""
    if not content:
        raise BerError("an empty OID")
    if len(content) > 5 * MAX_SUBIDS:
        raise BerError("an OID longer than SNMP allows")
    numbers: list[int] = []
    number = 0
    is_open = False
    for byte in content:
        if byte == 0x80 and not is_open:
            raise BerError("an OID part with a leading zero")
        number = number << 7 | byte & 0x7F
        is_open = byte >= 0x80
        if not is_open:
            numbers.append(number)
            number = 0
        elif number > 0x1FFFFFF:
            raise BerError("an OID part above 4294967295")
    if is_open:
        raise BerError("an OID cut short")
    first = min(numbers[0] // 40, 2)
    if len(numbers) >= MAX_SUBIDS or max(numbers[1:], default=0) > 0xFFFFFFFF or numbers[0] - 80 > 0xFFFFFFFF:
        raise BerError("an OID longer or larger than SNMP allows")
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def _decode_integer(content: bytes) -> Value:
    if not 1 <= len(content) <= 8:
        raise BerError(f"an INTEGER of {len(content)} bytes")
    value = int.from_bytes(content, "big", signed=True)
    if not -(2**31) <= value < 2**31:
        raise BerError(f"INTEGER {value} has more than 32 bits")
    return value


def _decode_unsigned(content: bytes, largest: int) -> int:
    if not 1 <= len(content) <= 9:
        raise BerError(f"an unsigned number of {len(content)} bytes")
    value = int.from_bytes(content, "big")
    if value > largest:
        raise BerError(f"unsigned number {value} is larger than {largest}")
    return value


def _decode_32(content: bytes) -> Value:
    return _decode_unsigned(content, 0xFFFFFFFF)


def _decode_64(content: bytes) -> Value:
    return _decode_unsigned(content, 0xFFFFFFFFFFFFFFFF)


def _decode_ip(content: bytes) -> Value:
    if len(content) != 4:
        raise BerError(f"an IpAddress of {len(content)} bytes")
    return "{}.{}.{}.{}".format(*content)


def _decode_opaque(content: bytes) -> Value:
    if content.startswith(_OPAQUE_FLOAT) and len(content) == 7:
        return float(struct.unpack(">f", content[3:])[0])
    if content.startswith(_OPAQUE_DOUBLE) and len(content) == 11:
        return float(struct.unpack(">d", content[3:])[0])
    return content


def _decode_nothing(content: bytes) -> Value:
    if content:
        raise BerError(f"{len(content)} bytes where there is no value")
    return None


def _octets(content: bytes) -> Value:
    return content


_DECODERS: dict[int, tuple[Kind, Callable[[bytes], Value]]] = {
    Kind.INTEGER: (Kind.INTEGER, _decode_integer),
    Kind.OCTET_STRING: (Kind.OCTET_STRING, _octets),
    Kind.NULL: (Kind.NULL, _decode_nothing),
    Kind.OID: (Kind.OID, decode_oid),
    Kind.IP_ADDRESS: (Kind.IP_ADDRESS, _decode_ip),
    Kind.COUNTER32: (Kind.COUNTER32, _decode_32),
    Kind.GAUGE32: (Kind.GAUGE32, _decode_32),
    Kind.TIMETICKS: (Kind.TIMETICKS, _decode_32),
    Kind.OPAQUE: (Kind.OPAQUE, _decode_opaque),
    Kind.COUNTER64: (Kind.COUNTER64, _decode_64),
    Kind.NO_SUCH_OBJECT: (Kind.NO_SUCH_OBJECT, _decode_nothing),
    Kind.NO_SUCH_INSTANCE: (Kind.NO_SUCH_INSTANCE, _decode_nothing),
    Kind.END_OF_MIB_VIEW: (Kind.END_OF_MIB_VIEW, _decode_nothing),
}


def decode_value(tag: int, content: bytes) -> tuple[Kind, Value]:
    """Kind and value of a value element."""
    entry = _DECODERS.get(tag)
    if entry is None:
        raise BerError(f"value type 0x{tag:02x} is not an SNMP type")
    kind, decode = entry
    return kind, decode(content)


def _bind(oid: str, tag: int, content: bytes) -> VarBind:
    """An object with its value, or with what is wrong with it."""
    try:
        return VarBind(oid, *decode_value(tag, content))
    except BerError as error:
        return VarBind(oid, Kind.UNDECODABLE, None, str(error))


def decode_varbinds(data: bytes, position: int, limit: int, most: int = MAX_SUBIDS) -> list[VarBind]:
    """All bindings between `position` and `limit`, at most `most`, whatever their OIDs."""
    found: list[VarBind] = []
    while position < limit:
        if len(found) == most:
            raise BerError(f"at most {most} objects asked, more came")
        start, stop = expect(data, position, limit, SEQUENCE, "binding")
        oid_start, oid_stop = expect(data, start, stop, OID, "name of a binding")
        tag, value_start, value_stop = header(data, oid_stop, stop)
        if value_stop != stop:
            raise BerError("bytes left over in a binding")
        found.append(_bind(decode_oid(data[oid_start:oid_stop]), tag, data[value_start:value_stop]))
        position = stop
    return found


Known = list[tuple[bytes, VarBind]]
"""The bindings of the answer before, as they came and decoded."""


def match_varbinds(  # noqa: C901 (one loop without calls: every value of every poll goes through it)
    data: bytes, position: int, limit: int, wanted: Sequence[tuple[bytes, str]], known: Known | None = None
) -> list[VarBind]:
    """The bindings between `position` and `limit`, which must be the `wanted` (encoded OID, OID), in that order.

    This is the loop that every poll runs through: OIDs are compared as bytes, not decoded, and the usual short forms
    are read in place. Anything unusual takes the long way of `header`. A binding that comes as it came before, byte for
    byte, is what it was before; `known` keeps them from one answer to the next.
    """
    found: list[VarBind] = []
    fresh: Known = []
    before = known if known is not None and len(known) == len(wanted) else None
    append, make, from_bytes = found.append, tuple.__new__, int.from_bytes
    for place, (encoded, oid) in enumerate(wanted):
        if before is not None:
            same, bind = before[place]
            if data.startswith(same, position, limit):
                append(bind)
                position += len(same)
                continue
        begin = position
        if position + 2 <= limit and data[position] == SEQUENCE and data[position + 1] < 0x80:
            stop = position + 2 + data[position + 1]
            position += 2
            if stop > limit:
                raise BerError(f"binding of {oid}: cut short")
        else:
            if position >= limit:
                raise BerError(f"{len(wanted)} bindings asked, {len(found)} came")
            position, stop = expect(data, position, limit, SEQUENCE, f"binding of {oid}")
        if data.startswith(encoded, position, stop):
            position += len(encoded)
        else:
            position = _same_oid(data, position, stop, encoded, oid)
        if position + 2 <= stop and data[position + 1] == stop - position - 2 < 0x80:
            tag = data[position]
            content = data[position + 2 : stop]
        else:
            tag, position, end = header(data, position, stop)
            if end != stop:
                raise BerError(f"binding of {oid}: {stop - end} bytes left over")
            content = data[position:stop]
        if tag == 0x42 and 0 < len(content) < 5:
            append(make(VarBind, (oid, Kind.GAUGE32, from_bytes(content, "big"), "")))
        elif tag == INTEGER and 0 < len(content) < 5:
            append(make(VarBind, (oid, Kind.INTEGER, from_bytes(content, "big", signed=True), "")))
        elif tag == Kind.END_OF_MIB_VIEW:
            append(VarBind(oid, Kind.UNDECODABLE, None, "the end of the MIB is no answer to a GET"))
        else:
            append(_bind(oid, tag, content))
        position = stop
        if before is not None:
            before[place] = data[begin:stop], found[-1]
        elif known is not None:
            fresh.append((data[begin:stop], found[-1]))
    if position != limit:
        raise BerError(f"{len(wanted)} bindings asked, more came")
    if before is None and known is not None:
        known[:] = fresh
    return found


def _same_oid(data: bytes, position: int, limit: int, encoded: bytes, oid: str) -> int:
    """Where the OID at `position` ends, if it is the wanted one in a longer encoding of its length."""
    start, stop = expect(data, position, limit, OID, f"binding of {oid}: its name")
    _, own_start, own_stop = header(encoded, 0, len(encoded))
    if data[start:stop] != encoded[own_start:own_stop]:
        raise BerError(f"{oid} asked, {decode_oid(data[start:stop])} came in its place")
    return stop
