"""The simulated devices beneath their codecs: what the in-memory network offers to clients in virtual time.

An offer stands only while the port would pass every byte at once and nobody has been told to lie; see
`Listener.is_transparent`. Whatever is not a plain, whole answer is None, and the client asks over bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sim.servers.host import Host, Listener, MemoryHost
from sim.servers.modbus import ModbusServer
from sim.servers.modbus_bank import ModbusFault
from sim.servers.scpi import ScpiServer
from sim.servers.snmp.mib import CellList, Oid, TableView
from sim.servers.snmp.responder import SnmpResponder


@runtime_checkable
class Answering(Protocol):
    """An instrument that knows which queries change nothing."""

    def answer(self, line: str) -> str | None:
        """The answer to such a query, else None."""
        ...


class Readings(Protocol):
    """The plant as the objects read it."""

    def refresh(self) -> None:
        """Compute the plant's state, unless it is fresh."""
        ...

    def together(self, reads: Sequence[Callable[[], float]]) -> Callable[[], NDArray[np.float64]]:
        """One function that calls many."""
        ...


def offer_modbus(host: Host, listener: Listener, server: ModbusServer) -> None:
    """Let the network hand out a register bank."""
    peer = _Bank(server)
    _offer(host, listener, "modbus", lambda: peer if listener.is_transparent and server.tamper is None else None)


def offer_snmp(host: Host, listener: Listener, responder: SnmpResponder, sources: Readings, community: str) -> None:
    """Let the network hand out an agent's objects."""
    view = responder.view
    if not isinstance(view, TableView):
        return
    peer = _Agent(view, sources, community)

    def offered() -> _Agent | None:
        return peer if listener.is_transparent and responder.is_plain else None

    _offer(host, listener, "snmp", offered)


def offer_scpi(host: Host, listener: Listener, server: ScpiServer) -> None:
    """Let the network hand out an instrument, if it knows which of its queries change nothing."""
    device = server.device
    if isinstance(device, Answering):
        _offer(host, listener, "scpi", lambda: device if listener.is_transparent and server.tamper is None else None)


def _offer(host: Host, listener: Listener, kind: str, offered: Callable[[], Any]) -> None:
    if isinstance(host, MemoryHost):
        host.network.offer(host.address, listener.port, kind, offered)


class _Bank:
    """A register bank, read without frames."""

    def __init__(self, server: ModbusServer) -> None:
        self._bank = server.bank

    def read(self, unit: int, function: int, address: int, count: int) -> bytes | None:
        """The data bytes, or None when the bank refuses."""
        try:
            return self._bank.read(unit, function, address, count)
        except ModbusFault:
            return None


class _Agent:
    """An agent's table, read without messages."""

    def __init__(self, view: TableView, sources: Readings, community: str) -> None:
        self._view = view
        self._sources = sources
        self._community = community

    def objects(self, oids: Sequence[str], community: str) -> _Objects | None:
        """The objects, if the community is right and all of them are there."""
        if community != self._community:
            return None
        cells = self._view.cells([_oid(oid) for oid in oids], self._sources.together)
        return None if cells is None else _Objects(cells, self._sources)

    def below(self, root: str, community: str) -> list[tuple[str, int, int | bytes]] | None:
        """All objects below an OID, if the community is right."""
        if community != self._community:
            return None
        self._sources.refresh()
        return self._view.below(_oid(root))


def _oid(text: str) -> Oid:
    return tuple(map(int, text.strip(".").split(".")))


class _Objects:
    """A list of objects that are read together."""

    def __init__(self, cells: CellList, sources: Readings) -> None:
        self.tags = cells.tags
        self._cells = cells
        self._sources = sources

    def values(self) -> tuple[NDArray[np.float64], Mapping[int, bytes]] | None:
        """What all of them hold at this moment of the plant."""
        self._sources.refresh()
        return self._cells.values()
