"""The strict client, and compiled commands and reads over it. The guardian loads this module: it stays small."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.device.wire import Command, Read, number_of, scaled
from harness.errors import ProtocolViolationError, RefusedError, UnreachableError
from harness.transport.foreign import unreachable
from harness.transport.network import Network, SocketNetwork

LONGEST = 200
"""Octets of a line."""


class ToyClient(asyncio.Protocol):
    """One connection: one line out, one line back, within the timeout; anything else ends the connection."""

    def __init__(self, network: Network, host: str, port: int, *, name: str, timeout: float) -> None:
        self._network, self._host, self._port = network, host, port
        self._name, self._timeout = name, timeout
        self._transport: asyncio.Transport | None = None
        self._line: asyncio.Future[str] | None = None
        self._rest = b""
        self._turn = asyncio.Lock()
        self.counters = {"requests": 0, "timeouts": 0}

    async def open(self) -> None:
        """Connect, unless there is a connection."""
        if self._transport is not None and not self._transport.is_closing():
            return
        try:
            async with asyncio.timeout(self._timeout):
                await self._network.open_stream(self._host, self._port, lambda: self)
        except (OSError, TimeoutError) as error:
            what = f"no connection to {self._host}:{self._port}"
            raise unreachable(error, device=self._name, operation="open", what=what) from error

    async def close(self) -> None:
        """Let go of the connection."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    async def ask(self, verb: str, name: str, value: str = "") -> str:
        """What stands behind `name=`, or '' for `OK name`. RefusedError for `NO name: why`."""
        async with self._turn:
            await self.open()
            answer = await self._exchange(f"{verb} {name} {value}".rstrip())
        if answer.startswith(f"NO {name}: "):
            raise RefusedError(answer.partition(": ")[2], device=self._name, operation=verb)
        wanted = f"{name}=" if verb == "GET" else f"OK {name}"
        if not answer.startswith(wanted) or (verb == "SET" and answer != wanted):
            await self.close()
            raise ProtocolViolationError(f"{answer!r} is no answer to {verb} {name}", device=self._name, operation=verb)
        return answer.removeprefix(wanted)

    async def _exchange(self, line: str) -> str:
        assert self._transport is not None
        self.counters["requests"] += 1
        self._rest, self._line = b"", asyncio.get_running_loop().create_future()
        self._transport.write(line.encode("ascii") + b"\n")
        try:
            async with asyncio.timeout(self._timeout):
                return await self._line
        except TimeoutError as error:
            self.counters["timeouts"] += 1
            await self.close()  # a late answer would be taken for that to the next question
            raise unreachable(error, device=self._name, operation="ask", what=f"no answer to {line!r}") from error
        except BaseException:
            await self.close()
            raise
        finally:
            self._line = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is up."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Take one whole line; what nobody asked for ends the connection."""
        self._rest += data
        line, found, rest = self._rest.partition(b"\n")
        if self._line is None or self._line.done() or rest or len(line) > LONGEST or not line.isascii():
            self._fail(ProtocolViolationError("unasked, or no line of text", device=self._name, operation="read"))
        elif found:
            self._line.set_result(line.decode("ascii"))

    def connection_lost(self, error: Exception | None) -> None:
        """Nobody will answer any more."""
        self._fail(UnreachableError("the connection was closed", device=self._name, operation="read"))

    def _fail(self, error: Exception) -> None:
        if self._transport is not None:
            self._transport.abort()
        if self._line is not None and not self._line.done():
            self._line.set_exception(error)


class ToyChannel:
    """One strip, for what is compiled."""

    def __init__(self, client: ToyClient) -> None:
        self._client = client

    async def open(self) -> None:
        """Connect."""
        await self._client.open()

    async def close(self) -> None:
        """Let go of the connection."""
        await self._client.close()

    async def send(self, command: Command) -> None:
        """Set one thing."""
        await self._client.ask("SET", command.oid, command.text)

    async def send_batch(self, commands: Sequence[Command]) -> None:
        """Refused: one command at a time."""
        raise RefusedError("the strip takes one command at a time", operation="write")

    async def read(self, reads: Sequence[Read]) -> list[float | str]:
        """Read signals now."""
        return [await read_one(self._client, read) for read in reads]


async def read_one(client: ToyClient, read: Read) -> float | str:
    """One signal; NaN is what is no measurement."""
    try:
        text = await client.ask("GET", read.oid)
    except RefusedError:
        return "" if read.is_text else math.nan
    return text if read.is_text else scaled(read, (read.answers or {}).get(text, number_of(text)))


def connect(name: str, entry: Mapping[str, Any], shared: dict[Any, Any]) -> ToyChannel:
    """A channel as a connection says."""
    return ToyChannel(ToyClient(SocketNetwork(), entry["host"], entry["port"], name=name, timeout=entry["timeout"]))
