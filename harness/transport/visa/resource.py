"""VISA resource strings, read strictly: what is accepted here can be opened."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.transport.hosts import check_host

PREFIXES = ("TCPIP", "ASRL", "USB", "GPIB", "VICP", "PRLGX")
_FORMS = (
    "TCPIP::HOST::PORT::SOCKET (HOST may be [IPv6]), TCPIP::HOST::INSTR, TCPIP::HOST::hislip0::INSTR or "
    "ASRL/dev/ttyX::INSTR"
)
_BETWEEN = re.compile(r"::(?![^\[]*\])")
"""What divides the parts; inside brackets it belongs to an IPv6 address."""
_HEAD = re.compile(
    r"(TCPIP|USB|GPIB|VICP|PRLGX)([0-9]{0,3})|ASRL(/dev/[^\s:]+|[0-9]{1,3}|COM[0-9]{1,3})", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Resource:
    """A parsed resource. `port` is 0 for what is no socket, `host` '' for what is not on the network."""

    host: str = ""
    port: int = 0

    @property
    def is_socket(self) -> bool:
        """Whether it is a bare TCP socket."""
        return self.port > 0

    @property
    def is_ipv6(self) -> bool:
        """Whether the host is an IPv6 address."""
        return ":" in self.host


def parse_resource(text: str) -> Resource:
    """Parse a VISA resource string; ValueError says what is wrong and shows right ones."""
    parts = _BETWEEN.split(text)
    if "" in parts or len(parts) < 2 or _HEAD.fullmatch(parts[0]) is None:
        raise ValueError(f"{text!r} is not a VISA resource; write {_FORMS}")
    is_network, kind = parts[0].upper().startswith("TCPIP"), parts[-1].upper()
    if kind == "SOCKET" and is_network:
        return _socket(text, parts)
    if kind != "INSTR":
        raise ValueError(f"{text!r} is not a VISA resource: it ends in ::INSTR, or ::SOCKET; write {_FORMS}")
    if not is_network:
        return Resource()
    if len(parts) not in (3, 4) or ":" in parts[1]:
        raise ValueError(f"{text!r} is not TCPIP::HOST::INSTR; IPv6 is for TCPIP::[HOST]::PORT::SOCKET")
    host, comma, port = parts[1].partition(",")  # pyvisa-py: the port of VXI-11 itself, without its port mapper
    if comma and not (port.isascii() and port.isdigit()):
        raise ValueError(f"{text!r}: the port behind the comma is a number")
    return Resource(check_host(host))


def _socket(text: str, parts: list[str]) -> Resource:
    if len(parts) != 4 or not (parts[2].isascii() and parts[2].isdigit() and 0 < int(parts[2]) < 65536):
        raise ValueError(f"{text!r} is not TCPIP::HOST::PORT::SOCKET with a port of 1 to 65535")
    host = parts[1]
    is_bracketed = host.startswith("[") and host.endswith("]")
    return Resource(check_host(host[1:-1] if is_bracketed else host, is_ipv6=is_bracketed), int(parts[2]))
