"""Credentials of SNMP agents, v2c and v3."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from harness.device.credentials import given
from harness.errors import ConfigError
from harness.schema.fields import FileRef, Model, StrictText
from harness.secret import Secret
from harness.transport.snmp import SnmpCredentials
from harness.transport.snmp.types import AuthProtocol, PrivProtocol

_SHORT = {"SHA": "SHA1", "AES": "AES128"}
"""What net-snmp calls them."""


def _as_netsnmp(value: Any) -> Any:
    """`SHA-256`, `AES`: as the tools of net-snmp write the protocols."""
    if not isinstance(value, str):
        return value
    name = value.upper().replace("-", "")
    return _SHORT.get(name, name)


def _as_version(value: Any) -> Any:
    """`3`, `v3`, `v2c`: as people write the version."""
    name = str(value).lower().removeprefix("v") if isinstance(value, str | int) else value
    return "2c" if name == "2" else name


class SnmpFile(Model):
    """What a credentials file for SNMP holds."""

    version: Annotated[Literal["2c", "3"], BeforeValidator(_as_version)]
    """Also as a number, and with the letter before it (`v2c`)."""
    community: StrictText = ""
    user: StrictText = ""
    auth_protocol: Annotated[AuthProtocol | None, BeforeValidator(_as_netsnmp)] = None
    """Also as the tools of net-snmp write it (`SHA-256`)."""
    auth_key: StrictText = ""
    priv_protocol: Annotated[PrivProtocol | None, BeforeValidator(_as_netsnmp)] = None
    """Also as the tools of net-snmp write it (`AES`). `AES192C` and `AES256C` are those of Cisco."""
    priv_key: StrictText = ""
    context: StrictText = ""


def snmp_credentials(ref: FileRef | None, base: Path) -> SnmpCredentials:
    """The credentials of an SNMP device; without any, community `public` (read-only on most devices)."""
    if ref is None:
        return SnmpCredentials(version="2c", community=Secret("public"))
    file = given(ref, base, SnmpFile)
    _refuse_unused(file, ref.file or f"${ref.env}")
    return SnmpCredentials(
        version=file.version,
        community=Secret(file.community),
        user=file.user,
        auth_protocol=file.auth_protocol,
        auth_key=Secret(file.auth_key),
        priv_protocol=file.priv_protocol,
        priv_key=Secret(file.priv_key),
        context=file.context,
    )


def _refuse_unused(file: SnmpFile, where: str) -> None:
    """What goes with another version, or with nothing, is no slip to overlook: somebody means to ask as somebody else.

    Nothing of what the file holds is shown.
    """
    others = ("user", "auth_protocol", "auth_key", "priv_protocol", "priv_key", "context")
    unused = [name for name in (others if file.version == "2c" else ("community",)) if getattr(file, name)]
    if file.version == "3":
        unused += [name for name in ("auth_key", "priv_key") if getattr(file, name) and not _protocol_of(file, name)]
    if unused:
        raise ConfigError(
            f"{where}: SNMP version {file.version} has no use for {', '.join(unused)} as the file stands",
            hint="remove what is not meant, or give what belongs to it",
        )


def _protocol_of(file: SnmpFile, key: str) -> str:
    return getattr(file, key.replace("key", "protocol")) or ""


def secrets_of(ref: FileRef | None, base: Path) -> dict[str, Any]:
    """What `channel.connect` has from the credentials."""
    found = snmp_credentials(ref, base)
    return {
        "credentials": {
            "version": found.version,
            "community": found.community.reveal(),
            "user": found.user,
            "auth_protocol": found.auth_protocol,
            "auth_key": found.auth_key.reveal(),
            "priv_protocol": found.priv_protocol,
            "priv_key": found.priv_key.reveal(),
            "context": found.context,
        }
    }
