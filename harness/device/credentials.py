"""Credentials of devices: a small YAML file (mode 0600) or an environment variable, never the station file."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator

from harness.errors import ConfigError
from harness.schema.codes import CODES
from harness.schema.fields import FileRef, Model, StrictText
from harness.schema.problems import Problem, ProblemsError
from harness.schema.regular import read_regular
from harness.schema.source import parse_source, validate
from harness.secret import Secret
from harness.transport.snmp import SnmpCredentials
from harness.transport.snmp.types import AuthProtocol, PrivProtocol

T = TypeVar("T", bound=Model)
_MAX_BYTES = 64 * 1024
_TOLD = 3
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


def read_secret(ref: FileRef, base: Path) -> Secret:
    """The text of a secret: a file beside the station file, or an environment variable. ConfigError when absent."""
    if ref.env:
        text = os.environ.get(ref.env)
        if not text:
            raise ConfigError(f"the environment variable {ref.env} is not set", hint="it must hold the secret")
        return Secret(text)
    path = base / ref.file
    try:
        mode = path.stat().st_mode
        text = read_regular(path, _MAX_BYTES).decode("utf-8").strip()
    except OSError as error:
        raise ConfigError(f"cannot read the secret in {path}: {error.strerror}") from error
    except ProblemsError as error:
        raise ConfigError(f"cannot read the secret in {path}: {error.problems[0].message}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"the secret in {path} is no UTF-8") from None  # not a byte of it is shown
    if mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP):
        raise ConfigError(f"{path} can be read or changed by others", hint=f"chmod 600 {path}")
    return Secret(text)


def snmp_credentials(ref: FileRef | None, base: Path) -> SnmpCredentials:
    """The credentials of an SNMP device; without any, community `public` (read-only on most devices)."""
    if ref is None:
        return SnmpCredentials(version="2c", community=Secret("public"))
    given = _given(ref, base, SnmpFile)
    _refuse_unused(given, ref.file or f"${ref.env}")
    return SnmpCredentials(
        version=given.version,
        community=Secret(given.community),
        user=given.user,
        auth_protocol=given.auth_protocol,
        auth_key=Secret(given.auth_key),
        priv_protocol=given.priv_protocol,
        priv_key=Secret(given.priv_key),
        context=given.context,
    )


def _refuse_unused(given: SnmpFile, where: str) -> None:
    """What goes with another version, or with nothing, is no slip to overlook: somebody means to ask as somebody else.

    Nothing of what the file holds is shown.
    """
    others = ("user", "auth_protocol", "auth_key", "priv_protocol", "priv_key", "context")
    unused = [name for name in (others if given.version == "2c" else ("community",)) if getattr(given, name)]
    if given.version == "3":
        unused += [name for name in ("auth_key", "priv_key") if getattr(given, name) and not _protocol_of(given, name)]
    if unused:
        raise ConfigError(
            f"{where}: SNMP version {given.version} has no use for {', '.join(unused)} as the file stands",
            hint="remove what is not meant, or give what belongs to it",
        )


def _protocol_of(given: SnmpFile, key: str) -> str:
    return getattr(given, key.replace("key", "protocol")) or ""


def redfish_credentials(ref: FileRef | None, base: Path) -> RedfishCredentials:
    """The credentials of a Redfish device; none when the station names none."""
    if ref is None:
        return RedfishCredentials()
    given = _given(ref, base, RedfishFile)
    return RedfishCredentials(given.user, Secret(given.password), given.method == "session")


def secrets_of(protocol: str, ref: FileRef | None, base: Path) -> dict[str, Any]:
    """What a device's connection has from its credentials, as the guardian is told it; {} for protocols without any."""
    if protocol == "snmp":
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
    if protocol == "redfish":
        proof = redfish_credentials(ref, base)
        return {"user": proof.user, "password": proof.password.reveal(), "uses_session": proof.uses_session}
    return {}


def _given(ref: FileRef, base: Path, model: type[T]) -> T:
    """A credentials file, checked; ConfigError without a word of what it holds."""
    where = ref.file or f"${ref.env}"
    text = read_secret(ref, base).reveal()
    try:
        return validate(parse_source(text.encode(), where), model)
    except ProblemsError as error:
        told = "; ".join(f"{p.line}:{p.column} {_without_content(p, model)}" for p in error.problems[:_TOLD])
        raise ConfigError(f"{where} is not a valid credentials file: {told}") from None


def _without_content(problem: Problem, model: type[Model]) -> str:
    """What is wrong, in words that hold nothing of the file: it is a secret, and a key may be one by mistake."""
    if problem.code == "HX-1203":
        return f"an unknown key, allowed are {', '.join(model.model_fields)}"
    if problem.code == "HX-1204":
        return problem.message
    if problem.code in ("HX-1205", "HX-1207"):
        return problem.message.partition(", found")[0]
    return "expected text, quote the value" if problem.code == "HX-1206" else CODES[problem.code]
