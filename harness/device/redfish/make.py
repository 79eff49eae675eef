"""How a Redfish service is reached, by the runner and by its guardian."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.device.address import Address
from harness.device.link import LinkRequest
from harness.device.redfish.address import tls_options
from harness.device.redfish.credentials import redfish_credentials
from harness.device.redfish.link import RedfishLink
from harness.schema.profiles.redfish import RedfishProfile
from harness.transport.redfish import RedfishClient, Tls


def make_link(request: LinkRequest) -> RedfishLink:
    """The link of one device."""
    profile: RedfishProfile = request.profile
    tls = tls_options(request.where, request.base)
    proof = redfish_credentials(request.credentials, request.base)
    service = RedfishClient(
        request.network,
        request.where.host,
        request.where.port,
        tls=Tls(**tls) if tls is not None else None,
        user=proof.user,
        password=proof.password,
        uses_session=proof.uses_session,
        name=request.name,
        timeout=profile.timeout,
    )
    return RedfishLink(profile, request.expansion, service, request.parameters)


def connection(profile: RedfishProfile, where: Address, base: Path) -> dict[str, Any]:  # noqa: ARG001 (it needs none of it)
    """What `channel.connect` needs to know besides the credentials."""
    return {"host": where.host, "port": where.port, "tls": tls_options(where, base)}
