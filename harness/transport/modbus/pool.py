"""Units behind one gateway share one connection: a pool by address, counted by users."""

from __future__ import annotations

from typing import Literal

from harness.errors import ConfigError
from harness.transport.modbus.client import ModbusClient
from harness.transport.network import Network

Framing = Literal["tcp", "rtu"]


class ModbusPool:
    """Connections out one client per (host, port). Owned by whoever makes the devices; not a global."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._clients: dict[tuple[str, int], ModbusClient] = {}
        self._users: dict[ModbusClient, int] = {}

    def shared(
        self,
        host: str,
        port: int,
        *,
        framing: Framing = "tcp",
        timeout: float = 1.0,
        connect_timeout: float = 3.0,
        min_gap: float = 0.0,
        pause_after_connect: float = 0.0,
        network: Network | None = None,
    ) -> ModbusClient:
        """The client of an address, made on first use. Give it back with `release`.

        When users differ, the longest timeout, gap and pause hold: the slowest unit sets the pace of a bus.
        `network` is used instead of the pool's for this address (a serial port).
        """
        key = (host, port)
        client = self._clients.get(key)
        if client is None:
            client = self._clients[key] = ModbusClient(
                network or self._network,
                host,
                port,
                framing=framing,
                timeout=timeout,
                connect_timeout=connect_timeout,
                min_gap=min_gap,
                pause_after_connect=pause_after_connect,
            )
            self._users[client] = 0
        elif client.framing != framing:
            raise ConfigError(
                f"{host}:{port} is used with framing {client.framing} and {framing}; one connection has one framing"
            )
        client.timeout = max(client.timeout, timeout)
        client.min_gap = max(client.min_gap, min_gap)
        client.pause_after_connect = max(client.pause_after_connect, pause_after_connect)
        self._users[client] += 1
        return client

    def users(self, client: ModbusClient) -> int:
        """How many share a client: the units behind one gateway or on one bus."""
        return self._users.get(client, 0)

    async def release(self, client: ModbusClient) -> None:
        """One user less; the last one closes the connection. A client that is not of this pool is left alone."""
        left = self._users.get(client, 0) - 1
        if left > 0:
            self._users[client] = left
        elif client in self._users:
            del self._users[client]
            self._clients = {key: kept for key, kept in self._clients.items() if kept is not client}
            await client.close()

    async def close(self) -> None:
        """Close all connections, whoever still uses them."""
        clients, self._clients, self._users = list(self._users), {}, {}
        for client in clients:
            await client.close()
