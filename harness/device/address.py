"""Device addresses, as a station file states them.

`modbus+tcp://host:502/12`, `modbus+rtu:///dev/ttyUSB0?baud=19200&parity=E/200`, `snmp://host:161`,
`redfishs://host:443?ca=cdu.pem`, and VISA resource strings such as `TCPIP::host::5025::SOCKET`.
"""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from harness.transport.hosts import check_host
from harness.transport.visa.resource import PREFIXES, parse_resource

_PORTS = {"modbus+tcp": 502, "modbus+rtutcp": 502, "snmp": 161, "redfish": 80, "redfishs": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address. `scheme` is modbus+tcp, modbus+rtutcp, modbus+rtu, snmp, redfish, redfishs or visa.

    `host` is a serial port with modbus+rtu, and '' for a VISA resource that is not on the network; `port` is 0 for what
    has none.
    """

    scheme: str
    host: str = ""
    port: int = 0
    unit: int | None = None
    resource: str = ""
    options: dict[str, str] = field(default_factory=dict)

    @property
    def protocol(self) -> str:
        """The protocol family that a profile must speak: modbus, snmp, scpi or redfish."""
        others = {"visa": "scpi", "redfishs": "redfish"}
        return others.get(self.scheme) or self.scheme.partition("+")[0]

    @property
    def bus(self) -> tuple[str, str, int]:
        """What devices on one wire share: one connection, one queue."""
        return self.scheme, self.host, self.port

    def __str__(self) -> str:
        if self.scheme == "visa":
            return self.resource
        if self.scheme == "modbus+rtu":
            return f"{self.host} unit {self.unit}"
        tail = f" unit {self.unit}" if self.unit is not None else ""
        return f"{self.host}:{self.port}{tail}"


def parse_address(text: str) -> Address:
    """Parse an address; ValueError says what is wrong and shows a right one."""
    if text.upper().startswith(PREFIXES) and "::" in text:
        found = parse_resource(text)
        return Address("visa", found.host, found.port, resource=text)
    if text.startswith("modbus+rtu://"):
        return _serial(text)
    parts = urlsplit(text)
    if parts.scheme not in _PORTS:
        raise ValueError(
            f"address {text!r} is not known; write modbus+tcp://HOST:PORT/UNIT, modbus+rtutcp://HOST:PORT/UNIT, "
            "modbus+rtu:///dev/ttyX?baud=19200&parity=E/UNIT, snmp://HOST:PORT, redfishs://HOST:PORT or a VISA "
            "resource like TCPIP::HOST::5025::SOCKET"
        )
    try:
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
    except ValueError:
        port = 0
    if not port:
        ipv6 = "; an IPv6 address stands in brackets: [::1]" if parts.netloc.count(":") > 1 else ""
        raise ValueError(f"address {text!r} has no valid port (1 to 65535){ipv6}")
    if not parts.hostname or parts.username or (parts.query and not parts.scheme.startswith("redfish")):
        raise ValueError(f"address {text!r} must be SCHEME://HOST:PORT; credentials never stand in an address")
    check_host(parts.hostname)
    if parts.scheme.startswith("redfish"):
        if parts.path.strip("/"):
            raise ValueError(
                f"address {text!r}: a Redfish address ends after the port; the profile knows the resources"
            )
        return Address(parts.scheme, parts.hostname, port, options=_redfish(parts.scheme, parts.hostname, parts.query))
    unit = _unit(parts.path.strip("/"), text) if parts.scheme.startswith("modbus") else None
    if parts.scheme == "snmp" and parts.path.strip("/"):
        raise ValueError(f"address {text!r}: an SNMP address ends after the port")
    return Address(parts.scheme, parts.hostname, port, unit)


def _redfish(scheme: str, host: str, query: str) -> dict[str, str]:
    """How the service is trusted: `ca` (a file), `fingerprint` (SHA-256 of its certificate) or `insecure=true`."""
    known = ("ca", "fingerprint", "insecure") if scheme == "redfishs" else ("insecure",)
    options = {key: values[-1] for key, values in parse_qs(query, strict_parsing=bool(query)).items()}
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(f"{scheme}://{host}: unknown option {unknown[0]!r}; known are {', '.join(known)}")
    if len(options) > 1:
        raise ValueError(f"{scheme}://{host}: give one of {', '.join(known)}")
    if options.get("insecure", "true") != "true":
        raise ValueError(f"{scheme}://{host}: insecure is true or left out")
    if "fingerprint" in options:
        digits = options["fingerprint"].replace(":", "").lower()
        if len(digits) != 64 or set(digits) - set(string.hexdigits):
            raise ValueError(
                f"{scheme}://{host}: a fingerprint is the SHA-256 of the certificate, 64 hexadecimal digits"
            )
        options["fingerprint"] = digits
    if scheme == "redfish" and "insecure" not in options and not _is_loopback(host):
        raise ValueError(
            f"redfish://{host} is not encrypted: write redfishs://, or add ?insecure=true if it has no other"
        )
    return options


def tls_options(where: Address, base: Path) -> dict[str, str | bool] | None:
    """The fields of `harness.transport.redfish.Tls` for an address; None when it is not encrypted."""
    if where.scheme != "redfishs":
        return None
    options = where.options
    ca = str((base / options["ca"]).resolve()) if "ca" in options else ""
    return {"ca": ca, "fingerprint": options.get("fingerprint", ""), "unchecked": "insecure" in options}


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _serial(text: str) -> Address:
    body = text.removeprefix("modbus+rtu://")
    path, question, rest = body.partition("?")
    query, slash, unit = rest.rpartition("/") if question else (path.rpartition("/")[0], "/", path.rpartition("/")[2])
    if not question:
        path, query = query, ""
    if not path.startswith("/dev/") or not slash:
        raise ValueError(f"address {text!r} must be like modbus+rtu:///dev/ttyUSB0?baud=19200&parity=E/12")
    options = {key: values[-1] for key, values in parse_qs(query, strict_parsing=bool(query)).items()}
    unknown = set(options) - {"baud", "parity", "stop"}
    if unknown:
        raise ValueError(f"address {text!r}: unknown option {sorted(unknown)[0]!r}; known are baud, parity, stop")
    baud, parity, stop = (options.get(key, right) for key, right in (("baud", "300"), ("parity", "N"), ("stop", "1")))
    is_baud = baud.isascii() and baud.isdigit() and 300 <= int(baud[:8]) <= 1_000_000
    if not is_baud or parity.upper() not in ("N", "E", "O") or stop not in ("1", "2"):
        raise ValueError(f"address {text!r}: baud is 300 to 1000000, parity N, E or O, stop 1 or 2")
    return Address("modbus+rtu", path, 0, _unit(unit, text), options=options)


def _unit(text: str, address: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) > 255:
        raise ValueError(f"address {address!r}: the unit after the last '/' must be 0 to 255")
    return int(text)
