"""Makes devices from a station's entries: parses addresses, chooses the transport, shares buses."""

from __future__ import annotations

from pathlib import Path

from harness.clock import Clock
from harness.device.address import Address, parse_address
from harness.device.credentials import snmp_credentials
from harness.device.device import Device
from harness.device.link import Link
from harness.device.modbus_link import ModbusLink
from harness.device.points import Expansion, expand
from harness.device.scpi_link import ScpiLink
from harness.device.snmp_link import SnmpLink
from harness.errors import ConfigError
from harness.schema.profile import ModbusProfile, Profile, ScpiProfile, SnmpProfile
from harness.schema.station import DeviceEntry
from harness.transport.modbus import ModbusClient, ModbusPool
from harness.transport.network import Network, SocketNetwork
from harness.transport.snmp import SnmpClient
from harness.transport.visa import open_instrument


class DeviceBuilder:
    """Makes the devices of one station. `network` is the wire; `base` is where credential files are found."""

    def __init__(self, clock: Clock, base: Path, network: Network | None = None) -> None:
        self._clock = clock
        self._base = base
        self._network = network or SocketNetwork()
        self._pool = ModbusPool(self._network)

    def make(self, name: str, entry: DeviceEntry, profile: Profile, address: str = "") -> Device:
        """Make one device; `address` replaces the entry's (a simulated device)."""
        where = parse_address(address or entry.address)
        expansion = expand(profile, entry.counts)
        link = self._link(name, entry, profile, expansion, where, is_simulated=bool(address))
        return Device(name, entry, profile, expansion, link, self._clock)

    def _link(
        self,
        name: str,
        entry: DeviceEntry,
        profile: Profile,
        expansion: Expansion,
        where: Address,
        *,
        is_simulated: bool,
    ) -> Link:
        if where.protocol != profile.protocol:
            raise ConfigError(
                f"device {name}: the profile {profile.profile} speaks {profile.protocol}, the address is {where.scheme}"
            )
        if isinstance(profile, ModbusProfile):
            unit = where.unit if where.unit is not None else profile.modbus.unit
            return ModbusLink(profile, expansion, self._modbus(profile, where), unit, self._pool.release)
        if isinstance(profile, SnmpProfile):
            client = SnmpClient(
                self._network,
                where.host,
                where.port,
                snmp_credentials(None if is_simulated else entry.credentials, self._base),
                name=name,
                timeout=profile.timeout,
                max_oids=profile.snmp.max_oids,
                max_repetitions=profile.snmp.max_repetitions,
                any_source=profile.snmp.any_source,
            )
            return SnmpLink(profile, expansion, client, entry.parameters)
        assert isinstance(profile, ScpiProfile)
        instrument = open_instrument(
            where.resource, self._network, virtual=self._clock.is_virtual, name=name, timeout=profile.timeout
        )
        return ScpiLink(profile, expansion, instrument, entry.parameters)

    def _modbus(self, profile: ModbusProfile, where: Address) -> ModbusClient:
        return self._pool.shared(
            where.host,
            where.port,
            framing="tcp" if where.scheme == "modbus+tcp" else "rtu",
            timeout=profile.timeout,
            min_gap=profile.modbus.min_gap,
            pause_after_connect=profile.modbus.pause_after_connect,
        )
