"""Compiled commands and reads over Modbus."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.device.modbus import types as modbus_types
from harness.device.wire import Command, Read, scaled
from harness.errors import RefusedError
from harness.transport.modbus import ModbusClient
from harness.transport.network import Network, SocketNetwork


class ModbusChannel:
    """A connection and the unit behind it."""

    def __init__(self, client: ModbusClient, unit: int) -> None:
        self._client = client
        self._unit = unit

    async def open(self) -> None:
        """Connect."""
        await self._client.open()

    async def close(self) -> None:
        """Close the connection, for all units behind it."""
        await self._client.close()

    async def send(self, command: Command) -> None:
        """Write one thing."""
        await _write(self._client, self._unit, command)

    async def send_batch(self, commands: Sequence[Command]) -> None:  # noqa: ARG002
        """Refused: a Modbus device takes one command at a time."""
        raise RefusedError("the device takes one command at a time", operation="write")

    async def read(self, reads: Sequence[Read]) -> list[float | str]:
        """Read each place once; what is refused is no measurement."""
        data: dict[tuple[int, int, int], bytes] = {}
        for place in dict.fromkeys((read.function, read.address, read.count) for read in reads):
            try:
                data[place] = await self._client.read(self._unit, *place)
            except RefusedError:
                data[place] = b""
        return [of_data(read, data[read.function, read.address, read.count]) for read in reads]


def connect(name: str, entry: Mapping[str, Any], shared: dict[Any, Any]) -> ModbusChannel:  # noqa: ARG001
    """A channel as a connection says (see `safety.connections`); units behind one address share a client."""
    key = ("modbus", entry["host"], entry["port"])
    client: ModbusClient | None = shared.get(key)
    if client is None:
        network: Network = SocketNetwork()
        if entry["serial"] is not None:
            from harness.transport.serial import SerialNetwork

            network = SerialNetwork(**entry["serial"])
        client = shared[key] = ModbusClient(
            network,
            entry["host"],
            entry["port"],
            framing=entry["framing"],
            timeout=entry["timeout"],
            min_gap=entry["min_gap"],
            pause_after_connect=entry["pause"],
        )
    client.timeout = max(client.timeout, entry["timeout"])
    client.min_gap = max(client.min_gap, entry["min_gap"])
    return ModbusChannel(client, entry["unit"])


async def _write(client: ModbusClient, unit: int, command: Command) -> None:
    if command.do == "coil":
        await client.write_coil(unit, command.address, bool(command.words[0]))
    elif command.do == "coils":
        await client.write_coils(unit, command.address, [bool(word) for word in command.words])
    elif command.do == "mask":
        await client.mask_register(unit, command.address, keep=0xFFFF & ~command.mask, put=command.words[0])
    elif command.do == "registers":
        await client.write_registers(unit, command.address, list(command.words))
    elif command.do == "merge":
        now = int.from_bytes(await client.read(unit, 3, command.address, 1), "big")
        merged = (now & ~command.mask) | (command.words[0] & command.mask)
        await client.write_register(unit, command.address, merged)
    else:
        await client.write_register(unit, command.address, command.words[0])


def of_data(read: Read, data: bytes) -> float | str:
    """What the bytes of a reply are; no bytes: the device refused it."""
    if not data:
        return "" if read.is_text else math.nan
    if read.function in (1, 2):
        return scaled(read, float(data[0] & 1))
    if read.is_text:
        swap = read.swap_string
        return modbus_types.text(read.type, data, read.order, swapped=swap, characters=read.characters)
    number = modbus_types.number(read.type, data, read.order, magnitude=read.magnitude)
    if read.bit is None and read.mask is None:
        return scaled(read, number)
    raw = int(number)
    if read.bit is not None:
        raw = (raw >> read.bit) % (1 << read.width)
    if read.mask is not None:
        raw = int(raw & read.mask != 0)
    return scaled(read, float(raw))
