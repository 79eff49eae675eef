"""Value types of the SNMP client: what is asked, what comes back, and as whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal, NamedTuple, get_args

from harness.errors import ConfigError
from harness.secret import Secret
from harness.transport.counters import Counters

AuthProtocol = Literal["MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512"]
PrivProtocol = Literal["AES128", "AES192", "AES256", "AES192C", "AES256C"]

MIN_PASSWORD = 8
"""Shortest v3 password, RFC 3414 section 11.2."""


class Kind(IntEnum):
    """The ASN.1 tag of a value (RFC 2578, RFC 3416)."""

    INTEGER = 0x02
    OCTET_STRING = 0x04
    NULL = 0x05
    OID = 0x06
    IP_ADDRESS = 0x40
    COUNTER32 = 0x41
    GAUGE32 = 0x42
    TIMETICKS = 0x43
    OPAQUE = 0x44
    COUNTER64 = 0x46
    NO_SUCH_OBJECT = 0x80
    NO_SUCH_INSTANCE = 0x81
    END_OF_MIB_VIEW = 0x82
    UNDECODABLE = -1
    """No type of the wire: the value came in a frame that is intact, and its content is none of its type."""
    REFUSED = -2
    """No type of the wire: the agent refuses every request that asks for this object."""


Value = int | float | bytes | str | None


class VarBind(NamedTuple):
    """One answered object.

    `value` is int for the number kinds, bytes for OCTET_STRING, str for OID and IP_ADDRESS, float for an Opaque that
    holds one (bytes for any other), None for NULL, for the three kinds that say "not here", and where there is
    a `problem`.
    """

    oid: str
    kind: Kind
    value: Value
    problem: str = ""
    """Why there is no value, of an UNDECODABLE or REFUSED object."""

    @property
    def is_missing(self) -> bool:
        """Whether the agent said that it has no such value (data, not a failure)."""
        return self.kind >= Kind.NO_SUCH_OBJECT


@dataclass(frozen=True)
class SnmpCredentials:
    """As whom to ask. AES192 and AES256 extend short keys as Blumenthal's draft does; the C forms as Reeder's (Cisco).

    Raises ConfigError when the parts do not fit together. Nothing of the keys is ever shown.
    """

    version: Literal["2c", "3"] = "2c"
    community: Secret = field(default_factory=Secret)
    user: str = ""
    auth_protocol: AuthProtocol | None = None
    auth_key: Secret = field(default_factory=Secret)
    priv_protocol: PrivProtocol | None = None
    priv_key: Secret = field(default_factory=Secret)
    context: str = ""

    def __post_init__(self) -> None:
        if self.version not in ("2c", "3"):
            raise ConfigError(f"SNMP version {self.version!r} is not supported; write '2c' or '3'")
        if self.version == "2c":
            if not self.community:
                raise ConfigError("SNMP 2c needs a community")
            return
        if not self.user:
            raise ConfigError("SNMP 3 needs a user")
        if len(self.user.encode()) > 32:
            raise ConfigError("an SNMP 3 user name has at most 32 bytes")
        if self.auth_protocol is not None and self.auth_protocol not in get_args(AuthProtocol):
            raise ConfigError(
                f"authentication {self.auth_protocol!r} is not one of {', '.join(get_args(AuthProtocol))}"
            )
        if self.priv_protocol is not None and self.priv_protocol not in get_args(PrivProtocol):
            raise ConfigError(f"encryption {self.priv_protocol!r} is not one of {', '.join(get_args(PrivProtocol))}")
        if self.priv_protocol and not self.auth_protocol:
            raise ConfigError("SNMP 3 has no encryption without authentication; name auth_protocol too")
        for protocol, key, name in (
            (self.auth_protocol, self.auth_key, "authentication"),
            (self.priv_protocol, self.priv_key, "encryption"),
        ):
            if protocol and len(key.reveal().encode()) < MIN_PASSWORD:
                raise ConfigError(f"the SNMP 3 {name} password is shorter than {MIN_PASSWORD} characters (RFC 3414)")

    @property
    def level(self) -> str:
        """`noAuthNoPriv`, `authNoPriv` or `authPriv`."""
        return "authPriv" if self.priv_protocol else "authNoPriv" if self.auth_protocol else "noAuthNoPriv"


@dataclass(slots=True)
class SnmpCounters(Counters):
    """What happened on one client since it was made; telemetry of the link itself."""

    retries: int = 0
    """Reads sent again after a timeout."""
    foreign_sources: int = 0
    """Datagrams from another address than asked (only seen with `any_source`)."""
    resyncs: int = 0
    """v3: engines discovered and engine clocks adopted, the first time included."""
