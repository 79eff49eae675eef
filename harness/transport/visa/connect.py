"""From a VISA resource string to an instrument: which kind of session serves it."""

from __future__ import annotations

from collections.abc import Callable

from harness.errors import ConfigError
from harness.transport.network import Network
from harness.transport.visa.instrument import Instrument
from harness.transport.visa.manners import Manners
from harness.transport.visa.pyvisa_session import PyvisaSession
from harness.transport.visa.resource import parse_resource
from harness.transport.visa.session import Session
from harness.transport.visa.socket_session import SocketSession


def open_instrument(
    resource: str,
    network: Network,
    *,
    virtual: bool,
    name: str = "",
    timeout: float = 3.0,
    manners: Manners = Manners(),  # noqa: B008 (frozen)
) -> Instrument:
    """The instrument at a VISA resource string; ConfigError for one that is none (see `resource`).

    In virtual time, and where the address is an IPv6 one (the VISA library reads none), a socket is opened through
    `network`; other resources need real time.
    """
    try:
        where = parse_resource(resource)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if virtual and not where.is_socket:
        raise ConfigError(f"{resource!r} cannot be simulated in virtual time; use TCPIP::host::port::SOCKET")
    make: Callable[[], Session]
    if where.is_socket and (virtual or where.is_ipv6):
        make = lambda: SocketSession(network, where.host, where.port, manners)  # noqa: E731
    else:
        make = lambda: PyvisaSession(resource, manners)  # noqa: E731
    return Instrument(make, name=name or resource, timeout=timeout, connects=where.is_socket)
