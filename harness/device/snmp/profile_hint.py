"""Which profile fits a device that is not what its profile expects: those of its family are tried one by one."""

from __future__ import annotations

from typing import cast

from harness.device.device import Device
from harness.device.identity import Proof, texts_of
from harness.device.points import expand
from harness.device.registry import known_profiles, load_profile, matching_profiles
from harness.device.snmp.link import SnmpLink
from harness.device.texts import printable
from harness.errors import DeviceError
from harness.schema.profiles.snmp import SnmpProfile
from harness.schema.station import DeviceEntry
from harness.transport.snmp import SnmpClient

_SYSTEM = ("1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.1.0")
"""sysObjectID and sysDescr of SNMPv2-MIB, RFC 3418."""


async def suggested_profiles(device: Device) -> list[str]:
    """Names of profiles that would let the agent in, the closest first; [] when nobody answers."""
    link = cast("SnmpLink", device.link)
    try:
        await link.client.open()
        shown = [answer.value for answer in await link.client.get(_SYSTEM)]
        words = [printable(value) if isinstance(value, bytes) else str(value or "") for value in shown]
        known = matching_profiles(words[0], words[1])
        return [name for name in known if await _fits(name, device.entry.address, link.client)]
    except DeviceError:
        return []


async def _fits(name: str, address: str, client: SnmpClient) -> bool:
    """Whether the rules of a profile hold for the agent behind a client; what the station expects is not asked."""
    profile = cast("SnmpProfile", load_profile(known_profiles()[name])[0])
    try:
        link = SnmpLink(profile, expand(profile), client, {})
        points = await link.open()
        entry = DeviceEntry(profile=name, address=address)
        await Proof(name, profile, entry, points, link).prove(await texts_of(points, link))
    except DeviceError:
        return False
    return True
