"""How an SNMP agent is reached, by the runner and by its guardian."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.device.address import Address
from harness.device.link import LinkRequest
from harness.device.snmp.credentials import snmp_credentials
from harness.device.snmp.link import SnmpLink
from harness.schema.profiles.snmp import SnmpProfile
from harness.transport.snmp import SnmpClient


def make_link(request: LinkRequest) -> SnmpLink:
    """The link of one device."""
    profile: SnmpProfile = request.profile
    agent = SnmpClient(
        request.network,
        request.where.host,
        request.where.port,
        snmp_credentials(request.credentials, request.base),
        name=request.name,
        timeout=profile.timeout,
        max_oids=profile.snmp.max_oids,
        max_repetitions=profile.snmp.max_repetitions,
        any_source=profile.snmp.any_source,
    )
    return SnmpLink(profile, request.expansion, agent, request.parameters)


def connection(profile: SnmpProfile, where: Address, base: Path) -> dict[str, Any]:  # noqa: ARG001 (no file is named)
    """What `channel.connect` needs to know besides the credentials."""
    options = profile.snmp
    return {
        "host": where.host,
        "port": where.port,
        "max_oids": options.max_oids,
        "any_source": options.any_source,
        "max_batch": options.max_sets,
    }
