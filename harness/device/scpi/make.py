"""How an instrument is reached, by the runner and by its guardian."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.device.address import Address
from harness.device.link import LinkRequest
from harness.device.scpi.link import ScpiLink
from harness.schema.profiles.scpi import ScpiProfile
from harness.transport.visa.connect import open_instrument
from harness.transport.visa.manners import Manners


def make_link(request: LinkRequest) -> ScpiLink:
    """The link of one instrument."""
    profile: ScpiProfile = request.profile
    instrument = open_instrument(
        request.where.resource,
        request.network,
        virtual=request.clock.is_virtual,
        name=request.name,
        timeout=profile.timeout,
        manners=manners_of(profile),
    )
    return ScpiLink(profile, request.expansion, instrument, request.parameters)


def connection(profile: ScpiProfile, where: Address, base: Path) -> dict[str, Any]:  # noqa: ARG001 (no file is named)
    """What `channel.connect` needs to know."""
    return {"resource": where.resource, "manners": asdict(manners_of(profile))}


def manners_of(profile: ScpiProfile) -> Manners:
    """What the instrument says besides its answers."""
    said = profile.scpi
    return Manners(said.greeting, said.prompt, said.echo, said.acknowledge)
