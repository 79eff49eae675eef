"""Addresses of instruments: VISA resource strings."""

from __future__ import annotations

from harness.device.address import Address
from harness.transport.visa.resource import parse_resource


def parse(text: str) -> Address:
    """An address; ValueError says what is wrong and shows right ones."""
    found = parse_resource(text)
    interface = text.partition("::")[0]
    if interface.upper().startswith("ASRL/"):
        return Address("scpi", "visa", interface[4:], resource=text, wire="line")
    return Address("scpi", "visa", found.host, found.port, resource=text, wire="visa")
