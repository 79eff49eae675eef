"""Passwords to keys, and messages signed with them (RFC 3414 A.2, RFC 7860, the AES-192/256 drafts)."""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache

from harness.transport.snmp.types import SnmpCredentials

_MEBI = 1 << 20

AUTH: dict[str, tuple[str, int]] = {
    "MD5": ("md5", 12),
    "SHA1": ("sha1", 12),
    "SHA224": ("sha224", 16),
    "SHA256": ("sha256", 24),
    "SHA384": ("sha384", 32),
    "SHA512": ("sha512", 48),
}
"""hashlib's name and the length of the code in the message, bytes."""

PRIV: dict[str, tuple[int, str]] = {
    "AES128": (16, ""),
    "AES192": (24, "blumenthal"),
    "AES256": (32, "blumenthal"),
    "AES192C": (24, "reeder"),
    "AES256C": (32, "reeder"),
}
"""Key length, bytes, and how a hash that is too short is extended."""


def _hash(name: str, data: bytes) -> bytes:
    return hashlib.new(name, data, usedforsecurity=False).digest()


@lru_cache(maxsize=256)
def _stretched(name: str, password: bytes) -> bytes:
    """Hash of 1 MiB of the repeated password: a millisecond, so once per password and not once per device."""
    return _hash(name, (password * (_MEBI // len(password) + 1))[:_MEBI])


@lru_cache(maxsize=4096)
def localized(name: str, password: bytes, engine_id: bytes) -> bytes:
    """The key of one password at one engine."""
    key = _stretched(name, password)
    return _hash(name, key + engine_id + key)


def _extended(name: str, key: bytes, engine_id: bytes, size: int, way: str) -> bytes:
    last = key
    while len(key) < size:
        if way == "reeder":
            last = localized(name, last, engine_id)
            key += last
        else:
            key += _hash(name, key)
    return key[:size]


def keys_for(credentials: SnmpCredentials, engine_id: bytes) -> tuple[bytes, bytes]:
    """Authentication and encryption key at one engine; b'' where the level has none."""
    if credentials.auth_protocol is None:
        return b"", b""
    name = AUTH[credentials.auth_protocol][0]
    auth = localized(name, credentials.auth_key.reveal().encode(), engine_id)
    if credentials.priv_protocol is None:
        return auth, b""
    size, way = PRIV[credentials.priv_protocol]
    priv = localized(name, credentials.priv_key.reveal().encode(), engine_id)
    return auth, _extended(name, priv, engine_id, size, way)


def sign(protocol: str, key: bytes, message: bytes) -> bytes:
    """The authentication code of a message whose code field is all zeros."""
    name, size = AUTH[protocol]
    return hmac.digest(key, message, name)[:size]
