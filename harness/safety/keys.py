"""What a run has for itself: the devices it switches, by what they are and not by what a station file calls them.

Two spellings of one device have a key in common: names of one host, a host's own name and loopback, a serial port and
the link that udev made to it. Two routes to one device have its serial number in common.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from harness.device.address import Address

RESOLVES_WITHIN_S = 3.0
"""Longest wait for a name server, seconds; a name that it does not know is taken as it stands."""
_HERE = "127.0.0.1"
_SHORTEST_SERIAL = 5
_NO_SERIALS = ("unknown", "none", "null", "default", "notset", "notavailable", "tobefilledbyoem", "123456", "12345678")
"""What stands in the place of a serial number that nobody has set, letters and digits only."""


@dataclass(frozen=True, slots=True)
class Key:
    """One thing to lock. `shown` is what people are told it is; `alone`: no other run may use it at the same time."""

    what: str
    shown: str
    alone: bool = True


def address_keys(places: Sequence[tuple[Address, int | None]]) -> list[list[str]]:
    """What is reached at each address, a name for every address that its host has; with each the profile's own unit.

    Hosts are looked up together: a name server that is gone is waited for once.
    """
    hosts = {_host(where) for where, _ in places} - {""}
    known = resolved(hosts)
    return [_keys(where, unit, known.get(_host(where), [])) for where, unit in places]


def _host(where: Address) -> str:
    """The host behind an address; '' for one that is none on a network."""
    return where.host if where.wire != "line" else ""


def _keys(where: Address, unit: int | None, hosts: Sequence[str]) -> list[str]:
    number = where.unit if where.unit is not None else unit
    tail = f"/{number}" if number is not None else ""
    if where.wire == "line":
        return [f"line {_line(where.host)}{tail}"]
    if where.wire != "visa":
        return [f"{where.wire} {host} {where.port}{tail}" for host in hosts]
    if hosts:
        return [f"tcp {host} {where.port or 'instrument'}" for host in hosts]
    return [f"visa {where.resource.upper()}"]


def _line(path: str) -> str:
    """A serial port by what it is: every name of a device file has the same numbers."""
    try:
        found = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    if stat.S_ISCHR(found.st_mode):
        return f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
    return os.path.realpath(path)


def resolved(hosts: Iterable[str]) -> dict[str, list[str]]:
    """Every address of each host, in one spelling; the name itself when it does not resolve."""
    found: dict[str, list[str]] = {}

    def look(host: str) -> None:
        with contextlib.suppress(OSError, UnicodeError):
            answers = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
            found[host] = [str(entry[4][0]) for entry in answers]

    # in threads: a name server that does not answer keeps the resolver for a long time
    names = sorted(set(hosts))
    workers = [threading.Thread(target=look, args=(name,), daemon=True) for name in names]
    deadline = time.monotonic() + RESOLVES_WITHIN_S
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
    known = dict(found)
    return {
        name: sorted({_canonical(each) for each in known.get(name, [])}) or [name.rstrip(".").lower()] for name in names
    }


def _canonical(text: str) -> str:
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if str(address) in (_HERE, "::1") or (not address.is_loopback and _is_own(str(address), address.version)):
        return _HERE
    return str(address)


def _is_own(address: str, version: int) -> bool:
    """Whether an address is one of this machine's: to those, and only to those, it would send from the same one."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))  # of a datagram socket: nothing is sent
            return str(probe.getsockname()[0]).partition("%")[0] == address
    except OSError:
        return False


def serial_key(serial: str) -> str:
    """The key of a device's own serial number; '' when it is none that tells two devices apart."""
    bare = "".join(char for char in serial.casefold() if char.isalnum())
    if len(bare) < _SHORTEST_SERIAL or len(set(bare)) < 3 or bare in _NO_SERIALS:
        return ""
    return f"serial {bare}"
