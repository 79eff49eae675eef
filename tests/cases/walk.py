"""What net-snmp's `snmpwalk -On` prints, as the objects of an agent."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from sim.servers.snmp import values
from sim.servers.snmp.mib import TableView
from sim.servers.snmp.values import Raw
from tests.cases.lines import Lines, is_remark

_OID = re.compile(r"\.([0-9]+(?:\.[0-9]+)+)")
_LINE = re.compile(r"\.([0-9]+(?:\.[0-9]+)+) = (.*)")
_NUMBER = re.compile(r"(?:[A-Za-z][\w-]*\((-?[0-9]+)\)|(-?[0-9]+))(?: .*)?")
_NUMBERS = {
    "INTEGER": values.INTEGER,
    "Counter32": values.COUNTER32,
    "Gauge32": values.GAUGE32,
    "Unsigned32": values.GAUGE32,
    "Counter64": values.COUNTER64,
}
_NOTHING = ("No Such ", "No more variables")
_UNTYPED = "types are missing where snmpwalk is given q or Q: walk with -On"


def read_walk(path: Path) -> TableView:
    """Every object of a walk; ProblemsError names every line that is none."""
    lines, view = Lines(path), TableView()
    for number, oid, text in _entries(lines):
        lines.number = number
        if text.startswith(_NOTHING):
            continue
        try:
            tag, value = _value(text)
            if view.get(oid) is not None:
                raise ValueError("this object stands here a second time")
            values.encode(tag, value)
            view.put(oid, tag, value)
        except (ValueError, TypeError) as error:
            lines.wrong(str(error))
    lines.check()
    return view


def _entries(lines: Lines) -> list[tuple[int, tuple[int, ...], str]]:
    """(line, OID, what stands behind it); texts and bytes may go on over several lines."""
    found: list[tuple[int, tuple[int, ...], str]] = []
    for line in lines:
        if found and _goes_on(found[-1][2], line):
            number, oid, text = found[-1]
            found[-1] = number, oid, f"{text}\n{line}"
        elif match := _LINE.fullmatch(line):
            found.append((lines.number, tuple(map(int, match[1].split("."))), match[2]))
        elif not is_remark(line):
            lines.wrong(
                "this is no line of `snmpwalk -On`", "it looks like .1.3.6.1.2.1.1.3.0 = Timeticks: (4711) 0:00:47.11"
            )
    return found


def _goes_on(text: str, line: str) -> bool:
    """Whether a line belongs to the value before it: more bytes, or more of a text that has no end yet."""
    if text.startswith("Hex-STRING:"):
        return re.fullmatch(r"(?:[0-9A-F]{2} ?)+", line) is not None
    return text.startswith('STRING: "') and re.search(r'(?<!\\)(?:\\\\)*"\Z', text[9:]) is None


def _value(text: str) -> tuple[int, Raw]:
    """Tag and value of what stands behind the sign of equality."""
    kind, is_typed, rest = text.partition(":")
    rest = rest.removeprefix(" ")
    if text in ('""', "NULL"):
        return (values.OCTETS, b"") if text == '""' else (values.NULL, None)
    if not is_typed:
        raise ValueError(f"{text!r} has no type; {_UNTYPED}")
    if kind in _NUMBERS:
        match = _NUMBER.fullmatch(rest)
        if match is None:
            raise ValueError(f"{rest!r} is no whole number; walk with -m '' so that raw numbers are shown")
        return _NUMBERS[kind], int(match[1] or match[2])
    if kind == "STRING":
        return values.OCTETS, _text(rest)
    if kind in ("Hex-STRING", "BITS"):
        return values.OCTETS, bytes.fromhex(rest)
    if kind == "Timeticks" and (match := re.match(r"\(([0-9]+)\)", rest)):
        return values.TIMETICKS, int(match[1])
    if kind == "OID" and (match := _OID.fullmatch(rest)):
        return values.OBJECT_ID, tuple(map(int, match[1].split(".")))
    if kind in ("IpAddress", "Network Address"):
        return values.IP_ADDRESS, bytes(map(int, rest.split(".")))
    if kind == "Opaque" and rest.startswith("Float: "):
        return values.OPAQUE, b"\x9f\x78\x04" + struct.pack(">f", float(rest.removeprefix("Float: ")))
    raise ValueError(f"{text!r} cannot be read; {_UNTYPED}")


def _text(rest: str) -> bytes:
    if not rest.startswith('"'):
        return rest.encode()
    if len(rest) < 2 or not rest.endswith('"'):
        raise ValueError("the text has no end: a quote is missing")
    return re.sub(r"\\(.)", r"\1", rest[1:-1], flags=re.DOTALL).encode()
