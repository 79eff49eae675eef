"""What a network in memory may offer beneath the codecs, in virtual time only: the device itself, for healthy reads.

A day of polling in virtual time encodes and decodes the same bytes twice, on both sides, a hundred million times over.
A network that holds the devices in its own memory may let a client read them at once instead. The offer is optional
(sockets have none), and holds for one call: anything but a clean answer (a fault, a refusal, a missing object, a lie)
is None here, and the client asks again over bytes, where all of that is judged. Nothing is ever written this way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from harness.transport.network import Network

if TYPE_CHECKING:  # the guardian imports this module, and stays small
    import numpy as np
    import numpy.typing as npt

Kind = Literal["modbus", "snmp", "scpi"]


class DirectNetwork(Protocol):
    """A network that may hand out the other side."""

    def peer(self, host: str, port: int, kind: Kind) -> Any:
        """The device behind (host, port) while it would answer at once and honestly, else None."""
        ...


class ModbusPeer(Protocol):
    """A Modbus device."""

    def read(self, unit: int, function: int, address: int, count: int) -> bytes | None:
        """The data bytes of a reply to functions 1 to 4; None: ask over the wire."""
        ...


class SnmpObjectList(Protocol):
    """A list of objects of an agent, looked up once."""

    tags: Sequence[int]
    """The ASN.1 tag of each object."""

    def values(self) -> tuple[npt.NDArray[np.float64], Mapping[int, bytes]] | None:
        """Numbers (float64[n], NaN for texts) and texts by place; None: ask over the wire, now or for good."""
        ...


class SnmpPeer(Protocol):
    """An SNMP agent."""

    def below(self, root: str, community: str) -> Sequence[tuple[str, int, int | bytes]] | None:
        """OID, tag and value of all objects below `root`, in order; None: walk over the wire."""
        ...

    def objects(self, oids: Sequence[str], community: str) -> SnmpObjectList | None:
        """The objects with these OIDs for whoever knows the community (version 2c); None: ask over the wire."""
        ...


class ScpiPeer(Protocol):
    """An instrument."""

    def answer(self, line: str) -> str | None:
        """The answer to a query that changes nothing in the instrument; None: ask over the wire."""
        ...


def direct_network(network: Network) -> DirectNetwork | None:
    """The network as one that may hand out devices, if it is of that kind."""
    return network if callable(getattr(network, "peer", None)) else None  # type: ignore[return-value]
