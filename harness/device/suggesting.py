"""Which profile may fit a device that is not what its profile expects. A suggestion; the identity rules decide."""

from __future__ import annotations

from harness.device.device import Device
from harness.device.registry import matching_profiles
from harness.device.snmp_link import SnmpLink
from harness.device.texts import printable
from harness.errors import DeviceError

_SYSTEM = ("1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.1.0")
"""sysObjectID and sysDescr of SNMPv2-MIB, RFC 3418."""


async def suggested_profiles(device: Device) -> list[str]:
    """Names of profiles that the agent's own words fit, the closest first; [] without SNMP, or when nobody answers."""
    link = device.link
    if not isinstance(link, SnmpLink):
        return []
    try:
        await link.client.open()
        shown = [answer.value for answer in await link.client.get(_SYSTEM)]
    except DeviceError:
        return []
    words = [printable(value) if isinstance(value, bytes) else str(value or "") for value in shown]
    return matching_profiles(words[0], words[1])
