"""Compiled reads of a Redfish service, which is never written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.device.redfish import values as redfish_values
from harness.device.wire import Command, Read, scaled
from harness.errors import RefusedError
from harness.secret import Secret
from harness.transport.network import SocketNetwork
from harness.transport.redfish import RedfishClient, Tls


class RedfishChannel:
    """A service."""

    def __init__(self, client: RedfishClient) -> None:
        self._client = client

    async def open(self) -> None:
        """Connect, and log in where the service wants that."""
        await self._client.open()

    async def close(self) -> None:
        """Log out and close the connection."""
        await self._client.close()

    async def send(self, command: Command) -> None:  # noqa: ARG002
        """Refused: Redfish is read only."""
        raise RefusedError("Redfish is read here, never written", operation="write")

    async def send_batch(self, commands: Sequence[Command]) -> None:  # noqa: ARG002
        """Refused: Redfish is read only."""
        raise RefusedError("Redfish is read here, never written", operation="write")

    async def read(self, reads: Sequence[Read]) -> list[float | str]:
        """GET every resource once."""
        paths = (place.partition("#")[0] for read in reads for place in read.join)
        found, problem = await redfish_values.fetch(self._client, paths)
        if problem is not None:
            raise problem
        return [_of_redfish(read, found) for read in reads]


def connect(name: str, entry: Mapping[str, Any], shared: dict[Any, Any]) -> RedfishChannel:  # noqa: ARG001
    """A channel as a connection says (see `safety.connections`)."""
    client = RedfishClient(
        SocketNetwork(),
        entry["host"],
        entry["port"],
        tls=Tls(**entry["tls"]) if entry["tls"] is not None else None,
        user=entry["user"],
        password=Secret(entry["password"]),
        uses_session=entry["uses_session"],
        name=name,
        timeout=entry["timeout"],
    )
    return RedfishChannel(client)


def _of_redfish(read: Read, resources: Mapping[str, Any]) -> float | str:
    states = read.accepted or None
    places = [place.partition("#") for place in read.join]
    values = [redfish_values.value_at(resources[path], pointer, states) for path, _, pointer in places]
    if read.is_text:
        return redfish_values.text(values[0])[0]
    raw, _ = redfish_values.number(read.type, values, read.answers, read.sentinels)
    return scaled(read, raw) if raw == raw else math.nan
