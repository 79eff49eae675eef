"""Partners that talk to a run while it ends: its database, who is at its control socket, devices that send traps."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.engine.state import RunState
from harness.telemetry.influx import InfluxSettings

TRAP = bytes.fromhex(
    "305b020101040a746f2d6861726e657373a74a020467291848020100020100303c300d06082b060102010103004301643017060a2b"
    "06010603010104010006092b06010603010105033012060a2b060102010202010207040473777037"
)
"""linkDown of port swp7 as net-snmp's snmptrap sends it (SNMPv2c, community `to-harness`)."""
CREDENTIALS = 'version: "2c"\ncommunity: to-harness\n'
TRAPS = 200
"""How many traps come at once."""
CALLERS = 8
"""How many connections there are at the control socket, each with half a command."""


@dataclass
class Database:
    """Takes every line, and holds its answers for a while when it is told to."""

    held_s: float
    port: int = 0
    lines: int = 0
    _goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[InfluxSettings]:
        """Serve, and say how it is reached."""
        self._goes_on.set()
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        try:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield InfluxSettings(url=url, bucket="burnin", org="factory")
        finally:
            server.close()

    def hold(self, _: RunState) -> None:
        """Answer nothing for a while."""
        self._goes_on.clear()
        asyncio.get_running_loop().call_later(self.held_s, self._goes_on.set)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                sizes = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                body = await reader.readexactly(int(sizes[0].partition(b":")[2]) if sizes else 0)
                await self._goes_on.wait()
                self.lines += body.count(b"\n") + 1
                writer.write(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        writer.close()


def callers(held_s: float) -> Any:
    """People at the control socket of the run, who say half a word and wait; one asks and does not listen."""

    def hold(runner: RunState) -> None:
        name = f"\0harness.run.{runner.journal.path.parent.name}"
        calls = [socket.socket(socket.AF_UNIX) for _ in range(CALLERS)]
        for number, call in enumerate(calls):
            call.setblocking(False)
            with contextlib.suppress(OSError):
                call.connect(name)
                call.send(b'{"do": "status"}\n' * 50 if number == 0 else b'{"do": "sta')
        loop = asyncio.get_running_loop()
        for call in calls:
            loop.call_later(held_s, call.close)

    return hold


def traps(port: int, later: Any) -> Any:
    """Many traps at once, and a receiver that takes its time to end."""

    def hold(runner: RunState) -> None:
        if runner.traps is not None:
            runner.traps.close = later(runner.traps.close)  # type: ignore[method-assign]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(TRAPS):
                sender.sendto(TRAP, ("127.0.0.1", port))

    return hold


def listening(station: Path, folder: Path) -> tuple[Path, int]:
    """The same station, which receives traps, and where; it may be reached by other names in `folder`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir(exist_ok=True)
    credentials = folder / "trap.cred"
    credentials.write_text(CREDENTIALS)
    credentials.chmod(0o600)
    path = folder / "station.yaml"
    users = "[{credentials: {file: trap.cred}}]"
    path.write_text(f'{station.read_text()}traps: {{listen: "127.0.0.1:{port}", users: {users}}}\n')
    return path, port
