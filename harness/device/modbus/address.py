"""Addresses of devices on Modbus: TCP, RTU over TCP, and serial lines, whose settings stand in the address."""

from __future__ import annotations

from urllib.parse import parse_qs

from harness.device.address import Address, split_address

_PORT = 502
_LINE = "modbus+rtu"


def parse(text: str) -> Address:
    """An address; ValueError says what is wrong and shows a right one."""
    if text.startswith(f"{_LINE}://"):
        return _serial(text)
    parts, port = split_address(text, _PORT)
    return Address("modbus", parts.scheme, parts.hostname or "", port, _unit(parts.path.strip("/"), text))


def _serial(text: str) -> Address:
    body = text.removeprefix(f"{_LINE}://")
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
    return Address("modbus", _LINE, path, 0, _unit(unit, text), options=options, wire="line")


def _unit(text: str, address: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) > 255:
        raise ValueError(f"address {address!r}: the unit after the last '/' must be 0 to 255")
    return int(text)
