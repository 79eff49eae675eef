"""The other side of each protocol, with hand-made contents: it notes what it is asked and told, and when."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from sim.network import MemoryNetwork
from sim.servers.host import MemoryHost
from sim.servers.listener import Behaviour, Listener
from sim.servers.modbus import ModbusServer
from sim.servers.redfish import RedfishService
from sim.servers.redfish import Request as HttpRequest
from sim.servers.scpi import ScpiServer, Talk
from sim.servers.snmp import ber, values
from sim.servers.snmp.mib import TableView
from sim.servers.snmp.pdu import GET, GET_BULK, SET, Reply, Request
from sim.servers.snmp.responder import SnmpResponder
from tests.tools.array_bank import ArrayBank

HOST = "127.0.0.1"


class _Server:
    """What all of them note."""

    address: str
    _listener: Listener

    def __init__(self) -> None:
        self.asked: list[tuple[float, Any]] = []
        self.told: list[tuple[float, Any]] = []
        self._since = 0.0

    def _begin(self, network: MemoryNetwork) -> MemoryHost:
        self._since = asyncio.get_running_loop().time()
        return MemoryHost(network, HOST)

    def note(self, notes: list[tuple[float, Any]], what: Any) -> None:
        """Put into `asked` or `told`, with the second."""
        notes.append((asyncio.get_running_loop().time() - self._since, what))

    def misbehave(self, place: str, value: Any) -> bool:
        """Places of every server: `mute` (nothing gets out), `delay` [s]. Whether it is one of them."""
        if place not in ("mute", "delay"):
            return False
        self._listener.behaviour = Behaviour(**{place: value})
        return True

    async def close(self) -> None:
        """Listen no more."""
        await self._listener.close()


class Registers(_Server):
    """Modbus units 1 and 2: holding register n of unit 1 holds 1000 + n unless said otherwise, all others 0.

    Reads are noted as (function, address, count), writes as (function, address, words); of another unit with `unit` in
    front. Places are `holding/10`, `input/10`, `coil/10`, `discrete/10`.
    """

    TABLES: ClassVar = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}

    def __init__(self, contents: dict[str, list[int]]) -> None:
        super().__init__()
        self.bank = ArrayBank(units=(1, 2), size=200)
        for place, words in contents.items():
            for k, word in enumerate(words):
                table, _, address = place.partition("/")
                self.show(f"{table}/{int(address) + k}", word)

    async def start(self, network: MemoryNetwork) -> None:
        """Listen; the address names no unit, so that the profile's counts."""
        server = ModbusServer(self.bank)
        server.tamper = self._noted
        self._listener = await self._begin(network).serve_stream(server.tcp)
        self.address = f"modbus+tcp://{HOST}:{self._listener.port}"

    def show(self, place: str, value: int) -> None:
        """Put a word or bit at a place of unit 1."""
        if self.misbehave(place, value):
            return
        table, _, address = place.partition("/")
        function = self.TABLES[table]
        if function <= 2:
            self.bank.set_bits(1, function, int(address), [bool(value)])
        else:
            self.bank.set_words(1, function, int(address), [value])

    def _noted(self, request: bytes, reply: bytes) -> bytes:
        unit, function, address = request[6], request[7], int.from_bytes(request[8:10], "big")
        other = () if unit == 1 else (f"unit {unit}",)
        if function <= 4:
            self.note(self.asked, (*other, function, address, int.from_bytes(request[10:12], "big")))
        else:
            start = 13 if function in (15, 16) else 10
            words = [int.from_bytes(request[k : k + 2], "big") for k in range(start, len(request) - 1, 2)]
            self.note(self.told, (*other, function, address, words or list(request[start:])))
        return reply


ROOT = "1.3.6.1.4.1.9"
"""What all objects of the hand-made agent are below."""


class Objects(_Server):
    """An agent whose objects are numbers (INTEGER) and texts, each of them writable, named by what follows `ROOT`.

    Reads are noted as `get 1.0 2.0` or `bulk 20 x30`, writes as (object, ASN.1 tag, value); what one message holds is
    one note. The place `elsewhere` lets it answer from another port.
    """

    def __init__(self, contents: dict[str, int | str], **options: Any) -> None:
        super().__init__()
        self._view = TableView()
        self._options = {"community": "public", "write_community": "public", **options}
        for place, value in contents.items():
            self.show(place, value)
            self._view.on_set(_oid(place))

    async def start(self, network: MemoryNetwork) -> None:
        """Listen."""
        self._responder = SnmpResponder(self._view, **self._options)
        self._responder.tamper = self._noted
        host = self._begin(network)
        self._listener = await host.serve_datagram(lambda: self._responder)
        self._other = await host.serve_datagram(lambda: _Other(self))
        self.address = f"snmp://{HOST}:{self._listener.port}"

    def show(self, place: str, value: Any) -> None:
        """Put another value at a place."""
        if place == "elsewhere":
            self._responder.transport = self._elsewhere
        elif not self.misbehave(place, value):
            tag = values.OCTETS if isinstance(value, str) else values.INTEGER
            self._view.put(_oid(place), tag, value.encode() if isinstance(value, str) else value)

    def _noted(self, request: Request, reply: Reply) -> Reply:
        names = [_place(wire) for wire in request.oids]
        if request.kind == SET:
            found = [(name, value.tag, value.value) for name, value in zip(names, request.values, strict=True)]
            self.note(self.told, found[0] if len(found) == 1 else found)
        elif request.kind == GET_BULK:
            self.note(self.asked, f"bulk {' '.join(names)} x{request.second}")
        else:
            self.note(self.asked, f"{'get' if request.kind == GET else 'next'} {' '.join(names)}")
        return reply

    async def close(self) -> None:
        """Listen no more."""
        await super().close()
        await self._other.close()


class _Other(asyncio.DatagramProtocol):
    """A second port of the agent, from which it can answer too."""

    def __init__(self, agent: Objects) -> None:
        self._agent = agent

    def connection_made(self, transport: Any) -> None:
        self._agent._elsewhere = transport


def _oid(place: str) -> tuple[int, ...]:
    return tuple(int(part) for part in f"{ROOT}.{place}".split("."))


def _place(wire: bytes) -> str:
    return ".".join(map(str, ber.decode_oid(wire))).removeprefix(f"{ROOT}.")


class Instrument(_Server):
    """An instrument that answers queries from a table; `LEV 5` sets what `LEV?` answers, `BAD` is an error."""

    def __init__(self, answers: dict[str, str], **talk: Any) -> None:
        super().__init__()
        self.answers = dict(answers)
        self._talk = Talk(**talk)
        self._errors: list[str] = []

    async def start(self, network: MemoryNetwork) -> None:
        """Listen on a raw socket."""
        self._listener = await self._begin(network).serve_stream(ScpiServer(self, self._talk).tcp)
        self.address = f"TCPIP::{HOST}::{self._listener.port}::SOCKET"

    def show(self, place: str, value: Any) -> None:
        """Answer a query otherwise."""
        if not self.misbehave(place, value):
            self.answers[place] = str(value)

    def handle(self, line: str) -> str | None:
        """One line, as `sim.servers.scpi.ScpiDevice`."""
        if line.partition(" ")[0].endswith("?"):
            self.note(self.asked, line)
            if line in ("SYST:ERR?", "ERR?"):
                return self._errors.pop(0) if self._errors else '0,"No error"'
            return self.answers[line]
        self.note(self.told, line)
        name, _, value = line.partition(" ")
        if name == "BAD":
            self._errors.append('-113,"Undefined header"')
        self.answers[f"{name}?"] = value
        return None


class Service(_Server):
    """A Redfish service of one box, whose properties are the places; reads are noted as the rest of the path."""

    ROOT = "/redfish/v1/Box"

    def __init__(self, tree: dict[str, dict[str, Any]], **options: Any) -> None:
        super().__init__()
        self._tree = {f"{self.ROOT}{path}": {"@odata.id": f"{self.ROOT}{path}", **each} for path, each in tree.items()}
        self._options = options

    async def start(self, network: MemoryNetwork) -> None:
        """Listen."""
        root = {"@odata.id": "/redfish/v1/"}
        service = RedfishService(lambda path: root if path == "/redfish/v1" else self._tree.get(path), **self._options)
        service.tamper = self._noted
        self._listener = await self._begin(network).serve_stream(service.http)
        self.address = f"redfish://{HOST}:{self._listener.port}"

    def show(self, place: str, value: Any) -> None:
        """Change a property of the box itself."""
        if not self.misbehave(place, value):
            self._tree[self.ROOT][place] = value

    def _noted(self, request: HttpRequest, sent: bytes) -> bytes:
        self.note(self.asked, f"{request.method} {request.path}".replace(self.ROOT, "Box"))
        return sent
