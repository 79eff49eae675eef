"""Addresses of Redfish services, and how they are trusted: `redfishs://HOST:PORT?ca=cdu.pem`."""

from __future__ import annotations

import string
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from harness.device.address import Address, split_address
from harness.schema.regular import read_regular
from harness.transport.redfish import Tls

_PORTS = {"redfish": 80, "redfishs": 443}
_MAX_BYTES = 1024 * 1024


def parse(text: str) -> Address:
    """An address; ValueError says what is wrong and shows a right one."""
    parts, port = split_address(text, _PORTS[text.partition(":")[0].lower()], takes_query=True)
    if parts.path.strip("/"):
        raise ValueError(f"address {text!r}: a Redfish address ends after the port; the profile knows the resources")
    host = parts.hostname or ""
    return Address("redfish", parts.scheme, host, port, options=_options(parts.scheme, host, parts.query))


def _options(scheme: str, host: str, query: str) -> dict[str, str]:
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


def tls_options(where: Address, base: Path) -> dict[str, Any] | None:
    """The fields of `harness.transport.redfish.Tls` for an address; None when it is not encrypted."""
    if where.scheme != "redfishs":
        return None
    options = where.options
    ca = str((base / options["ca"]).resolve()) if "ca" in options else ""
    return {"ca": ca, "fingerprint": options.get("fingerprint", ""), "unchecked": "insecure" in options}


def trust(where: Address, base: Path) -> None:
    """ConfigError or OSError where the file of certificates is not there, or is none; see `Tls`."""
    tls = tls_options(where, base)
    if tls is None:
        return
    if tls["ca"]:
        read_regular(Path(tls["ca"]), _MAX_BYTES)
    Tls(**tls).context()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
