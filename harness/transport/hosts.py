"""Which texts can be the name or the address of a host at all: the rest is refused before anything is looked up."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_LONGEST = 253
_EVERYBODY = IPv4Address("255.255.255.255")


def check_host(text: str, *, is_ipv6: bool | None = None, is_one: bool = True) -> str:
    """The text when it is an IPv4 address, an IPv6 address or a host name (RFC 1123); ValueError otherwise.

    `is_ipv6`: whether it stood in brackets (None: both ways are right). `is_one`: whether it must be that of one host,
    so not `0.0.0.0`.
    """
    if is_ipv6 or (is_ipv6 is None and ":" in text):
        return _parsed(text, IPv6Address, "IPv6", is_one=is_one)
    if text and not set(text) - set("0123456789."):
        return _parsed(text, IPv4Address, "IPv4", is_one=is_one)
    if "$" in text or "{" in text:
        raise ValueError(f"{text!r} is no host: a station file takes no variables, write the name or the address")
    labels = text.removesuffix(".").split(".")
    if len(text) > _LONGEST or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError(f"{text[:64]!r} is no host: a name has letters, digits and '-' between its dots")
    return text


def check_url(text: str) -> str:
    """The text when it is `http(s)://HOST[:PORT][/PATH]`; ValueError otherwise, which shows no password."""
    parts = urlsplit(text)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("a url holds no user, password or query: they stand in keys of their own")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{text[:64]!r} is not http(s)://HOST[:PORT]")
    try:
        is_port = parts.port is None or parts.port > 0
    except ValueError:
        is_port = False
    if not is_port:
        raise ValueError(f"{text[:64]!r} has no valid port (1 to 65535)")
    check_host(parts.hostname)
    return text


def _parsed(text: str, kind: type[IPv4Address | IPv6Address], what: str, *, is_one: bool) -> str:
    try:
        found = kind(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no {what} address: {_why(error)}") from None
    if not is_one:
        return text
    if found.is_unspecified or found.is_multicast or found == _EVERYBODY:
        raise ValueError(f"{text!r} is the address of no one device, write its own")
    return text


def _why(error: ValueError) -> str:
    """The library's reason without the address, which stands before it."""
    return re.sub(r"\s+in '.*'", "", str(error)).rstrip(".")
