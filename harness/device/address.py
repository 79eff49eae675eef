"""Device addresses, as a station file states them; each protocol knows how its own look.

`modbus+tcp://host:502/12`, `modbus+rtu:///dev/ttyUSB0?baud=19200&parity=E/200`, `snmp://host:161`,
`redfishs://host:443?ca=cdu.pem`, and VISA resource strings such as `TCPIP::host::5025::SOCKET`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from harness.device.protocol import GROUP, known_protocols, protocol_of_scheme
from harness.errors import ConfigError
from harness.plugins import unusable
from harness.transport.hosts import check_host

Wire = Literal["tcp", "udp", "line", "visa"]
ONE_SETTING = "one line has one setting: write ?baud=...&parity=... in the addresses, or use two adapters"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://|([A-Za-z]+)[^:]*::")


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address. `host` is a serial port on a `line`, '' for a VISA resource that is not on the network.

    `port` is 0 for what has none; `unit` is the device behind the address, where there are several.
    """

    protocol: str
    """What a profile of a device there must speak."""
    scheme: str
    """How the address begins."""
    host: str = ""
    port: int = 0
    unit: int | None = None
    resource: str = ""
    """The whole text, where it is a VISA resource."""
    options: Mapping[str, str] = field(default_factory=dict)
    wire: Wire = "tcp"

    def __str__(self) -> str:
        if self.resource:
            return self.resource
        tail = f" unit {self.unit}" if self.unit is not None else ""
        return f"{self.host}{tail}" if self.wire == "line" else f"{self.host}:{self.port}{tail}"


def parse_address(text: str) -> Address:
    """Parse an address; ValueError says what is wrong and shows a right one."""
    found = _SCHEME.match(text)
    try:
        spoken = protocol_of_scheme(found[1].lower() if found[1] else found[2].upper()) if found is not None else None
        if spoken is None:
            known = ", ".join(each.example for each in known_protocols())
            why = "".join(f"; {each}" for each in unusable(GROUP))
            raise ValueError(f"address {text!r} is not known{why}; write {known}")
        address = spoken.part("address")(text)
        if not isinstance(address, Address) or address.protocol != spoken.name:
            raise spoken.failed(f"it makes {address!r} of the address {text!r}")
    except ConfigError as error:
        raise ValueError(error.message) from error
    return address


def split_address(text: str, port: int, *, takes_query: bool = False) -> tuple[SplitResult, int]:
    """The parts of SCHEME://HOST:PORT... and its port (`port` where none stands); ValueError when it is no such."""
    parts = urlsplit(text)
    try:
        found = port if parts.port is None else parts.port
    except ValueError:
        found = 0
    if not found:
        ipv6 = "; an IPv6 address stands in brackets: [::1]" if parts.netloc.count(":") > 1 else ""
        raise ValueError(f"address {text!r} has no valid port (1 to 65535){ipv6}")
    if not parts.hostname or parts.username or (parts.query and not takes_query):
        raise ValueError(f"address {text!r} must be SCHEME://HOST:PORT; credentials never stand in an address")
    check_host(parts.hostname)
    return parts, found
