"""Addresses of SNMP agents: `snmp://HOST:PORT`."""

from __future__ import annotations

from harness.device.address import Address, split_address

_PORT = 161


def parse(text: str) -> Address:
    """An address; ValueError says what is wrong and shows a right one."""
    parts, port = split_address(text, _PORT)
    if parts.path.strip("/"):
        raise ValueError(f"address {text!r}: an SNMP address ends after the port")
    return Address("snmp", "snmp", parts.hostname or "", port, wire="udp")
