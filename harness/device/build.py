"""Makes devices from a station's entries: parses addresses, chooses the transport, shares buses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.clock import Clock
from harness.device.address import Address, parse_address, tls_options
from harness.device.credentials import redfish_credentials, snmp_credentials
from harness.device.device import Device
from harness.device.link import Link
from harness.device.modbus.link import ModbusLink
from harness.device.modbus.serial_line import ONE_SETTING, LineSettings, line_settings
from harness.device.points import Expansion, expand
from harness.device.redfish.link import RedfishLink
from harness.device.scpi.link import ScpiLink, manners_of
from harness.device.snmp.link import SnmpLink
from harness.errors import ConfigError
from harness.schema.profile import ModbusOptions, ModbusProfile, Profile, RedfishProfile, ScpiProfile, SnmpProfile
from harness.schema.station import DeviceEntry
from harness.transport.modbus import ModbusClient, ModbusPool
from harness.transport.network import Network, SocketNetwork
from harness.transport.redfish import RedfishClient, Tls
from harness.transport.serial import silence
from harness.transport.snmp import SnmpClient
from harness.transport.visa.connect import open_instrument


class DeviceBuilder:
    """Makes the devices of one station. `network` is the wire; `base` is where credential files are found."""

    def __init__(self, clock: Clock, base: Path, network: Network | None = None) -> None:
        self._clock = clock
        self._base = base
        self._network = network or SocketNetwork()
        self._pool = ModbusPool(self._network)
        self._lines: dict[str, LineSettings] = {}

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
            client = self._modbus(profile, where)
            return ModbusLink(profile, expansion, client, unit, self._pool.release, self._pool.users)
        if isinstance(profile, SnmpProfile):
            agent = SnmpClient(
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
            return SnmpLink(profile, expansion, agent, entry.parameters)
        if isinstance(profile, RedfishProfile):
            tls: Any = tls_options(where, self._base)
            proof = redfish_credentials(None if is_simulated else entry.credentials, self._base)
            service = RedfishClient(
                self._network,
                where.host,
                where.port,
                tls=Tls(**tls) if tls is not None else None,
                user=proof.user,
                password=proof.password,
                uses_session=proof.uses_session,
                name=name,
                timeout=profile.timeout,
            )
            return RedfishLink(profile, expansion, service, entry.parameters)
        assert isinstance(profile, ScpiProfile)
        instrument = open_instrument(
            where.resource,
            self._network,
            virtual=self._clock.is_virtual,
            name=name,
            timeout=profile.timeout,
            manners=manners_of(profile),
        )
        return ScpiLink(profile, expansion, instrument, entry.parameters)

    def _modbus(self, profile: ModbusProfile, where: Address) -> ModbusClient:
        options = profile.modbus
        line = self._line(options, where)
        return self._pool.shared(
            where.host,
            where.port,
            framing="tcp" if where.scheme == "modbus+tcp" else "rtu",
            timeout=profile.timeout,
            min_gap=max(options.min_gap, silence(line.baud)) if line is not None else options.min_gap,
            pause_after_connect=options.pause_after_connect,
            network=line.network() if line is not None else None,
        )

    def _line(self, options: ModbusOptions, where: Address) -> LineSettings | None:
        """The settings of a serial line: one setting a line."""
        settings = line_settings(options, where)
        if settings is None:
            return None
        known = self._lines.setdefault(where.host, settings)
        if known != settings:
            raise ConfigError(
                f"{where}: the line runs at {known} for another unit, this one needs {settings}", hint=ONE_SETTING
            )
        return settings
