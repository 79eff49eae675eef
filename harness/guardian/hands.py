"""The guardian's own connections to the devices, opened before anything is energised."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from harness.device.wire import Channel, Read, carry_out, carry_out_together, look
from harness.errors import HarnessError, Trouble, UnreachableError
from harness.safety.actions import Put
from harness.secret import Secret
from harness.transport.modbus import ModbusClient
from harness.transport.network import Network, SocketNetwork
from harness.transport.redfish import RedfishClient, Tls
from harness.transport.snmp import SnmpClient, SnmpCredentials
from harness.transport.visa.connect import open_instrument
from harness.transport.visa.instrument import Instrument
from harness.transport.visa.manners import Manners
from harness.transport.visa.resource import parse_resource
from harness.transport.visa.socket_session import SocketSession

OPEN_WITHIN_S = 5.0


class Hands:
    """One channel for each device of the plan. Connections that fail or are lost are made again when needed.

    `unusable`: devices that cannot be reached whatever is tried, and why.
    """

    def __init__(self, devices: Mapping[str, Mapping[str, Any]], unusable: Mapping[str, str] | None = None) -> None:
        self.unusable = dict(unusable or {})
        self._clients: dict[tuple[str, int], ModbusClient] = {}
        self._exclusive = {name for name, entry in devices.items() if entry.get("serial") is not None}
        self._together = {name: int(entry.get("max_sets", 1)) for name, entry in devices.items()}
        self.channels: dict[str, Channel] = {name: self._channel(name, entry) for name, entry in devices.items()}

    def _channel(self, name: str, entry: Mapping[str, Any]) -> Channel:
        if entry["protocol"] == "modbus":
            return self._modbus(entry), entry["unit"]
        if entry["protocol"] == "snmp":
            given = dict(entry["credentials"])
            for key in ("community", "auth_key", "priv_key"):
                given[key] = Secret(given[key])
            return SnmpClient(
                SocketNetwork(),
                entry["host"],
                entry["port"],
                SnmpCredentials(**given),
                name=name,
                timeout=entry["timeout"],
                max_oids=entry["max_oids"],
                any_source=entry["any_source"],
            )
        if entry["protocol"] == "redfish":
            return RedfishClient(
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
        return _instrument(name, entry)

    def _modbus(self, entry: Mapping[str, Any]) -> ModbusClient:
        key = (entry["host"], entry["port"])
        client = self._clients.get(key)
        if client is None:
            network: Network = SocketNetwork()
            if entry["serial"] is not None:
                from harness.transport.serial import SerialNetwork

                network = SerialNetwork(**entry["serial"])
            client = self._clients[key] = ModbusClient(
                network,
                *key,
                framing=entry["framing"],
                timeout=entry["timeout"],
                min_gap=entry["min_gap"],
                pause_after_connect=entry["pause"],
            )
        client.timeout = max(client.timeout, entry["timeout"])
        client.min_gap = max(client.min_gap, entry["min_gap"])
        return client

    async def open(self) -> dict[str, str]:
        """Connect everything at once; device -> why not. A serial port has one owner: it is opened when it is free."""
        names = [name for name in self.channels if name not in self._exclusive]
        found = await asyncio.gather(*(self._open(name) for name in names))
        return self.unusable | {name: problem for name, problem in zip(names, found, strict=True) if problem}

    async def _open(self, name: str) -> str:
        channel = self.channels[name]
        client = channel[0] if isinstance(channel, tuple) else channel
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                await client.open()
        except (HarnessError, TimeoutError) as error:
            return str(error) or f"no connection within {OPEN_WITHIN_S:g} s"
        return ""

    def max_together(self, device: str) -> int:
        """How many switches of a device one message may switch off."""
        return self._together.get(device, 1)

    def doubt(self, device: str) -> None:
        """From now on the switches of a device are told one by one."""
        self._together[device] = 1

    async def send(self, puts: Sequence[Put]) -> None:
        """Send one control's commands, or those of several with one message; see `harness.safety.sequence.Reach`."""
        channel = self._channel_to(puts[0].device)
        if len(puts) == 1:
            await carry_out(channel, puts[0].commands)
        else:
            await carry_out_together(channel, [command for put in puts for command in put.commands])

    async def look(self, device: str, reads: Sequence[Read]) -> list[float | str]:
        """Read signals; NaN is what is no measurement. DeviceError when the device does not answer."""
        return await look(self._channel_to(device), reads)

    def _channel_to(self, device: str) -> Channel:
        if device in self.unusable:
            raise UnreachableError(self.unusable[device], device=device, operation="open", trouble=Trouble.OURS)
        return self.channels[device]

    async def close(self) -> None:
        """Close all connections."""
        for channel in self.channels.values():
            await (channel[0] if isinstance(channel, tuple) else channel).close()


def _instrument(name: str, entry: Mapping[str, Any]) -> Instrument:
    timeout = entry["timeout"]
    greeting = entry["manners"]["greeting"]
    manners = Manners(**{**entry["manners"], "greeting": None if greeting is None else tuple(greeting)})
    where = parse_resource(entry["resource"])
    network = SocketNetwork()
    if where.is_socket:
        # on the loop: the VISA library would double the size of this process
        make = lambda: SocketSession(network, where.host, where.port, manners)  # noqa: E731
        return Instrument(make, name=name, timeout=timeout)
    return open_instrument(entry["resource"], network, virtual=False, name=name, timeout=timeout, manners=manners)
