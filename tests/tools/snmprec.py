"""Captures of real devices: snmpsim's `OID|tag|value` files, as LibreNMS keeps them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sim.servers.snmp import values
from sim.servers.snmp.ber import BerError, encode_oid
from sim.servers.snmp.mib import TableView
from sim.servers.snmp.values import Raw

_LINE = re.compile(rb"\.?([0-9]+(?:\.[0-9]+)*)\|([0-9]+)([xe]?)\|(.*)", re.DOTALL)
_SIMPLE = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\", b"0": b"\0"}
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|[nrt0\\])")


def load_snmprec(path: str | Path) -> TableView:
    """Every object of a capture.

    Tolerated, because real captures have it: unsorted lines, duplicates (the last one counts), CR line ends, blank
    lines and comments, roots outside 1.3, numbers beyond their type (they wrap or latch as on a device), and numbers
    or addresses blacked out as `*` or `<private>` (they become 0 or 0.0.0.0, so that the row exists). Lines that are
    no objects at all are left out.
    """
    return TableView(_entries(Path(path).read_bytes()))


def _entries(data: bytes) -> Iterator[tuple[tuple[int, ...], int, Raw]]:
    """The objects of a capture's bytes, in file order."""
    lines = data.split(b"\n") if b"\n" in data else data.split(b"\r")
    for line in lines:
        match = _LINE.fullmatch(line.rstrip(b"\r"))
        if match is None:
            continue
        name, tag_text, form, text = match.groups()
        oid, tag = _oid(name), int(tag_text)
        if tag not in values.TAGS:
            continue
        try:
            encode_oid(oid)
        except BerError:
            continue
        yield oid, tag, _value(tag, form, text)


def _oid(text: bytes) -> tuple[int, ...]:
    return tuple(map(int, text.strip(b".").split(b".")))


def _value(tag: int, form: bytes, text: bytes) -> Raw:
    """The value of a line; what cannot be read as its type becomes that type's zero."""
    if tag == values.NULL:
        return None
    if tag in values.OCTET_TAGS:
        octets = _octets(form, text)
        if tag != values.IP_ADDRESS:
            return octets
        return octets if form == b"x" and len(octets) == 4 else _address(text)
    if tag == values.OBJECT_ID:
        try:
            oid = _oid(text)
            encode_oid(oid)
        except ValueError:
            return (0, 0)
        return oid
    try:
        number = int(text, 16 if form == b"x" else 10)
    except ValueError:
        return 0
    if tag == values.INTEGER and not -0x80000000 <= number <= 0x7FFFFFFF:
        number = (number & 0xFFFFFFFF) - (number << 1 & 0x1_0000_0000)
    return values.in_range(tag, number)


def _octets(form: bytes, text: bytes) -> bytes:
    """String content: literal, hex (`x`) or with backslash escapes (`e`)."""
    if form == b"x":
        try:
            return bytes.fromhex(text.decode("ascii"))
        except ValueError:
            return text
    if form == b"e":
        return _ESCAPE.sub(_unescape, text)
    return text


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes.fromhex(code[1:].decode("ascii")) if code[:1] == b"x" else _SIMPLE[code]


def _address(text: bytes) -> bytes:
    parts = text.strip().split(b".")
    if len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts):
        return bytes(map(int, parts))
    return b"\0\0\0\0"
