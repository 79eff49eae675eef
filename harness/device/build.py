"""Makes devices from a station's entries; what a device is reached by, its protocol makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from harness.clock import Clock
from harness.device.address import parse_address
from harness.device.device import Device
from harness.device.link import Link, LinkRequest
from harness.device.points import expand
from harness.device.protocol import GROUP, protocol
from harness.device.strict_link import BrokenLink, StrictLink
from harness.errors import ConfigError, HarnessError, ProtocolViolationError
from harness.plugins import owner_of
from harness.schema.profile import Profile
from harness.schema.station import DeviceEntry
from harness.transport.network import Network, SocketNetwork


class DeviceBuilder:
    """Makes the devices of one station. `network` is the wire; `base` is where credential files are found."""

    def __init__(self, clock: Clock, base: Path, network: Network | None = None) -> None:
        self._clock = clock
        self._base = base
        self._network = network or SocketNetwork()
        self._shared: dict[str, Any] = {}

    def make(self, name: str, entry: DeviceEntry, profile: Profile, address: str = "") -> Device:
        """Make one device; `address` replaces the entry's (a simulated device)."""
        where = parse_address(address or entry.address)
        if where.protocol != profile.protocol:
            raise ConfigError(
                f"device {name}: the profile {profile.profile} speaks {profile.protocol}, the address is {where.scheme}"
            )
        request = LinkRequest(
            name=name,
            profile=profile,
            expansion=expand(profile, entry.counts),
            where=where,
            parameters=entry.parameters,
            credentials=None if address else entry.credentials,
            base=self._base,
            network=self._network,
            clock=self._clock,
            shared=self._shared,
        )
        return Device(name, entry, profile, request.expansion, _link(request), self._clock)


def _link(request: LinkRequest) -> Link:
    """What the protocol makes of a request. That of others is behind a border: their code may do anything."""
    spoken = protocol(request.profile.protocol)
    if spoken.is_ours:
        link: Link = spoken.part("link")(request)
        return link
    owner = owner_of(GROUP, spoken.name)
    try:
        return StrictLink(spoken.part("link")(request), owner)
    except HarnessError as error:
        return cast("Link", BrokenLink(ProtocolViolationError(error.message, hint=f"tell whoever wrote {owner}")))
