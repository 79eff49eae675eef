"""Credentials of Redfish services."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.device.credentials import given
from harness.schema.fields import FileRef, Model, StrictText
from harness.secret import Secret


class RedfishFile(Model):
    """What a credentials file for Redfish holds."""

    user: StrictText
    password: StrictText
    method: Literal["session", "basic"] = "session"
    """session: one log-in, then a token; basic: the password with every request, for services without sessions."""


@dataclass(frozen=True, slots=True)
class RedfishCredentials:
    """Who asks a Redfish service; without a user nothing is proved to it."""

    user: str = ""
    password: Secret = field(default_factory=Secret)
    uses_session: bool = True


def redfish_credentials(ref: FileRef | None, base: Path) -> RedfishCredentials:
    """The credentials of a Redfish device; none when the station names none."""
    if ref is None:
        return RedfishCredentials()
    file = given(ref, base, RedfishFile)
    return RedfishCredentials(file.user, Secret(file.password), file.method == "session")


def secrets_of(ref: FileRef | None, base: Path) -> dict[str, Any]:
    """What `channel.connect` has from the credentials."""
    proof = redfish_credentials(ref, base)
    return {"user": proof.user, "password": proof.password.reveal(), "uses_session": proof.uses_session}
